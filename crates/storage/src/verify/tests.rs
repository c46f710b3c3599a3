//! A log whose files are broken one after another: each must be named where it is wrong, and nothing else.

use protocol::records::build::{BatchBuilder, BatchOptions};

use super::*;
use crate::descriptors::Descriptors;
use crate::disk::RealDisk;
use crate::first_records::{FIRST_RECORDS, FirstRecords};
use crate::scripted_disk::ScriptedDisk;
use crate::segments::{IndexLimits, Segments};
use partition::producers::ProducerEntry;
use protocol::id::{LeaderEpoch, PartitionIndex, ProducerEpoch, ProducerId, Sequence, Timestamp, Uuid};
use protocol::offset::LastOffset;
use protocol::records::control::CoordinatorEpoch;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn batch(base: i64) -> Vec<u8> {
    let options =
        BatchOptions { base_offset: Offset(base), leader_epoch: LeaderEpoch(3), ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(options);
    builder.push(Timestamp(NOW.0 + base), None, Some(&[b'x'; 100]), &[]);
    builder.finish_uncompressed()
}

/// Two segments of twenty batches each, with indexes and epochs.
fn written() -> (tempfile::TempDir, PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let directory = temp.path().join("t-0");
    std::fs::create_dir(&directory).unwrap();
    let limits = IndexLimits { bytes_max: 1 << 20, interval_bytes: 200 };
    let descriptors = Descriptors::new(RealDisk, 4);
    let path = directory.as_path().into();
    let mut segments = Segments::create(&descriptors, path, Offset::ZERO, limits, NOW).unwrap();
    for base in 0..40 {
        if base == 20 {
            segments.roll(Offset(20), NOW).unwrap();
        }
        segments.append(&batch(base)).unwrap();
    }
    segments.finish().unwrap();
    let epochs = [(LeaderEpoch(3), Offset::ZERO)];
    checkpoint::write_leader_epochs(&RealDisk, &directory.join(checkpoint::LEADER_EPOCH), &epochs).unwrap();
    (temp, directory)
}

fn report(directory: &Path) -> Report {
    let mut report = Report::default();
    verify_log(&RealDisk, directory, &mut report, &mut |_| ()).map(drop).unwrap();
    report
}

fn breaking(file: &str, at: usize, byte: u8) -> Report {
    let (_temp, directory) = written();
    let path = directory.join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[at] ^= byte;
    std::fs::write(&path, bytes).unwrap();
    report(&directory)
}

#[test]
fn a_sound_log_has_nothing_wrong_and_is_not_touched() {
    let (temp, directory) = written();
    let before: Vec<_> = files(&directory);
    let report = report(&directory);
    assert_eq!(report.problems, []);
    assert_eq!((report.logs, report.batches), (1, 40));
    assert_eq!(files(&directory), before);
    assert_eq!(logs_in(&RealDisk, temp.path()).unwrap(), (vec![directory], report.bytes));
}

fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn each_broken_file_is_named_with_the_place() {
    let size = batch(0).len();
    let log = "00000000000000000000.log";
    let table: [(&str, usize, u8, &str); 6] = [
        (log, 5 * size + 70, 1, "CRC"),
        (log, 5 * size + 11, 0x80, "no whole batch"),
        ("00000000000000000000.index", 6, 0x10, "position"),
        ("00000000000000000020.timeindex", 0, 0x40, "timestamp"),
        (checkpoint::LEADER_EPOCH, 4, 0x01, "leader epoch 3"),
        (checkpoint::LEADER_EPOCH, 0, 0x40, "version 0"),
    ];
    for (file, at, byte, what) in table {
        let report = breaking(file, at, byte);
        let first = report.problems.first().unwrap_or_else(|| panic!("nothing found in {file} at {at}"));
        assert!(first.what.to_lowercase().contains(&what.to_lowercase()), "{file} at {at}: {first:?}");
        assert!(!first.way_out.is_empty());
        if file == log {
            assert_eq!((first.position, first.offset), (Some(5 * size as u64), Some(Offset(5))), "{first:?}");
        }
    }
    // A wrong batch with a right length hides none behind it.
    let report = breaking(log, 5 * size + 70, 1);
    assert_eq!((report.problems.len(), report.batches), (1, 40));
}

#[test]
fn a_transaction_that_began_before_the_log_start_may_be_known_from_there_on() {
    let (temp, directory) = written();
    let path = directory.join("00000000000000000040.log");
    let producer = (ProducerId(7), ProducerEpoch(0), Sequence(0));
    let of = |base, sequence| {
        let producer = (producer.0, producer.1, Sequence(sequence));
        let options = BatchOptions {
            base_offset: Offset(base),
            leader_epoch: LeaderEpoch(3),
            producer,
            transactional: true,
            ..BatchOptions::default()
        };
        let mut builder = BatchBuilder::new(options);
        builder.push(NOW, None, Some(b"value"), &[]);
        builder.finish_uncompressed()
    };
    std::fs::write(path, [of(40, 0), of(41, 1)].concat()).unwrap();
    let entry = ProducerEntry {
        producer_id: producer.0,
        producer_epoch: producer.1,
        last_sequence: Sequence(1),
        last_offset: LastOffset(41),
        offset_delta: 0,
        timestamp: NOW,
        coordinator_epoch: CoordinatorEpoch(-1),
        current_transaction_first_offset: Some(Offset(41)),
    };
    let snapshot = SegmentFile::ProducerSnapshot.path(&directory, Offset(42));
    producer_snapshot::write(&RealDisk, &snapshot, &[entry]).unwrap();
    let said = |log_start: i64| {
        let offsets = [(TopicPartition::new("t", PartitionIndex(0)), Offset(log_start))].into();
        checkpoint::write_offsets(&RealDisk, &temp.path().join(checkpoint::LOG_START), &offsets).unwrap();
        let problems = report(&directory).problems.into_iter();
        problems.filter(|problem| problem.path == snapshot).map(|problem| problem.what).collect::<Vec<_>>()
    };
    assert_eq!(said(41), [""; 0]);
    let [what] = &said(40)[..] else { panic!("nothing is said of the snapshot") };
    assert!(what.contains("since offset 41, and has since 40"), "{what}");
}

#[test]
fn what_a_snapshot_says_of_a_producer_is_held_against_its_batches() {
    let (_temp, directory) = written();
    let of = |base, sequence| {
        let producer = (ProducerId(7), ProducerEpoch(2), Sequence(sequence));
        let options = BatchOptions {
            base_offset: Offset(base),
            leader_epoch: LeaderEpoch(3),
            producer,
            ..BatchOptions::default()
        };
        let mut builder = BatchBuilder::new(options);
        builder.push(NOW, None, Some(b"value"), &[]);
        builder.push(NOW, None, Some(b"value"), &[]);
        builder.finish_uncompressed()
    };
    std::fs::write(directory.join("00000000000000000040.log"), [of(40, 5), of(42, 7)].concat()).unwrap();
    let entry = ProducerEntry {
        producer_id: ProducerId(7),
        producer_epoch: ProducerEpoch(2),
        last_sequence: Sequence(8),
        last_offset: LastOffset(43),
        offset_delta: 1,
        timestamp: NOW,
        coordinator_epoch: CoordinatorEpoch(-1),
        current_transaction_first_offset: None,
    };
    let snapshot = SegmentFile::ProducerSnapshot.path(&directory, Offset(44));
    let said = |entry: ProducerEntry| {
        producer_snapshot::write(&RealDisk, &snapshot, &[entry]).unwrap();
        let problems = report(&directory).problems.into_iter();
        problems.filter(|problem| problem.path == snapshot).map(|problem| problem.what).collect::<Vec<_>>()
    };
    assert_eq!(said(entry), [""; 0]);
    for (wrong, what) in [
        (ProducerEntry { last_sequence: Sequence(7), ..entry }, "sequence 7, and has come to 8"),
        (ProducerEntry { last_sequence: Sequence(9), ..entry }, "sequence 9, and has come to 8"),
    ] {
        let [told] = &said(wrong)[..] else { panic!("nothing is said of the snapshot") };
        assert!(told.contains(what), "{told}");
    }
}

#[test]
fn a_torn_tail_is_named_as_one_and_zeros_are_none() {
    let (_temp, directory) = written();
    let path = directory.join("00000000000000000020.log");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&whole[..], &[0; 5000]].concat()).unwrap();
    assert_eq!(report(&directory).problems, []);
    std::fs::write(&path, [&whole[..], &batch(40)[..50]].concat()).unwrap();
    let report = report(&directory);
    assert_eq!(report.problems.len(), 1);
    assert_eq!(report.problems[0].way_out, TORN_TAIL);
    assert_eq!(report.problems[0].offset, Some(Offset(40)));
}

#[test]
fn an_index_that_goes_while_its_log_is_read_is_passed_over() {
    let (_temp, directory) = written();
    let disk = ScriptedDisk::default();
    disk.fail("open", "00000000000000000020.index", rustix::io::Errno::NOENT);
    let mut report = Report::default();
    verify_log(&disk, &directory, &mut report, &mut |_| ()).unwrap();
    assert_eq!((report.problems, report.batches), (vec![], 40));
}

#[test]
fn an_index_allocated_far_ahead_is_read_as_far_as_it_goes() {
    let (_temp, directory) = written();
    for index in ["00000000000000000020.index", "00000000000000000020.timeindex"] {
        let file = std::fs::File::options().write(true).open(directory.join(index)).unwrap();
        file.set_len(crate::whole_file::LENGTH_MAX + 12).unwrap();
    }
    assert_eq!(report(&directory).problems, []);
    let index = directory.join("00000000000000000020.index");
    let file = std::fs::File::options().write(true).open(&index).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0x10], 6).unwrap();
    let report = report(&directory);
    assert_eq!(report.problems.len(), 1);
    assert!(report.problems[0].what.contains("position"), "{:?}", report.problems);
}

#[test]
fn of_a_segment_only_the_batches_that_its_indexes_name_are_kept_in_mind() {
    let (_temp, directory) = written();
    let kinds = [SegmentFile::Log, SegmentFile::OffsetIndex, SegmentFile::TimeIndex];
    let read = |kinds: &[SegmentFile]| {
        let reading = segment::Reading {
            directory: &directory,
            base: Offset::ZERO,
            kinds,
            next: Some(Offset(20)),
            epochs: &[],
            of_metadata: false,
            clean: false,
        };
        let mut history = History::new(VecDeque::new(), Offset::ZERO);
        segment::verify(&RealDisk, (&reading, &mut history), &mut Report::default(), &mut |_| ()).unwrap()
    };
    let (all, none) = (read(&kinds), read(&kinds[..1]));
    assert_eq!((all.last, none.last), (Some(LastOffset(19)), Some(LastOffset(19))));
    let entries = std::fs::metadata(directory.join("00000000000000000000.index")).unwrap().len() / 8;
    // And the last one, which the time index ends with.
    assert!((entries..=entries + 1).contains(&(all.places.len() as u64)), "{}", all.places.len());
    assert!(none.places.is_empty());
}

/// A directory with nothing but first records of three logs.
fn with_first_records() -> (tempfile::TempDir, PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let rows = FirstRecords::new(&RealDisk, temp.path());
    for partition in 0..3 {
        let name = TopicPartition::new("t", PartitionIndex(partition));
        rows.put(&name, Uuid([7; 16]), &batch(0)).unwrap().unwrap();
    }
    let path = temp.path().join(FIRST_RECORDS);
    (temp, path)
}

fn first_record_report(directory: &Path, logs: &Extents) -> Report {
    let mut report = Report::default();
    first_records::verify(&RealDisk, directory, logs, &mut report).unwrap();
    report
}

#[test]
fn first_records_are_read_and_counted_where_their_logs_have_none() {
    let (temp, _) = with_first_records();
    assert!(holds_first_records(&RealDisk, temp.path()));
    let report = first_record_report(temp.path(), &Extents::new());
    assert_eq!((report.first_records, report.batches, &report.problems[..]), (3, 3, &[][..]));
    let ends = [(0, 0), (1, 5)].map(|(partition, end)| {
        let name = TopicPartition::new("t", PartitionIndex(partition));
        (name, Extent { end: Offset(end), whole: true })
    });
    assert_eq!(first_record_report(temp.path(), &Extents::from(ends)).first_records, 2);
    assert!(!holds_first_records(&RealDisk, &temp.path().join("t-0")));
}

#[test]
fn a_broken_row_of_first_records_is_named_with_its_place() {
    let (temp, path) = with_first_records();
    let whole = std::fs::read(&path).unwrap();
    let row = (whole.len() - 8) / 3;
    let mut broken = whole.clone();
    broken[8 + 2 * row - 10] ^= 1;
    std::fs::write(&path, &broken).unwrap();
    let report = first_record_report(temp.path(), &Extents::new());
    assert_eq!((report.first_records, report.problems.len()), (2, 1));
    let problem = &report.problems[0];
    assert_eq!((&problem.path, problem.position), (&path, Some(8 + row as u64)));
    assert!(problem.what.contains("the first record of t-1 is broken"), "{problem:?}");
    std::fs::write(&path, &whole[..whole.len() - 10]).unwrap();
    let report = first_record_report(temp.path(), &Extents::new());
    assert_eq!((report.first_records, report.problems.len()), (2, 1));
    let problem = &report.problems[0];
    assert!(problem.what.contains(&format!("{} bytes are passed over", row - 10)), "{problem:?}");
    std::fs::write(&path, [b"HWFIRST0", &whole[8..]].concat()).unwrap();
    let report = first_record_report(temp.path(), &Extents::new());
    assert_eq!((report.first_records, report.problems.len()), (0, 1));
    assert!(report.problems[0].what.contains("begins with HWFIRST0"), "{report:?}");
    // A row that is whole and holds what no batch is.
    std::fs::remove_file(&path).unwrap();
    let name = TopicPartition::new("t", PartitionIndex(0));
    let mut rotten = batch(0);
    rotten[70] ^= 1;
    FirstRecords::new(&RealDisk, temp.path()).put(&name, Uuid([7; 16]), &rotten).unwrap().unwrap();
    let report = first_record_report(temp.path(), &Extents::new());
    assert!(report.problems[0].what.contains("the first record of t-0: the batch carries CRC"), "{report:?}");
}
