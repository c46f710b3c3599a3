//! Finding batches: what it costs to read old records in order, and what a wrong index does.

use protocol::offset::LastOffset;
use protocol::records::build::{BatchBuilder, BatchOptions};

use super::places::{AHEAD, LONE, WHOLE};
use super::*;
use crate::scripted_disk::ScriptedDisk;

mod broken;
mod look_ups;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const INTERVAL: u32 = 4096;

fn batch(base: i64, payload: usize) -> Vec<u8> {
    let mut builder =
        BatchBuilder::new(BatchOptions { base_offset: Offset(base), ..BatchOptions::default() });
    for record in 0..3 {
        builder.push(Timestamp(NOW.0 + base + record), None, Some(&vec![b'x'; payload]), &[]);
    }
    builder.finish_uncompressed()
}

struct Dir {
    temp: tempfile::TempDir,
    descriptors: Descriptors<ScriptedDisk>,
}

impl Dir {
    fn new() -> Self {
        Self::on(ScriptedDisk::default())
    }

    fn on(disk: ScriptedDisk) -> Self {
        Self { temp: tempfile::tempdir().unwrap(), descriptors: Descriptors::new(disk, 10) }
    }

    /// A segment of `count` batches of three records.
    fn filled(&self, count: i64, payload: usize) -> Segment<ScriptedDisk> {
        let directory: Arc<Path> = self.temp.path().into();
        let mut segment = Segment::create(&self.descriptors, &directory, Offset(0), NOW).unwrap();
        for at in 0..count {
            segment.append(&batch(at * 3, payload), INTERVAL).unwrap();
        }
        segment
    }

    /// The same segment, of which nothing is remembered.
    fn reopened(&self, segment: Segment<ScriptedDisk>) -> Segment<ScriptedDisk> {
        self.reopened_with(segment, false)
    }

    /// The same, with an index of aborted transactions or without.
    fn reopened_with(
        &self,
        mut segment: Segment<ScriptedDisk>,
        transaction_index: bool,
    ) -> Segment<ScriptedDisk> {
        segment.finish().unwrap();
        let facts = SegmentFacts {
            size: segment.size(),
            modified: NOW,
            offset_index: true,
            time_index: true,
            transaction_index,
            largest: None,
        };
        Segment::open(&self.descriptors, &self.temp.path().into(), Offset(0), facts)
    }

    fn reads(&self) -> usize {
        self.descriptors.disk().count("pread", "")
    }
}

/// Reads in order as a consumer does, `length` bytes at a time; says how many preads each of that takes.
fn read_in_order(dir: &Dir, segment: &mut Segment<ScriptedDisk>, length: u32, batch_size: u32) -> f64 {
    let before = dir.reads();
    let (mut next, mut rounds) = (Offset(0), 0);
    while let Some((position, size)) = segment.find(next).unwrap() {
        assert_eq!((i64::from(position / batch_size) * 3, size), (next.0, batch_size), "{next}");
        let cut = (position + length).min(segment.size());
        let end = segment.batch_end_before(cut).filter(|end| *end > position + length / 2).unwrap_or(cut);
        next = Offset(i64::from(end / batch_size) * 3);
        rounds += 1;
    }
    assert_eq!(next.0, i64::from(segment.size() / batch_size) * 3);
    (dir.reads() - before) as f64 / f64::from(rounds)
}

/// As Kafka places them.
#[test]
fn an_index_entry_is_due_past_the_interval_and_not_at_it() {
    let dir = Dir::new();
    let mut segment = dir.filled(0, 0);
    let size = batch(0, 100).len() as u32;
    for (at, entries) in [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 1), (6, 2)] {
        segment.append(&batch(at * 3, 100), 2 * size).unwrap();
        assert_eq!(segment.indexes().offsets.entries().count().unwrap(), entries, "{at}");
    }
}

#[test]
fn what_was_appended_is_found_without_a_read_however_old() {
    let dir = Dir::new();
    let mut segment = dir.filled(5000, 1000);
    let size = batch(0, 1000).len() as u32;
    assert_eq!(read_in_order(&dir, &mut segment, size, size), 0.0);
    segment.finish().unwrap();
    assert_eq!(read_in_order(&dir, &mut segment, size, size), 0.0);
}

#[test]
fn old_records_are_read_in_order_with_few_reads() {
    for (payload, length, bound) in [(20, 8 << 10, 0.05), (1000, 64 << 10, 0.2), (22_000, 66_069, 0.1)] {
        let dir = Dir::new();
        let size = batch(0, payload).len() as u32;
        let length = length.max(size);
        let segment = dir.filled(i64::from(20_000_000 / size), payload);
        let mut segment = dir.reopened(segment);
        let reads = read_in_order(&dir, &mut segment, length, size);
        assert!(reads <= bound, "{reads} reads for each {length} bytes of batches of {size}");
    }
}

#[test]
fn large_reads_of_unknown_batches_look_near_the_last_ones() {
    let dir = Dir::new();
    let size = batch(0, 2000).len() as u32;
    let segment = dir.filled(20_000, 2000);
    let mut segment = dir.reopened(segment);
    let reads = read_in_order(&dir, &mut segment, 2 << 20, size);
    assert!(reads <= 3.0, "{reads} reads for each 2 MiB");
}

#[test]
fn an_index_that_contradicts_the_batches_is_made_anew() {
    let path = |dir: &Dir, suffix| dir.temp.path().join(format!("00000000000000000000{suffix}"));
    let offset_index = |dir: &Dir, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = std::fs::read(path(dir, ".index")).unwrap();
        change(&mut bytes);
        std::fs::write(path(dir, ".index"), bytes).unwrap();
    };
    type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);
    let damages: [Damage<'_>; 4] = [
        &|bytes| bytes.truncate(13),
        &|bytes| bytes.iter_mut().skip(7).step_by(8).for_each(|byte| *byte ^= 5),
        &|bytes| bytes.iter_mut().skip(4).step_by(8).for_each(|byte| *byte = 0x7f),
        &|bytes| bytes.iter_mut().skip(3).step_by(8).for_each(|byte| *byte = byte.wrapping_sub(3)),
    ];
    for (at, damage) in damages.into_iter().enumerate() {
        let dir = Dir::new();
        let size = batch(0, 2000).len() as u32;
        let segment = dir.filled(300, 2000);
        let mut segment = dir.reopened(segment);
        let young = Timestamp(NOW.0 + 899);
        let at_sound = segment.first_as_young(young, Offset::ZERO).unwrap();
        let sound = std::fs::read(path(&dir, ".index")).unwrap();
        let mut segment = dir.reopened(segment);
        offset_index(&dir, damage);
        let found = segment.find(Offset(601)).unwrap();
        assert_eq!(found, Some((200 * size, size)), "{at}");
        assert_eq!(segment.first_as_young(young, Offset::ZERO).unwrap(), at_sound, "{at}");
        assert_eq!(std::fs::read(path(&dir, ".index")).unwrap(), sound, "{at}");
    }
}

#[test]
fn an_entry_for_several_batches_stays() {
    let dir = Dir::new();
    let size = batch(0, 2000).len() as u32;
    let segment = dir.filled(300, 2000);
    let mut segment = dir.reopened(segment);
    let path = dir.temp.path().join("00000000000000000000.index");
    // Each entry as if the ten batches from its position on had been appended at once.
    let mut entries: Vec<u8> =
        std::fs::read(&path).unwrap().chunks(8).step_by(10).flatten().copied().collect();
    for entry in entries.chunks_mut(8) {
        let last = u32::from_be_bytes(*entry.first_chunk().unwrap()) + 27;
        entry[..4].copy_from_slice(&last.to_be_bytes());
    }
    std::fs::write(&path, &entries).unwrap();
    for target in 0..900_u32 {
        segment = dir.reopened(segment);
        let place = Some((target / 3 * size, size));
        assert_eq!(segment.find(Offset(i64::from(target))).unwrap(), place, "{target}");
        assert!(segment.position_for_offset(Offset(i64::from(target))).unwrap() <= target / 3 * size);
    }
    assert_eq!(std::fs::read(&path).unwrap(), entries);
}

#[test]
fn a_broken_batch_is_not_blamed_on_the_index() {
    let dir = Dir::new();
    let segment = dir.filled(300, 2000);
    let mut segment = dir.reopened(segment);
    let size = batch(0, 2000).len();
    let path = dir.temp.path().join("00000000000000000000.log");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100 * size + 8..100 * size + 12].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let fault = segment.find(Offset(301)).unwrap_err();
    assert!(matches!(&fault, Fault::Corrupt { path: wrong, .. } if *wrong == path), "{fault}");
}

/// What an append or the end of a segment asks of an index heals it as a look-up does.
#[test]
fn batches_come_to_a_segment_with_an_index_of_an_odd_length() {
    for (suffix, count) in [(".index", 10), (".index", 600), (".timeindex", 10), (".timeindex", 600)] {
        let dir = Dir::new();
        let mut segment = dir.filled(100, 2000);
        let largest = segment.largest().unwrap();
        segment.finish().unwrap();
        let facts = segment.facts(NOW);
        assert_eq!(facts.largest, Some(largest), "nobody need look into an index to know it");
        let mut segment = Segment::open(&dir.descriptors, &dir.temp.path().into(), Offset(0), facts);
        let path = dir.temp.path().join(format!("00000000000000000000{suffix}"));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        for at in 100..100 + count {
            segment.append(&batch(at * 3, 2000), INTERVAL).unwrap();
        }
        segment.finish().unwrap();
        let size = batch(0, 2000).len() as u32;
        let last = 100 + count - 1;
        let mut segment = dir.reopened(segment);
        assert_eq!(
            segment.find(Offset(last * 3)).unwrap(),
            Some((last as u32 * size, size)),
            "{suffix} {count}"
        );
        let youngest = segment.first_as_young(Timestamp(NOW.0 + last * 3 + 2), Offset::ZERO).unwrap();
        assert_eq!(youngest.map(|found| found.position), Some(last as u32 * size), "{suffix} {count}");
    }
}

#[test]
fn an_ended_segment_that_was_handed_to_be_synced_keeps_no_indexes() {
    let dir = Dir::new();
    let mut segment = dir.filled(100, 2000);
    assert_eq!(segment.dirty_files(true).unwrap().len(), 3);
    assert!(segment.indexes.is_some(), "it goes on");
    segment.finish().unwrap();
    assert_eq!(segment.dirty_files(true).unwrap().len(), 3);
    assert!(segment.indexes.is_none());
}

/// Whatever is known of the tail goes with it: entries that end in the batch that is cut at, too.
#[test]
fn a_cut_takes_along_what_was_indexed_and_remembered_of_the_tail() {
    for reopened in [false, true] {
        let dir = Dir::new();
        let mut segment = dir.filled(20, 2000);
        let aborted = |first: i64, last: i64| AbortedTransaction {
            producer_id: protocol::id::ProducerId(1),
            first_offset: Offset(first),
            last_offset: LastOffset(last),
            last_stable_offset: Offset(last + 1),
        };
        segment.abort(&aborted(0, 29));
        segment.abort(&aborted(3, 32));
        if reopened {
            segment = dir.reopened_with(segment, true);
            // What is known of the batches from a look at them is known no longer.
            assert!(
                segment.find(Offset(20)).unwrap().is_some() && segment.find(Offset(40)).unwrap().is_some()
            );
        }
        // The last offset of the eleventh batch, which goes as a whole.
        segment.truncate(Offset(32)).unwrap();
        // Each batch but the first has an entry.
        assert_eq!(segment.offset_index_entries().unwrap(), 9);
        assert_eq!(segment.time_index_entries().unwrap(), 9);
        assert_eq!(segment.read_next_offset().unwrap(), Offset(30));
        let size = batch(0, 2000).len() as u32;
        assert_eq!((segment.size(), segment.find(Offset(30)).unwrap()), (10 * size, None));
        let youngest = TimestampOffset { timestamp: Timestamp(NOW.0 + 29), offset: LastOffset(29) };
        assert_eq!(segment.largest().unwrap(), Some(youngest));
        let mut found = Vec::new();
        segment.collect_aborted(Offset(0), Offset(100), &mut found).unwrap();
        assert_eq!(found, [aborted(0, 29)]);
        segment.append(&batch(30, 100), INTERVAL).unwrap();
        let small = batch(30, 100).len() as u32;
        assert_eq!(segment.find(Offset(32)).unwrap(), Some((10 * size, small)), "not one that was there");
        assert_eq!(segment.find(Offset(33)).unwrap(), None);
    }
}

#[test]
fn what_counts_as_checked_is_what_was_read_or_written_and_nothing_in_between() {
    let dir = Dir::new();
    let segment = dir.filled(10, 100);
    let mut segment = dir.reopened(segment);
    let size = segment.size();
    assert!(!segment.is_checked(0, size) && !segment.is_checked(size - 1, size));
    segment.note_checked(0, 100);
    segment.note_checked(100, 200);
    assert!(segment.is_checked(0, 200) && !segment.is_checked(0, 201));
    segment.note_checked(300, 400);
    assert!(segment.is_checked(300, 400) && !segment.is_checked(200, 400));
    segment.append(&batch(30, 100), INTERVAL).unwrap();
    assert!(segment.is_checked(size, segment.size()) && !segment.is_checked(size - 1, segment.size()));
}

/// Kafka counts positions in 31 bits: a segment of which no more is left takes nothing, and finds what is in its last bytes.
#[test]
fn a_segment_ends_at_two_gibibytes() {
    let dir = Dir::new();
    let (one, last) = (batch(0, 100), batch(3, 100));
    let position = i32::MAX as u32 - last.len() as u32;
    let file = std::fs::File::create(dir.temp.path().join("00000000000000000000.log")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &one, 0).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &last, u64::from(position)).unwrap();
    let entry = [5_u32.to_be_bytes(), position.to_be_bytes()].concat();
    std::fs::write(dir.temp.path().join("00000000000000000000.index"), entry).unwrap();
    let largest = TimestampOffset { timestamp: Timestamp(NOW.0 + 5), offset: LastOffset(5) };
    let facts =
        |size| SegmentFacts { size, offset_index: true, largest: Some(Some(largest)), ..Default::default() };
    let open = |size| Segment::open(&dir.descriptors, &dir.temp.path().into(), Offset(0), facts(size));
    let mut full = open(i32::MAX as u32);
    assert_eq!(full.find(Offset(5)).unwrap(), Some((position, last.len() as u32)));
    let refused = full.append(&batch(6, 100), INTERVAL).unwrap_err();
    assert!(matches!(&refused, Fault::Mismatch { reason, .. } if reason.contains("2 GiB")), "{refused}");
    let mut nearly = open(position);
    nearly.append(&batch(3, 101), INTERVAL).unwrap_err();
    nearly.append(&last, INTERVAL).unwrap();
    assert_eq!(nearly.size(), i32::MAX as u32);
}

#[test]
fn of_batches_of_one_time_the_first_is_found_by_it() {
    let dir = Dir::new();
    let directory: Arc<Path> = dir.temp.path().into();
    let mut segment = Segment::create(&dir.descriptors, &directory, Offset(0), NOW).unwrap();
    for base in 0..100 {
        let mut builder =
            BatchBuilder::new(BatchOptions { base_offset: Offset(base), ..BatchOptions::default() });
        // Ten batches of each time.
        builder.push(Timestamp(NOW.0 + base / 10), None, Some(&[b'x'; 2000]), &[]);
        segment.append(&builder.finish_uncompressed(), INTERVAL).unwrap();
    }
    let size = segment.size() / 100;
    for _ in 0..2 {
        let youngest = TimestampOffset { timestamp: Timestamp(NOW.0 + 9), offset: LastOffset(90) };
        assert_eq!(segment.largest().unwrap(), Some(youngest));
        for time in 0..10 {
            let found = segment.first_as_young(Timestamp(NOW.0 + time), Offset::ZERO).unwrap();
            assert_eq!(found.map(|found| found.position), Some(time as u32 * 10 * size), "{time}");
        }
        segment = dir.reopened(segment);
    }
}
