//! The three kinds of index over one file: against what Kafka wrote, and against a vector.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use protocol::id::{ProducerId, Timestamp};
use protocol::offset::{LastOffset, Offset};

use super::*;
use crate::descriptors::Descriptors;
use crate::names::SegmentFile;
use crate::offset_index::{OffsetIndex, OffsetPosition};
use crate::scripted_disk::ScriptedDisk;
use crate::time_index::{TimeIndex, TimestampOffset};
use crate::transaction_index::TransactionIndex;
use partition::transactions::AbortedTransaction;

struct Dir {
    temp: tempfile::TempDir,
    descriptors: Descriptors,
}

impl Dir {
    fn new() -> Self {
        Self { temp: tempfile::tempdir().unwrap(), descriptors: Descriptors::new(RealDisk, 100) }
    }

    fn file(&self, kind: SegmentFile, base: Offset) -> LazyFile {
        let path: Arc<Path> = self.temp.path().into();
        self.descriptors.file(&path, kind, base)
    }

    fn put(&self, kind: SegmentFile, base: Offset, bytes: &[u8]) {
        std::fs::write(kind.path(self.temp.path(), base), bytes).unwrap();
    }

    fn bytes(&self, kind: SegmentFile, base: Offset) -> Vec<u8> {
        std::fs::read(kind.path(self.temp.path(), base)).unwrap()
    }
}

/// `plain-0/00000000000000000000.index` as Kafka 4.4 wrote it.
const KAFKAS_OFFSET_INDEX: &[u8] = &[
    0, 0, 0, 5, 0, 0, 0, 0xa2, 0, 0, 0, 8, 0, 0, 1, 0x44, 0, 0, 0, 11, 0, 0, 1, 0xe6, 0, 0, 0, 14, 0, 0, 2,
    0x8c,
];
/// `plain-0/00000000000000000075.timeindex` as Kafka 4.4 wrote it.
const KAFKAS_TIME_INDEX: &[u8] =
    &[0, 0, 1, 0x8b, 0xcf, 0xe5, 0x7f, 0x71, 0, 0, 0, 2, 0, 0, 1, 0x8b, 0xcf, 0xe5, 0x7f, 0x72, 0, 0, 0, 8];

fn mid(base: i64, relative: i64) -> LastOffset {
    LastOffset(base + relative)
}

#[test]
fn kafkas_offset_index_is_read_and_written_to_the_byte() {
    let dir = Dir::new();
    let (read, written) = (Offset(100), Offset(200));
    dir.put(SegmentFile::OffsetIndex, read, KAFKAS_OFFSET_INDEX);
    let mut index = OffsetIndex::present(read, dir.file(SegmentFile::OffsetIndex, read));
    let table =
        [(90, 0), (100, 0), (104, 0), (105, 0xa2), (107, 0xa2), (108, 0x144), (114, 0x28c), (9999, 0x28c)];
    for (target, position) in table {
        let found = index.lookup(Offset(target)).unwrap().map_or(0, |entry| entry.position);
        assert_eq!(found, position, "{target}");
    }
    assert_eq!(index.last().unwrap(), Some(OffsetPosition { offset: mid(100, 14), position: 0x28c }));
    for (position, offset) in [(0, Some(105)), (0xa2, Some(105)), (0xa3, Some(108)), (0x28d, None)] {
        assert_eq!(index.from_position(position).unwrap().map(|entry| entry.offset.0), offset, "{position}");
    }
    let mut copy = OffsetIndex::absent(written, dir.file(SegmentFile::OffsetIndex, written));
    for (relative, position) in [(5, 0xa2), (8, 0x144), (11, 0x1e6), (14, 0x28c)] {
        copy.push(relative, position);
    }
    copy.entries().trim().unwrap();
    assert_eq!(dir.bytes(SegmentFile::OffsetIndex, written), KAFKAS_OFFSET_INDEX);
}

#[test]
fn kafkas_time_index_is_read_and_written_to_the_byte() {
    let dir = Dir::new();
    let (read, written) = (Offset(75), Offset(200));
    dir.put(SegmentFile::TimeIndex, read, KAFKAS_TIME_INDEX);
    let mut index = TimeIndex::present(read, dir.file(SegmentFile::TimeIndex, read));
    let first = Timestamp(0x018b_cfe5_7f71);
    let table = [(first.0 - 1, 75), (first.0, 77), (first.0 + 1, 83), (first.0 + 2, 84), (i64::MAX, 84)];
    for (timestamp, offset) in table {
        assert_eq!(index.lookup(Timestamp(timestamp)).unwrap(), Offset(offset), "{timestamp}");
    }
    let mut copy = TimeIndex::absent(written, dir.file(SegmentFile::TimeIndex, written));
    copy.push(TimestampOffset { timestamp: Timestamp::NONE, offset: mid(200, 1) });
    copy.push(TimestampOffset { timestamp: first, offset: mid(200, 2) });
    copy.push(TimestampOffset { timestamp: first, offset: mid(200, 5) });
    copy.push(TimestampOffset { timestamp: Timestamp(first.0 + 1), offset: mid(200, 8) });
    copy.entries().trim().unwrap();
    assert_eq!(dir.bytes(SegmentFile::TimeIndex, written), KAFKAS_TIME_INDEX);
}

#[test]
fn an_index_preallocated_by_kafka_ends_at_its_last_entry() {
    let dir = Dir::new();
    let base = Offset(0);
    for entries in 0..=4 {
        let mut bytes = KAFKAS_OFFSET_INDEX[..entries * 8].to_vec();
        bytes.resize(10 * 1024 * 1024, 0);
        dir.put(SegmentFile::OffsetIndex, base, &bytes);
        let mut index = OffsetIndex::present(base, dir.file(SegmentFile::OffsetIndex, base));
        assert_eq!(index.entries().count().unwrap(), entries as u32);
        index.push(1000, 7);
        index.entries().trim().unwrap();
        assert_eq!(dir.bytes(SegmentFile::OffsetIndex, base).len(), (entries + 1) * 8);
    }
}

#[test]
fn aborted_transactions_are_found_by_range() {
    let dir = Dir::new();
    let aborted = |producer, first, last, stable| AbortedTransaction {
        producer_id: ProducerId(producer),
        first_offset: Offset(first),
        last_offset: LastOffset(last),
        last_stable_offset: Offset(stable),
    };
    let all = [aborted(1, 0, 10, 11), aborted(2, 5, 20, 12), aborted(3, 12, 30, 31)];
    let mut index = TransactionIndex::absent(dir.file(SegmentFile::TransactionIndex, Offset(0)));
    for transaction in &all {
        index.push(transaction);
    }
    let mut find = |from, end| {
        let mut found = Vec::new();
        let complete = index.collect(Offset(from), Offset(end), &mut found).unwrap();
        (found, complete)
    };
    assert_eq!(find(0, 100), (all.to_vec(), false));
    assert_eq!(find(11, 12), (vec![all[1]], true));
    assert_eq!(find(11, 13), (all[1..].to_vec(), true));
    assert_eq!(find(0, 5), (all[..1].to_vec(), true));
    assert_eq!(find(31, 40), (vec![], false));
    index.truncate(Offset(20)).unwrap();
    assert_eq!(index.entries().count().unwrap(), 1);
}

#[test]
fn who_reads_committed_records_near_the_end_reads_little_of_all_that_was_aborted() {
    let (disk, temp) = (ScriptedDisk::default(), tempfile::tempdir().unwrap());
    let path: Arc<Path> = temp.path().into();
    let descriptors = Descriptors::new(disk.clone(), 100);
    let mut index =
        TransactionIndex::absent(descriptors.file(&path, SegmentFile::TransactionIndex, Offset(0)));
    let aborted = |last: i64| AbortedTransaction {
        producer_id: ProducerId(7),
        first_offset: Offset(last - 9),
        last_offset: LastOffset(last),
        last_stable_offset: Offset(last + 1),
    };
    for transaction in 1..=10_000 {
        index.push(&aborted(transaction * 10));
        index.entries().make_room().unwrap();
    }
    let before = disk.bytes_read(".txnindex");
    let mut found = Vec::new();
    index.collect(Offset(99_985), Offset(100_100), &mut found).unwrap();
    assert_eq!(found, [aborted(99_990), aborted(100_000)]);
    let read = disk.bytes_read(".txnindex") - before;
    assert!(read < 20_000, "{read} bytes of 340,000");
}

#[test]
fn an_entry_of_an_unknown_version_is_named() {
    let dir = Dir::new();
    dir.put(SegmentFile::TransactionIndex, Offset(0), &[9; 34]);
    let mut index = TransactionIndex::present(dir.file(SegmentFile::TransactionIndex, Offset(0)));
    let fault = index.collect(Offset(0), Offset(9), &mut Vec::new()).unwrap_err().to_string();
    assert!(fault.contains("is corrupt at byte 0: an entry of version 2313"), "{fault}");
}

#[derive(Clone, Debug)]
enum Step {
    Push(u8),
    Write,
    MakeRoom,
    Reopen,
    Truncate(u16),
    LookUp(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        40 => any::<u8>().prop_map(Step::Push),
        1 => Just(Step::Write),
        2 => Just(Step::MakeRoom),
        1 => Just(Step::Reopen),
        1 => any::<u16>().prop_map(Step::Truncate),
        2 => (0u32..200_000).prop_map(Step::LookUp),
    ];
    prop::collection::vec(step, 0..3000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn an_offset_index_is_a_sorted_vector(steps in steps(), targets in prop::collection::vec(0u32..200_000, 20)) {
        let dir = Dir::new();
        let base = Offset(7);
        let mut index = OffsetIndex::absent(base, dir.file(SegmentFile::OffsetIndex, base));
        let mut model: Vec<(u32, u32)> = Vec::new();
        let expected = |model: &[(u32, u32)], target: u32| {
            model.iter().rfind(|(offset, _)| *offset <= target).map_or(0, |(_, position)| *position)
        };
        let found = |index: &mut OffsetIndex, target: u32| {
            index.lookup(Offset(7 + i64::from(target))).unwrap().map_or(0, |entry| entry.position)
        };
        for step in steps {
            match step {
                Step::Push(gap) => {
                    let (offset, position) = model.last().copied().unwrap_or((0, 0));
                    let entry = (offset + 1 + u32::from(gap), position + 100);
                    index.push(entry.0, entry.1);
                    model.push(entry);
                }
                Step::Write => index.entries().write_pending().unwrap(),
                Step::MakeRoom => index.entries().make_room().unwrap(),
                Step::Reopen => {
                    index.entries().trim().unwrap();
                    index = OffsetIndex::present(base, dir.file(SegmentFile::OffsetIndex, base));
                }
                Step::Truncate(end) => {
                    index.truncate(Offset(7 + i64::from(end))).unwrap();
                    model.retain(|(offset, _)| *offset < u32::from(end));
                }
                // Whatever a look-up leaves in memory is what those after it begin from.
                Step::LookUp(target) => {
                    prop_assert_eq!(found(&mut index, target), expected(&model, target));
                }
            }
        }
        prop_assert_eq!(index.entries().count().unwrap() as usize, model.len());
        for target in targets {
            prop_assert_eq!(found(&mut index, target), expected(&model, target));
        }
    }

    #[test]
    fn arbitrary_bytes_are_an_error_or_entries(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let dir = Dir::new();
        let base = Offset(0);
        for kind in [SegmentFile::OffsetIndex, SegmentFile::TimeIndex, SegmentFile::TransactionIndex] {
            dir.put(kind, base, &bytes);
        }
        let mut offsets = OffsetIndex::present(base, dir.file(SegmentFile::OffsetIndex, base));
        let mut times = TimeIndex::present(base, dir.file(SegmentFile::TimeIndex, base));
        let mut transactions = TransactionIndex::present(dir.file(SegmentFile::TransactionIndex, base));
        let _ = (offsets.lookup(Offset(5)), offsets.last(), offsets.truncate(Offset(9)));
        let _ = (times.lookup(Timestamp(5)), times.last(), times.truncate(Offset(9)));
        let _ = transactions.collect(Offset(0), Offset(i64::MAX), &mut Vec::new());
    }
}
