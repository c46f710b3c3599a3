//! Cleanings of real logs: against a model that holds every record there ever was, with a process killed at every call,
//! and with the ground pulled away.

mod beside;
mod formats;
mod interference;
mod kills;
mod model;
mod no_room;
mod swaps;

use std::sync::{Arc, Mutex};

use partition::compaction::CompactionRules;
use partition::segments::RollRules;
use partition::{Append, Millis, Origin, Scratch, Verification};
use protocol::id::{LeaderEpoch, NodeId, PartitionIndex, ProducerEpoch, ProducerId, Sequence, Uuid};
use protocol::records::batches::Batches;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::{Codec, Compressors};
use protocol::records::control::{CoordinatorEpoch, EndMarker};
use protocol::records::rebuild::{RecordReader, timestamp_of};

use super::*;
use crate::descriptors::Descriptors;
use crate::group_commit::{Done, Ticket};
use crate::log::{Appended, Checkpoints, Log};
use crate::log_directory::LogDirectory;
use crate::log_dirs::locked;
use crate::names::TopicPartition;
use crate::whole_file::read_up_to;

pub(super) const NOW: Timestamp = Timestamp(1_700_000_000_000);
const EPOCH: LeaderEpoch = LeaderEpoch(3);
pub(super) const RETENTION: i64 = 1000;
/// So many files of logs may be open.
pub(super) const OPEN_MAX: usize = 40;

/// Somebody in no hurry.
pub(super) struct Freely;

impl Pace for Freely {
    fn go_on(&mut self, _bytes: u64) -> bool {
        true
    }
}

/// A directory with one compacted log.
pub(super) struct Bench<D: Disk> {
    pub(super) temp: tempfile::TempDir,
    home: Arc<LogDirectory<D>>,
    pub(super) config: LogConfig,
}

impl<D: Disk> Bench<D> {
    pub(super) fn new(disk: D) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let home = Self::home(temp.path(), disk);
        let roll = RollRules { segment_bytes: 2000, ..LogConfig::default().roll };
        let compaction =
            CompactionRules { compact: true, delete_retention: Millis(RETENTION), ..Default::default() };
        let mut config = LogConfig { roll, compaction, index_interval_bytes: 150, ..LogConfig::default() };
        config.retention.delete = false;
        config.append.compacted = true;
        Self { temp, home, config }
    }

    fn home(path: &Path, disk: D) -> Arc<LogDirectory<D>> {
        Arc::new(LogDirectory::start(path, Uuid([7; 16]), Descriptors::new(disk, OPEN_MAX), 0).unwrap())
    }

    fn name() -> TopicPartition {
        TopicPartition::new("t", PartitionIndex(0))
    }

    pub(super) fn create(&self) -> SharedLog<D> {
        let config = Arc::new(self.config.clone());
        let log = Log::create(Arc::clone(&self.home), Self::name(), Uuid([1; 16]), config, NOW).unwrap();
        lead(log)
    }

    /// Opens the log as after a kill, on another disk: everything is read again from the front.
    pub(super) fn reopen<E: Disk>(&self, disk: E, high_watermark: Offset) -> SharedLog<E> {
        self.reopen_from(disk, high_watermark, Offset::ZERO)
    }

    /// The same from a recovery point on.
    pub(super) fn reopen_from<E: Disk>(
        &self,
        disk: E,
        high_watermark: Offset,
        recovery_point: Offset,
    ) -> SharedLog<E> {
        let home = Bench::<E>::home(self.temp.path(), disk);
        let checkpoints = Checkpoints {
            clean: false,
            recovery_point,
            log_start: Offset::ZERO,
            high_watermark,
            cleaned_to: None,
        };
        let (name, config) = (Self::name(), Arc::new(self.config.clone()));
        let opened = Log::open(home, (name, Some(Uuid([1; 16]))), config, checkpoints, NOW).unwrap();
        assert_eq!(opened.cut, None);
        lead(opened.log)
    }
}

fn lead<D: Disk>(mut log: Log<D>) -> SharedLog<D> {
    log.become_leader(EPOCH, NodeId(1), 1, [NodeId(1)]).unwrap();
    Arc::new(Mutex::new(log))
}

/// A record as a reader sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Stored {
    pub(super) offset: i64,
    pub(super) timestamp: i64,
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) producer: i64,
    pub(super) transactional: bool,
}

/// What one producer sends: key and value, in order.
pub(super) type Sent<'a> = &'a [(&'a str, Option<&'a str>)];

pub(super) fn batch(sent: Sent<'_>, codec: Codec, producer: (i64, i32, bool)) -> Vec<u8> {
    let (id, sequence, transactional) = producer;
    let epoch = ProducerEpoch(if id < 0 { -1 } else { 0 });
    let mut builder = BatchBuilder::new(BatchOptions {
        compression: codec.into(),
        producer: (ProducerId(id), epoch, Sequence(sequence)),
        transactional,
        ..BatchOptions::default()
    });
    for (index, (key, value)) in sent.iter().enumerate() {
        let timestamp = Timestamp(NOW.0 - index as i64);
        builder.push(timestamp, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
    }
    builder.finish(&mut Compressors::default()).unwrap()
}

pub(super) fn append<D: Disk>(log: &SharedLog<D>, mut bytes: Vec<u8>) -> Offset {
    let origin = Origin::Client { zstd: true, verification: Verification::NotRequired };
    append_from(log, origin, &mut bytes)
}

fn append_from<D: Disk>(log: &SharedLog<D>, origin: Origin, bytes: &mut [u8]) -> Offset {
    let append = Append { origin, leader_epoch: EPOCH, now: NOW };
    match locked(log).append(append, bytes, &mut Scratch::default()).unwrap() {
        Appended::Written(written) => written.base_offset,
        Appended::Duplicate(duplicate) => panic!("{duplicate:?}"),
    }
}

pub(super) fn put<D: Disk>(log: &SharedLog<D>, sent: Sent<'_>) -> Offset {
    append(log, batch(sent, Codec::None, (-1, -1, false)))
}

pub(super) fn mark<D: Disk>(log: &SharedLog<D>, producer: i64, committed: bool) {
    let marker = EndMarker { committed, coordinator_epoch: CoordinatorEpoch(0) };
    let mut bytes = marker.batch(ProducerId(producer), ProducerEpoch(0), EPOCH, NOW);
    let transaction_version = partition::producers::TransactionVersion(1);
    let verification = Verification::NotRequired;
    append_from(log, Origin::Coordinator { transaction_version, verification }, &mut bytes);
}

pub(super) fn roll<D: Disk>(log: &SharedLog<D>) {
    locked(log).roll(NOW).unwrap();
}

/// Has all of it on stable storage: the calls of the background must not be counted among those of the cleaner.
pub(super) fn flush<D: Disk>(log: &SharedLog<D>) {
    let (done, flushed) = std::sync::mpsc::channel();
    let tell = move |outcome| drop(done.send(outcome));
    locked(log).flush(NOW, Box::new(tell)).unwrap();
    flushed.recv().unwrap().unwrap();
}

/// Returns once all that was handed to the background is done, and it holds no file any more.
pub(super) fn wait_for_background<D: Disk>(log: &SharedLog<D>) {
    let (done, waited) = std::sync::mpsc::channel();
    let done: Done = Box::new(move |outcome| drop(done.send(outcome)));
    let home = Arc::clone(locked(log).home());
    home.background().submit(Ticket { files: Vec::new(), directories: Vec::new(), done });
    waited.recv().unwrap().unwrap();
}

pub(super) const OPTIONS: CleanerOptions =
    CleanerOptions { map_bytes: 1 << 20, map_load: 0.9, buffer_bytes: 512 };

/// Cleans what there is to clean, whether it is due or not.
pub(super) fn clean<D: Disk>(
    log: &SharedLog<D>,
    options: CleanerOptions,
    now: Timestamp,
) -> Result<Option<Cleaned>, CleanError> {
    let cleanable = locked(log).cleanable(now)?;
    let Some(cleanable) = cleanable else { return Ok(None) };
    Cleaner::new(options).clean(log, &cleanable, now, &mut Freely)
}

/// All bytes of the log's batches, read as a follower does.
pub(super) fn bytes<D: Disk>(log: &SharedLog<D>) -> Vec<u8> {
    let mut log = locked(log);
    let disk = log.home().disk().clone();
    let marks = log.partition().watermarks();
    let (mut all, mut from) = (Vec::new(), marks.log_start);
    loop {
        let slice = log.read(from, marks.log_end, 1 << 20, true).unwrap();
        if slice.length == 0 {
            return all;
        }
        let start = all.len();
        all.resize(start + slice.length as usize, 0);
        assert_eq!(
            read_up_to(&disk, &slice.file, &mut all[start..], slice.position).unwrap(),
            slice.length as usize
        );
        let before = from;
        from = Batches::new(&all[start..]).last().unwrap().header.next_offset();
        assert!(from > before, "readers go on behind a batch, never behind a record (KAFKA-9065)");
    }
}

/// Every record of data in the log, aborted ones too.
pub(super) fn stored<D: Disk>(log: &SharedLog<D>) -> Vec<Stored> {
    let (bytes, mut all) = (bytes(log), Vec::new());
    let mut reader = RecordReader::default();
    for batch in Batches::new(&bytes) {
        batch.verify_crc().unwrap();
        let header = batch.header;
        if header.attributes.is_control() {
            continue;
        }
        let see = |record: &protocol::records::record::Record<'_>| {
            all.push(Stored {
                offset: header.base_offset.0 + i64::from(record.offset_delta),
                timestamp: timestamp_of(&header, record).0,
                key: record.key.unwrap_or_default().to_vec(),
                value: record.value.map(<[u8]>::to_vec),
                producer: header.producer_id.0,
                transactional: header.attributes.is_transactional(),
            });
            Ok(())
        };
        reader.each(&batch, 1 << 30, see).unwrap();
    }
    all
}

/// What `stored` comes to in few words: offset and key=value of each.
pub(super) fn summary<D: Disk>(log: &SharedLog<D>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let word = |record: &Stored| {
        let value = record.value.as_deref().map_or("-".to_owned(), text);
        format!("{}:{}={value}", record.offset, text(&record.key))
    };
    stored(log).iter().map(word).collect::<Vec<_>>().join(" ")
}

/// The headers of the log's batches: base offset, last offset, count, delete horizon.
pub(super) fn headers<D: Disk>(log: &SharedLog<D>) -> Vec<(i64, i64, i32, Option<i64>)> {
    let header = |batch: protocol::records::batches::Batch<'_>| {
        let header = batch.header;
        let horizon = header.attributes.has_delete_horizon().then_some(header.base_timestamp.0);
        (header.base_offset.0, header.last_offset().0, header.count, horizon)
    };
    Batches::new(&bytes(log)).map(header).collect()
}

#[test]
fn of_each_key_the_last_value_stays_and_no_offset_changes() {
    for codec in Codec::ALL {
        let bench = Bench::new(crate::disk::RealDisk);
        let log = bench.create();
        let send = |sent: Sent<'_>| append(&log, batch(sent, codec, (-1, -1, false)));
        send(&[("a", Some("1")), ("b", Some("1")), ("c", Some("1"))]);
        send(&[("a", Some("2")), ("d", Some("1"))]);
        roll(&log);
        send(&[("b", Some("2")), ("a", Some("3"))]);
        roll(&log);
        send(&[("a", Some("4"))]);
        let cleaned = clean(&log, OPTIONS, NOW).unwrap().unwrap();
        assert_eq!(summary(&log), "2:c=1 4:d=1 5:b=2 6:a=3 7:a=4", "{codec}");
        assert_eq!(headers(&log), [(0, 2, 1, None), (3, 4, 1, None), (5, 6, 2, None), (7, 7, 1, None)]);
        assert_eq!((cleaned.end, locked(&log).cleaned_to()), (Offset(7), Some(Offset(7))));
        assert_eq!(locked(&log).segment_count(), 2, "two small segments have become one");
        assert_eq!(locked(&log).partition().watermarks().log_end, Offset(8));
        assert!(cleaned.bytes_written < cleaned.bytes_read);
        let again = bench.reopen(crate::disk::RealDisk, Offset(8));
        assert_eq!(summary(&again), "2:c=1 4:d=1 5:b=2 6:a=3 7:a=4");
    }
}

#[test]
fn tombstones_stay_until_their_horizon() {
    let bench = Bench::new(crate::disk::RealDisk);
    let log = bench.create();
    put(&log, &[("a", Some("1")), ("b", Some("1"))]);
    put(&log, &[("a", None)]);
    put(&log, &[("z", Some("1"))]);
    roll(&log);
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    assert_eq!(summary(&log), "1:b=1 2:a=- 3:z=1");
    let horizon = Some(NOW.0 + RETENTION);
    assert_eq!(headers(&log)[1], (2, 2, 1, horizon));
    for (later, expected) in [(RETENTION - 1, "1:b=1 2:a=- 3:z=1 4:z=2"), (RETENTION, "1:b=1 4:z=2 5:z=3")] {
        put(&log, &[("z", Some(if later == RETENTION { "3" } else { "2" }))]);
        roll(&log);
        clean(&log, OPTIONS, Timestamp(NOW.0 + later)).unwrap().unwrap();
        let expected = expected.replace("3:z=1 ", "").replace("4:z=2 5", "5");
        assert_eq!(summary(&log), expected, "{later} ms later");
        assert!(headers(&log).iter().all(|header| header.3.is_none_or(|at| Some(at) == horizon)));
    }
}

/// A batch is written anew each time one of its records goes, and its tombstones are none the younger for that.
#[test]
fn tombstones_keep_their_horizon_however_often_their_batch_is_written_anew() {
    let bench = Bench::new(crate::disk::RealDisk);
    let log = bench.create();
    put(&log, &[("a", Some("1"))]);
    put(&log, &[("a", None), ("b", Some("1")), ("c", Some("1"))]);
    put(&log, &[("z", Some("1"))]);
    roll(&log);
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    let horizon = Some(NOW.0 + RETENTION);
    for (later, key, left) in [(1, "b", 2), (RETENTION - 1, "c", 1)] {
        put(&log, &[(key, Some("2"))]);
        roll(&log);
        clean(&log, OPTIONS, Timestamp(NOW.0 + later)).unwrap().unwrap();
        assert_eq!(headers(&log)[0], (1, 3, left, horizon), "{later} ms later");
    }
    put(&log, &[("z", Some("2"))]);
    roll(&log);
    clean(&log, OPTIONS, Timestamp(NOW.0 + RETENTION)).unwrap().unwrap();
    assert_eq!(summary(&log), "5:b=2 6:c=2 7:z=2");
}

/// The log's end is the end of its last batch to all who read nothing else of it.
#[test]
fn the_last_batch_of_all_stays_though_nothing_in_it_does() {
    let mut bench = Bench::new(crate::disk::RealDisk);
    bench.config.append.compacted = false;
    let log = bench.create();
    put(&log, &[("a", Some("1"))]);
    // From before the topic was compacted there are records without a key.
    for _ in 0..2 {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        builder.push(NOW, None, Some(b"of nobody"), &[]);
        append(&log, builder.finish(&mut Compressors::default()).unwrap());
    }
    roll(&log);
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    assert_eq!(headers(&log), [(0, 0, 1, None), (2, 2, 0, None)]);
}

#[test]
fn a_full_map_cleans_what_it_has_seen() {
    let bench = Bench::new(crate::disk::RealDisk);
    let log = bench.create();
    let keys: Vec<String> = (0..10).map(|key| format!("k{key}")).collect();
    for round in ["1", "2"] {
        let sent: Vec<_> = keys.iter().map(|key| (key.as_str(), Some(round))).collect();
        put(&log, &sent);
    }
    roll(&log);
    let small = CleanerOptions { map_bytes: 7 * 24, map_load: 0.9, ..OPTIONS };
    // Six of the ten keys fit: the map ends in the middle of a batch, and the next cleaning begins there.
    let mut ends = Vec::new();
    while locked(&log).cleaned_to() < Some(Offset(20)) {
        ends.push(clean(&log, small, NOW).unwrap().unwrap().end.0);
        let last: Vec<_> = stored(&log).into_iter().filter(|record| record.offset >= 10).collect();
        assert_eq!(last.len(), 10, "the newest records are all there");
    }
    assert_eq!(ends, [6, 12, 18, 20]);
    assert_eq!(stored(&log).len(), 10);
}

#[test]
fn aborted_records_go_and_markers_stay_as_long_as_anything_of_theirs() {
    let bench = Bench::new(crate::disk::RealDisk);
    let log = bench.create();
    append(&log, batch(&[("a", Some("1"))], Codec::None, (7, 0, true)));
    mark(&log, 7, true);
    append(&log, batch(&[("a", Some("no")), ("b", Some("no"))], Codec::Lz4, (7, 1, true)));
    roll(&log);
    mark(&log, 7, false);
    append(&log, batch(&[("c", Some("1"))], Codec::None, (8, 0, true)));
    mark(&log, 8, true);
    roll(&log);
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    assert_eq!(summary(&log), "0:a=1 5:c=1");
    // The aborted batch is the last of producer 7 and stays without its records; so its marker stays, and its entry.
    assert_eq!(
        headers(&log),
        [
            (0, 0, 1, None),
            (1, 1, 1, None),
            (2, 3, 0, None),
            (4, 4, 1, None),
            (5, 5, 1, None),
            (6, 6, 1, None)
        ]
    );
    assert_eq!(locked(&log).aborted_between(Offset(0), Offset(7)).unwrap().len(), 1);
    // Once the producer has gone on the batch goes, and only the cleaning after that finds the marker alone.
    append(&log, batch(&[("d", Some("1"))], Codec::None, (7, 3, false)));
    roll(&log);
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    assert_eq!(headers(&log)[2], (4, 4, 1, None));
    assert_eq!(locked(&log).aborted_between(Offset(0), Offset(7)).unwrap().len(), 1);
    put(&log, &[("e", Some("0"))]);
    roll(&log);
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    assert_eq!(headers(&log)[2], (4, 4, 1, Some(NOW.0 + RETENTION)));
    assert_eq!(locked(&log).aborted_between(Offset(0), Offset(7)).unwrap(), []);
    put(&log, &[("e", Some("1"))]);
    roll(&log);
    clean(&log, OPTIONS, Timestamp(NOW.0 + RETENTION)).unwrap().unwrap();
    assert!(headers(&log).iter().all(|header| header.0 != 4), "{:?}", headers(&log));
    assert_eq!(summary(&log), "0:a=1 5:c=1 7:d=1 9:e=1");
}

#[test]
fn what_a_cleaning_leaves_is_sound_to_who_reads_it_whole() {
    let bench = Bench::new(crate::disk::RealDisk);
    let log = bench.create();
    let filler = "v".repeat(100);
    for round in 0..12 {
        let records = [("a", Some(filler.as_str())), ("b", None), ("c", Some("1"))];
        append(&log, batch(&records, Codec::ALL[round % 5], (-1, -1, false)));
        append(&log, batch(&[("d", Some("no"))], Codec::None, (7, round as i32, true)));
        mark(&log, 7, round % 2 == 0);
        if round % 3 == 2 {
            roll(&log);
        }
    }
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    clean(&log, OPTIONS, Timestamp(NOW.0 + RETENTION)).unwrap();
    locked(&log).close().unwrap();
    let mut report = crate::verify::Report::default();
    let directory = bench.temp.path().join("t-0");
    crate::verify::verify_log(&crate::disk::RealDisk, &directory, &mut report, &mut |_| ()).unwrap();
    assert_eq!(report.problems, []);
    assert!(report.batches > 3);
}

#[test]
fn a_broken_batch_is_not_written_anew_and_the_log_is_passed_over() {
    let bench = Bench::new(crate::disk::RealDisk);
    let log = bench.create();
    put(&log, &[("a", Some("1"))]);
    put(&log, &[("a", Some("2"))]);
    roll(&log);
    let path = bench.temp.path().join("t-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = clean(&log, OPTIONS, NOW).unwrap_err();
    assert!(matches!(&error, CleanError::Fault(Fault::Corrupt { .. })), "{error}");
    let reason = locked(&log).uncleanable().unwrap().to_owned();
    assert!(reason.contains("00000000000000000000.log is corrupt at byte"), "{reason}");
    assert_eq!(locked(&log).cleanable(NOW).unwrap(), None);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    let names: Vec<_> = std::fs::read_dir(bench.temp.path().join("t-0")).unwrap().collect();
    assert!(names.iter().all(|name| !format!("{name:?}").contains(".cleaned")), "{names:?}");
}

#[test]
fn batches_larger_than_any_buffer_or_limit_are_cleaned() {
    // KAFKA-6834: max.message.bytes was lowered after the batch came.
    let mut bench = Bench::new(crate::disk::RealDisk);
    bench.config.roll.segment_bytes = 1 << 20;
    let log = bench.create();
    let large = "x".repeat(100_000);
    put(&log, &[("a", Some("1")), ("b", Some(&large))]);
    put(&log, &[("a", Some("2"))]);
    roll(&log);
    let mut config = bench.config.clone();
    config.append.max_message_bytes = 100;
    locked(&log).set_config(Arc::new(config));
    clean(&log, OPTIONS, NOW).unwrap().unwrap();
    assert_eq!(stored(&log).len(), 2);
}
