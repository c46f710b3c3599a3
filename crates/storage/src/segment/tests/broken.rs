//! Batches whose headers have rotted: what lies before and behind them is found, nothing is made of them, and whoever would
//! have to know what they were is told where they lie.

use super::*;

fn log_path(dir: &Dir) -> PathBuf {
    dir.temp.path().join("00000000000000000000.log")
}

/// Changes bytes of the log from `position` on.
fn rot(dir: &Dir, position: u32, change: impl FnOnce(&mut [u8])) {
    let mut bytes = std::fs::read(log_path(dir)).unwrap();
    change(&mut bytes[position as usize..]);
    std::fs::write(log_path(dir), bytes).unwrap();
}

/// As a page that the disk has lost: a header of zeros.
fn lose_header(dir: &Dir, position: u32) {
    rot(dir, position, |bytes| bytes[..61].fill(0));
}

fn indexes(dir: &Dir) -> [Vec<u8>; 2] {
    [".index", ".timeindex"]
        .map(|suffix| std::fs::read(dir.temp.path().join(format!("00000000000000000000{suffix}"))).unwrap())
}

#[track_caller]
fn is_blamed<T: std::fmt::Debug>(dir: &Dir, found: Result<T, Fault>, position: u32) {
    let fault = found.unwrap_err();
    let blamed = matches!(&fault, Fault::Corrupt { path, position: at, .. } if *path == log_path(dir) && *at == u64::from(position));
    assert!(blamed, "{fault}, and not {position} of the log");
}

/// Batches of this size have an entry each, but for the first.
const PAYLOAD: usize = 2000;

#[test]
fn a_broken_batch_that_an_entry_names_hides_no_other_and_nothing_is_made_of_it() {
    for active in [false, true] {
        let dir = Dir::new();
        let segment = dir.filled(300, PAYLOAD);
        let mut segment = dir.reopened(segment);
        let size = batch(0, PAYLOAD).len() as u32;
        let largest = segment.largest().unwrap();
        let mut segment = dir.reopened(segment);
        if active {
            segment.append(&batch(900, PAYLOAD), INTERVAL).unwrap();
        }
        lose_header(&dir, 100 * size);
        let sound = indexes(&dir);
        for _ in 0..3 {
            is_blamed(&dir, segment.find(Offset(302)), 100 * size);
            is_blamed(&dir, segment.find(Offset(300)), 100 * size);
            assert_eq!(segment.find(Offset(303)).unwrap(), Some((101 * size, size)));
            assert_eq!(segment.find(Offset(299)).unwrap(), Some((99 * size, size)));
            assert_eq!(segment.find(Offset(899)).unwrap(), Some((299 * size, size)));
            assert_eq!(segment.find(Offset(900)).unwrap(), active.then_some((300 * size, size)));
        }
        assert_eq!(indexes(&dir), sound);
        let younger = TimestampOffset { timestamp: Timestamp(NOW.0 + 902), offset: LastOffset(902) };
        assert_eq!(segment.largest().unwrap(), if active { Some(younger) } else { largest });
        segment.finish().unwrap();
        assert!(indexes(&dir)[0].starts_with(&sound[0]), "a sound index stays");
    }
}

#[test]
fn a_time_behind_a_broken_batch_that_an_entry_names_is_found() {
    let dir = Dir::new();
    let segment = dir.filled(300, PAYLOAD);
    let mut segment = dir.reopened(segment);
    let size = batch(0, PAYLOAD).len() as u32;
    lose_header(&dir, 100 * size);
    let sound = indexes(&dir);
    for _ in 0..3 {
        for number in [99, 101, 102, 299] {
            let time = Timestamp(NOW.0 + i64::from(number) * 3 + 1);
            let found = segment.first_as_young(time, Offset::ZERO).unwrap().unwrap();
            assert_eq!((found.position, found.size), (number * size, size), "{number}");
        }
        is_blamed(&dir, segment.first_as_young(Timestamp(NOW.0 + 301), Offset::ZERO), 100 * size);
    }
    assert_eq!(indexes(&dir), sound);
}

/// A lost stretch takes the batches along whose entries are the nearest witnesses.
#[test]
fn what_lies_behind_many_broken_batches_is_found() {
    let dir = Dir::new();
    let segment = dir.filled(300, PAYLOAD);
    let mut segment = dir.reopened(segment);
    let size = batch(0, PAYLOAD).len() as u32;
    rot(&dir, 100 * size, |bytes| bytes[..10 * size as usize].fill(0));
    for _ in 0..2 {
        for number in [0, 99, 110, 111, 299] {
            let found = segment.find(Offset(i64::from(number) * 3 + 2)).unwrap();
            assert_eq!(found, Some((number * size, size)), "{number}");
        }
        for number in 100..110 {
            let fault = segment.find(Offset(number * 3 + 2)).unwrap_err();
            assert!(matches!(&fault, Fault::Corrupt { path, .. } if *path == log_path(&dir)), "{fault}");
        }
    }
}

/// Whose entries are the nearest witnesses of a batch, before it and behind it: a walk that comes from the front meets both
/// broken ones.
#[test]
fn a_batch_behind_two_broken_ones_with_an_entry_between_them_is_found() {
    // In a small segment a walk begins at the front, in a large one where what is known ends.
    for (count, first) in [(24, 10), (300, 100)] {
        let dir = Dir::new();
        let segment = dir.filled(i64::from(count), PAYLOAD / 3);
        let mut segment = dir.reopened(segment);
        let size = batch(0, PAYLOAD / 3).len() as u32;
        assert_eq!(segment.size() <= WHOLE, count == 24);
        let entries = indexes(&dir)[0]
            .chunks(8)
            .map(|entry| u32::from_be_bytes([entry[4], entry[5], entry[6], entry[7]]) / size)
            .collect::<Vec<_>>();
        let place = entries.iter().position(|number| *number > first).unwrap();
        let (between, behind) = (entries[place], entries[place + 1]);
        assert!(between > first && behind > between + 1, "{entries:?}");
        for lost in [between - 1, between + 1] {
            lose_header(&dir, lost * size);
        }
        for number in 0..between - 1 {
            assert_eq!(segment.find(Offset(i64::from(number) * 3)).unwrap(), Some((number * size, size)));
        }
        for number in [between, behind, behind + 1] {
            for offset in 0..3 {
                let found = segment.find(Offset(i64::from(number) * 3 + offset));
                assert_eq!(found.unwrap(), Some((number * size, size)), "{number} of {entries:?}");
            }
        }
        is_blamed(&dir, segment.find(Offset(i64::from(between + 1) * 3)), (between + 1) * size);
    }
}

/// However much is lost, and wherever: the log is in somebody's hand as long as its first sound batch is looked for.
#[test]
fn the_first_sound_batch_behind_a_lost_stretch_is_found_with_few_reads() {
    let dir = Dir::new();
    let segment = dir.filled(3000, PAYLOAD);
    let mut segment = dir.reopened(segment);
    let largest = segment.largest().unwrap();
    let size = batch(0, PAYLOAD).len() as u32;
    for lost in [2900, 2999] {
        rot(&dir, 0, |bytes| bytes[..(lost * size) as usize].fill(0));
        segment = dir.reopened(segment);
        let before = dir.reads();
        let first = segment.first_timestamp().unwrap();
        assert_eq!(first, Some(Timestamp(NOW.0 + i64::from(lost) * 3 + 2)));
        let reads = dir.reads() - before;
        assert!(reads <= 50, "{reads} reads");
        assert_eq!(segment.largest().unwrap(), largest);
    }
    // None is left, and the last entries have rotted to what there is nothing behind of.
    rot(&dir, 0, |bytes| bytes.fill(0));
    let path = dir.temp.path().join("00000000000000000000.index");
    let mut entries = std::fs::read(&path).unwrap();
    let length = entries.len();
    entries[length - 80..].fill(0xff);
    std::fs::write(&path, entries).unwrap();
    segment = dir.reopened(segment);
    let before = dir.reads();
    assert_eq!(segment.first_timestamp().unwrap(), Some(NOW), "when it was made");
    assert!(dir.reads() - before <= 50, "{} reads", dir.reads() - before);
}

/// What is made of the sound ones decides what retention takes: none is passed over, wherever it lies.
#[test]
fn a_lone_sound_batch_among_broken_ones_is_not_passed_over() {
    const COUNT: u32 = 30;
    let size = batch(0, PAYLOAD).len() as u32;
    for sound in 1..COUNT {
        let dir = Dir::new();
        let segment = dir.filled(i64::from(COUNT), PAYLOAD);
        let segment = dir.reopened(segment);
        for lost in (0..COUNT).filter(|number| *number != sound) {
            lose_header(&dir, lost * size);
        }
        let mut segment = dir.reopened(segment);
        let first = segment.first_timestamp().unwrap();
        assert_eq!(first, Some(Timestamp(NOW.0 + i64::from(sound) * 3 + 2)), "{sound}");
    }
}

/// A disk that fails half way leaves no memory of the front that would pass for one of the whole.
#[test]
fn a_reindexing_that_fails_half_way_leaves_nothing_to_be_believed() {
    let dir = Dir::new();
    let segment = dir.filled(3000, PAYLOAD);
    let mut segment = dir.reopened(segment);
    let size = batch(0, PAYLOAD).len() as u32;
    let largest = segment.largest().unwrap();
    let mut segment = dir.reopened(segment);
    let path = dir.temp.path().join("00000000000000000000.index");
    let mut entries = std::fs::read(&path).unwrap();
    entries.iter_mut().skip(7).step_by(8).for_each(|byte| *byte ^= 5);
    std::fs::write(&path, entries).unwrap();
    dir.descriptors.disk().fail("pwrite", ".index", rustix::io::Errno::NOSPC);
    segment.find(Offset(6000)).unwrap_err();
    dir.descriptors.disk().mend();
    assert_eq!(segment.find(Offset(6000)).unwrap(), Some((2000 * size, size)));
    assert_eq!(segment.find(Offset(8999)).unwrap(), Some((2999 * size, size)));
    assert_eq!(segment.largest().unwrap(), largest);
}

#[test]
fn a_broken_batch_of_a_small_segment_hides_no_other() {
    for (number, entries) in [(0, 7), (30, 7), (39, 7), (30, 0)] {
        let dir = Dir::new();
        let segment = dir.filled(40, 300);
        let mut segment = dir.reopened(segment);
        let size = batch(0, 300).len() as u32;
        assert!(segment.size() <= WHOLE);
        // The magic, as a bit flips.
        rot(&dir, number * size, |bytes| bytes[16] ^= 4);
        let path = dir.temp.path().join("00000000000000000000.index");
        if entries == 0 {
            std::fs::write(path, []).unwrap();
        } else {
            assert_eq!(std::fs::metadata(path).unwrap().len(), entries * 8);
        }
        for _ in 0..2 {
            for before in 0..number {
                let found = segment.find(Offset(i64::from(before) * 3 + 2)).unwrap();
                assert_eq!(found, Some((before * size, size)), "{before} of {number}");
            }
            is_blamed(&dir, segment.find(Offset(i64::from(number) * 3)), number * size);
            // Up to the next entry nobody can tell where a batch begins.
            for behind in number + 1..40 {
                match segment.find(Offset(i64::from(behind) * 3)) {
                    Ok(found) => assert_eq!(found, Some((behind * size, size)), "{behind} of {number}"),
                    Err(_) => {
                        assert!(entries == 0 || behind - number < 4096 / size + 2, "{behind} of {number}")
                    }
                }
            }
        }
    }
}

#[test]
fn who_reads_in_order_is_served_up_to_a_broken_batch_that_was_read_ahead() {
    let dir = Dir::new();
    let segment = dir.filled(600, 300);
    let mut segment = dir.reopened(segment);
    let size = batch(0, 300).len() as u32;
    rot(&dir, 500 * size, |bytes| bytes[16] ^= 4);
    for number in 0..500 {
        let found = segment.find(Offset(i64::from(number) * 3)).unwrap();
        assert_eq!(found, Some((number * size, size)), "{number}");
        segment.note_checked(number * size, (number + 1) * size);
    }
    is_blamed(&dir, segment.find(Offset(1500)), 500 * size);
    let mut segment = dir.reopened(segment);
    segment.find_for(Offset(0), true).unwrap();
    assert_eq!(segment.find(Offset(1499)).unwrap(), Some((499 * size, size)));
    // Nor is a cut before it hindered.
    segment.truncate(Offset(1400)).unwrap();
    assert_eq!((segment.size(), segment.find(Offset(1398)).unwrap()), (466 * size, None));
}

/// No checksum covers where a batch begins.
#[test]
fn a_batch_with_offsets_out_of_the_segments_reach_or_out_of_order_is_not_believed() {
    let base = |offset: i64| move |bytes: &mut [u8]| bytes[..8].copy_from_slice(&offset.to_be_bytes());
    for (count, number, offset) in [
        (40, 0, 1 << 40),
        (40, 7, 1 << 40),
        (40, 7, 18),
        (600, 0, 1 << 40),
        (600, 300, 1 << 31),
        (600, 301, 0),
    ] {
        let dir = Dir::new();
        let segment = dir.filled(count, 300);
        let mut segment = dir.reopened(segment);
        let size = batch(0, 300).len() as u32;
        rot(&dir, number * size, base(offset));
        for _ in 0..2 {
            for before in 0..number {
                let found = segment.find(Offset(i64::from(before) * 3)).unwrap();
                assert_eq!(found, Some((before * size, size)), "{before} of {number}");
            }
            is_blamed(&dir, segment.find(Offset(i64::from(number) * 3)), number * size);
            let last = i64::from(count as u32 - 1);
            assert_eq!(segment.find(Offset(last * 3)).unwrap(), Some((last as u32 * size, size)));
        }
    }
}
