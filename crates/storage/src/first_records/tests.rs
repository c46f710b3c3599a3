//! What rows survive, and what is made of those that do not.

use protocol::id::{PartitionIndex, Uuid};

use super::*;
use crate::scripted_disk::ScriptedDisk;

const TOPIC: TopicId = Uuid([7; 16]);

fn name(partition: i32) -> TopicPartition {
    TopicPartition::new("t", PartitionIndex(partition))
}

#[test]
fn a_row_counts_until_its_log_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let rows = FirstRecords::new(&RealDisk, directory.path());
    assert!(rows.take_up().unwrap().is_empty());
    let first = rows.put(&name(0), TOPIC, b"one").unwrap().unwrap();
    let second = rows.put(&name(1), TOPIC, b"two").unwrap().unwrap();
    assert_eq!(rows.read(second).unwrap(), b"two");
    rows.forget(first).unwrap();
    assert!(rows.end().unwrap_err().to_string().contains("1 rows"));
    let killed = FirstRecords::new(&RealDisk, directory.path());
    let found = killed.take_up().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].name, &found[0].batch[..]), (&name(1), &b"two"[..]));
    assert_eq!((found[0].topic_id, found[0].place), (TOPIC, second));
    killed.forget(found[0].place).unwrap();
    assert_eq!(std::fs::metadata(directory.path().join(FIRST_RECORDS)).unwrap().len(), 0);
    killed.end().unwrap();
    assert!(!directory.path().join(FIRST_RECORDS).exists());
}

#[test]
fn who_forgets_a_row_once_more_takes_nothing_of_those_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let disk = ScriptedDisk::default();
    let rows = FirstRecords::new(&disk, directory.path());
    let first = rows.put(&name(0), TOPIC, b"one").unwrap().unwrap();
    disk.fail_once("truncate", FIRST_RECORDS, rustix::io::Errno::NOSPC);
    rows.forget(first).unwrap_err();
    let second = rows.put(&name(1), TOPIC, b"two").unwrap().unwrap();
    rows.forget(first).unwrap();
    assert_eq!(rows.read(second).unwrap(), b"two");
    assert_eq!(partitions(&FirstRecords::new(&RealDisk, directory.path()).take_up().unwrap()), [1]);
    rows.forget(second).unwrap();
    assert_eq!(std::fs::metadata(directory.path().join(FIRST_RECORDS)).unwrap().len(), 0);
}

/// Else who has no room leaves a hole, and behind that nothing is found after a kill.
#[test]
fn a_row_that_could_not_be_written_takes_no_place() {
    for torn in [0, 9] {
        let directory = tempfile::tempdir().unwrap();
        let disk = ScriptedDisk::default();
        let rows = FirstRecords::new(&disk, directory.path());
        rows.put(&name(0), TOPIC, b"one").unwrap().unwrap();
        disk.tear(torn);
        disk.fail_once("pwrite", FIRST_RECORDS, rustix::io::Errno::NOSPC);
        rows.put(&name(1), TOPIC, b"none").unwrap_err();
        rows.put(&name(2), TOPIC, b"two").unwrap().unwrap();
        let killed = FirstRecords::new(&RealDisk, directory.path());
        assert_eq!(partitions(&killed.take_up().unwrap()), [0, 2], "{torn} bytes of it were written");
    }
}

fn partitions(found: &[FoundRow]) -> Vec<i32> {
    found.iter().map(|row| row.name.partition.0).collect()
}

#[test]
fn a_torn_row_ends_the_file_which_is_kept_and_begins_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (path, kept) = (directory.path().join(FIRST_RECORDS), directory.path().join(BROKEN_FIRST_RECORDS));
    let rows = FirstRecords::new(&RealDisk, directory.path());
    rows.put(&name(0), TOPIC, b"whole").unwrap().unwrap();
    let whole = std::fs::read(&path).unwrap();
    rows.put(&name(1), TOPIC, b"torn by the cut").unwrap().unwrap();
    let both = std::fs::read(&path).unwrap();
    for length in whole.len()..both.len() {
        std::fs::write(&path, &both[..length]).unwrap();
        let left = FirstRecords::new(&RealDisk, directory.path());
        let found = left.take_up().unwrap();
        assert_eq!(partitions(&found), [0], "cut at {length}");
        let torn = length > whole.len();
        assert_eq!(left.put(&name(2), TOPIC, b"next").unwrap().is_none(), torn, "cut at {length}");
        assert_eq!(std::fs::read(&path).unwrap()[..length], both[..length], "nothing is lost of it");
        left.forget(found[0].place).unwrap();
        assert_eq!(kept.exists(), torn, "cut at {length}");
        if torn {
            assert_eq!(std::fs::read(&kept).unwrap().len(), length);
            std::fs::remove_file(&kept).unwrap();
            left.put(&name(3), TOPIC, b"anew").unwrap().unwrap();
            let again = FirstRecords::new(&RealDisk, directory.path()).take_up().unwrap();
            assert_eq!(partitions(&again), [3]);
        }
    }
}

#[test]
fn a_changed_bit_is_not_handed_out_and_hides_no_other_row() {
    let directory = tempfile::tempdir().unwrap();
    let (path, kept) = (directory.path().join(FIRST_RECORDS), directory.path().join(BROKEN_FIRST_RECORDS));
    let rows = FirstRecords::new(&RealDisk, directory.path());
    let places = [0, 1, 2].map(|row| rows.put(&name(row), TOPIC, b"bytes").unwrap().unwrap());
    let written = std::fs::read(&path).unwrap();
    for place in &places {
        let row = place.row as usize;
        for bit in row * 8..(row + (place.batch + place.length) as usize) * 8 {
            let mut bytes = written.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &bytes).unwrap();
            let read = rows.read(*place).unwrap_err().to_string();
            assert!(read.contains("a row is not what was written"));
            let left = FirstRecords::new(&RealDisk, directory.path());
            let found = left.take_up().unwrap();
            let others: Vec<_> = places.iter().filter(|other| *other != place).collect();
            assert_eq!(found.iter().map(|row| &row.place).collect::<Vec<_>>(), others, "bit {bit}");
            found.iter().for_each(|row| left.forget(row.place).unwrap());
            assert!(!path.exists());
            assert_eq!(std::fs::read(&kept).unwrap()[bit / 8], bytes[bit / 8], "what is broken is kept");
            std::fs::remove_file(&kept).unwrap();
        }
    }
}

#[test]
fn what_is_broken_takes_the_place_of_nothing_that_was_before() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FIRST_RECORDS);
    let kept = ["", ".2", ".3"].map(|number| format!("{BROKEN_FIRST_RECORDS}{number}"));
    for night in 0..3 {
        FirstRecords::new(&RealDisk, directory.path()).put(&name(night), TOPIC, b"bytes").unwrap().unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(FirstRecords::new(&RealDisk, directory.path()).take_up().unwrap().is_empty());
        assert_eq!(std::fs::read(directory.path().join(&kept[night as usize])).unwrap(), bytes);
    }
    assert!(kept.iter().all(|kept| directory.path().join(kept).exists()));
}

#[test]
fn the_layout_goes_with_its_magic() {
    let directory = tempfile::tempdir().unwrap();
    let rows = FirstRecords::new(&RealDisk, directory.path());
    rows.put(&name(5), TOPIC, b"batch").unwrap().unwrap();
    let written = std::fs::read(directory.path().join(FIRST_RECORDS)).unwrap();
    let written: String = written.iter().map(|byte| format!("{byte:02x}")).collect();
    let known = concat!(
        "4857464952535433c38a0d81770000002dffffffd22f56732f070707070707070707070707070707",
        "07000000050001746261746368",
    );
    assert_eq!(written, known, "a file of another layout needs another magic");
}

#[test]
fn a_file_of_another_layout_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FIRST_RECORDS);
    // A row began with its length once, and then with its state.
    for bytes in
        [&b"\0\0\x02\0\x12\x34\x56\x78\xc3and the record"[..], b"\xc3\x12\x34\x56\x78\0\0\x02\0", b"HWFIRST4"]
    {
        std::fs::write(&path, bytes).unwrap();
        let refused = FirstRecords::new(&RealDisk, directory.path()).take_up().unwrap_err().to_string();
        assert!(refused.contains("and not with HWFIRST3: have the version"), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn a_file_that_a_power_cut_left_without_its_beginning_begins_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (path, kept) = (directory.path().join(FIRST_RECORDS), directory.path().join(BROKEN_FIRST_RECORDS));
    let rows = FirstRecords::new(&RealDisk, directory.path());
    rows.put(&name(0), TOPIC, b"bytes").unwrap().unwrap();
    let written = std::fs::read(&path).unwrap();
    let torn = |zeroed: std::ops::Range<usize>, length: usize| {
        let mut bytes = written[..length].to_vec();
        bytes[zeroed].fill(0);
        bytes
    };
    let nothing = [torn(0..0, 0), torn(0..0, 5), torn(0..0, 8), torn(0..8, 8), torn(0..0, 8)];
    for (bytes, is_kept) in
        nothing.map(|it| (it, false)).into_iter().chain([(torn(2..20, written.len()), true)])
    {
        std::fs::write(&path, &bytes).unwrap();
        let left = FirstRecords::new(&RealDisk, directory.path());
        assert!(left.take_up().unwrap().is_empty());
        assert_eq!(kept.exists(), is_kept, "{bytes:?}");
        left.put(&name(1), TOPIC, b"next").unwrap().unwrap();
        assert_eq!(partitions(&FirstRecords::new(&RealDisk, directory.path()).take_up().unwrap()), [1]);
    }
}

#[test]
fn a_long_batch_finds_no_place() {
    let directory = tempfile::tempdir().unwrap();
    let rows = FirstRecords::new(&RealDisk, directory.path());
    assert_eq!(rows.put(&name(0), TOPIC, &vec![0; BATCH_MAX + 1]).unwrap(), None);
    assert!(!directory.path().join(FIRST_RECORDS).exists());
}
#[test]
fn which_rows_count_is_brought_to_stable_storage_whenever_it_has_changed() {
    let (directory, disk) = (tempfile::tempdir().unwrap(), ScriptedDisk::default());
    let rows = FirstRecords::new(&disk, directory.path());
    assert!(rows.take_up().unwrap().is_empty());
    let mut synced = 0;
    let mut is_due = || {
        rows.sync().unwrap();
        let before = std::mem::replace(&mut synced, disk.count("fdatasync", FIRST_RECORDS));
        synced > before
    };
    assert!(!is_due(), "there is nothing");
    let first = rows.put(&name(0), TOPIC, b"one").unwrap().unwrap();
    let second = rows.put(&name(1), TOPIC, b"two").unwrap().unwrap();
    assert!(is_due() && !is_due());
    for done in [first, second] {
        rows.forget(done).unwrap();
        assert!(is_due() && !is_due());
    }
}
