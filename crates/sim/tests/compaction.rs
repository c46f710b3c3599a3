//! The power cut at every change that a compaction makes to the disk, with every fate of what was not synced: what opens
//! holds the last value of every key, nothing twice, nothing out of order, and can be compacted to the end.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use partition::compaction::CompactionRules;
use partition::segments::RollRules;
use partition::{Append, Origin, Scratch, Verification};
use protocol::id::{
    LeaderEpoch, NodeId, PartitionIndex, ProducerEpoch, ProducerId, Sequence, Timestamp, Uuid,
};
use protocol::offset::Offset;
use protocol::records::batches::Batches;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::control::{CoordinatorEpoch, EndMarker};
use protocol::records::rebuild::RecordReader;
use sim::{Fate, SimulatedDisk};
use storage::cleaner::{CleanError, Cleaned, Cleaner, CleanerOptions, Pace};
use storage::descriptors::Descriptors;
use storage::disk::Disk;
use storage::log::{Checkpoints, Log};
use storage::log_directory::LogDirectory;
use storage::{LogConfig, SharedLog, TopicPartition};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const EPOCH: LeaderEpoch = LeaderEpoch(3);
const DIRECTORY: &str = "/data";

struct Freely;

impl Pace for Freely {
    fn go_on(&mut self, _bytes: u64) -> bool {
        true
    }
}

fn home(disk: &SimulatedDisk) -> Arc<LogDirectory<SimulatedDisk>> {
    let descriptors = Descriptors::new(disk.clone(), 6);
    Arc::new(LogDirectory::start(Path::new(DIRECTORY), Uuid([7; 16]), descriptors, 0).unwrap())
}

fn config() -> Arc<LogConfig> {
    let mut config = LogConfig::default();
    config.roll = RollRules { segment_bytes: 2500, ..config.roll };
    config.index_interval_bytes = 150;
    config.retention.delete = false;
    config.append.compacted = true;
    config.compaction = CompactionRules { compact: true, ..CompactionRules::default() };
    Arc::new(config)
}

fn name() -> TopicPartition {
    TopicPartition::new("t", PartitionIndex(0))
}

fn shared(mut log: Log<SimulatedDisk>) -> SharedLog<SimulatedDisk> {
    log.become_leader(EPOCH, NodeId(1), 1, [NodeId(1)]).unwrap();
    Arc::new(Mutex::new(log))
}

fn append(log: &SharedLog<SimulatedDisk>, origin: Origin, mut bytes: Vec<u8>) {
    let append = Append { origin, leader_epoch: EPOCH, now: NOW };
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.append(append, &mut bytes, &mut Scratch::default()).unwrap();
}

fn batch(records: &[(&str, &str)], producer: Option<i32>) -> Vec<u8> {
    let none = BatchOptions::default();
    let of = |sequence| (ProducerId(7), ProducerEpoch(0), Sequence(sequence));
    let mut builder = BatchBuilder::new(BatchOptions {
        producer: producer.map_or(none.producer, of),
        transactional: producer.is_some(),
        ..none
    });
    for (key, value) in records {
        builder.push(NOW, Some(key.as_bytes()), Some(value.as_bytes()), &[]);
    }
    builder.finish_uncompressed()
}

/// A log of several segments, all of it on stable storage, with the transactions of one producer aborted.
fn fill(disk: &SimulatedDisk) -> SharedLog<SimulatedDisk> {
    disk.create_dir(Path::new(DIRECTORY)).unwrap();
    disk.fsync_dir(Path::new("/")).unwrap();
    let home = home(disk);
    let log = shared(Log::create(Arc::clone(&home), name(), Uuid([1; 16]), config(), NOW).unwrap());
    let client = Origin::Client { zstd: true, verification: Verification::NotRequired };
    let transaction_version = partition::producers::TransactionVersion(1);
    let coordinator = Origin::Coordinator { transaction_version, verification: Verification::NotRequired };
    let filler = "v".repeat(300);
    for round in 0..5 {
        for key in ["a", "b", "c"] {
            append(&log, client, batch(&[(key, &format!("{key}{round}{filler}")), ("same", key)], None));
        }
        append(&log, client, batch(&[("a", "aborted"), ("t", "aborted")], Some(2 * round)));
        let marker = EndMarker { committed: false, coordinator_epoch: CoordinatorEpoch(0) };
        append(&log, coordinator, marker.batch(ProducerId(7), ProducerEpoch(0), EPOCH, NOW));
        log.lock().unwrap().roll(NOW).unwrap();
    }
    let mut held = log.lock().unwrap();
    held.flush(NOW, Box::new(|outcome| outcome.unwrap())).unwrap();
    drop(held);
    while home.background().step() {}
    assert_eq!(log.lock().unwrap().recovery_point(), Offset(45));
    log
}

fn clean(log: &SharedLog<SimulatedDisk>) -> Result<Option<Cleaned>, CleanError> {
    let cleanable = log.lock().unwrap_or_else(PoisonError::into_inner).cleanable(NOW)?;
    let Some(cleanable) = cleanable else { return Ok(None) };
    let options = CleanerOptions { map_bytes: 1 << 16, map_load: 0.9, buffer_bytes: 700 };
    Cleaner::new(options).clean(log, &cleanable, NOW, &mut Freely)
}

fn open(disk: &SimulatedDisk, recovery_point: Offset) -> SharedLog<SimulatedDisk> {
    let log = open_wherever_it_ends(disk, recovery_point);
    assert_eq!(log.lock().unwrap().partition().watermarks().log_end, Offset(45), "the end is where it was");
    log
}

fn open_wherever_it_ends(disk: &SimulatedDisk, recovery_point: Offset) -> SharedLog<SimulatedDisk> {
    let checkpoints = Checkpoints {
        clean: false,
        recovery_point,
        log_start: Offset::ZERO,
        high_watermark: Offset(45),
        cleaned_to: None,
    };
    let opened = Log::open(home(disk), (name(), Some(Uuid([1; 16]))), config(), checkpoints, NOW).unwrap();
    shared(opened.log)
}

/// Offset, key and value of every record, and whether its transaction was aborted.
type Records = BTreeMap<i64, (Vec<u8>, Vec<u8>, bool)>;

fn records(disk: &SimulatedDisk, log: &SharedLog<SimulatedDisk>) -> Records {
    let mut log = log.lock().unwrap();
    let end = log.partition().watermarks().log_end;
    let aborted = log.aborted_between(Offset::ZERO, end).unwrap();
    let (mut from, mut all, mut reader) = (Offset::ZERO, Records::new(), RecordReader::default());
    loop {
        let slice = log.read(from, end, 1 << 20, true).unwrap();
        if slice.length == 0 {
            return all;
        }
        let mut bytes = vec![0; slice.length as usize];
        assert_eq!(disk.pread(&slice.file, &mut bytes, slice.position).unwrap(), bytes.len());
        for batch in Batches::new(&bytes) {
            batch.verify_crc().unwrap();
            assert!(batch.header.base_offset >= from, "offsets only go up");
            from = batch.header.next_offset();
            if batch.header.attributes.is_control() {
                continue;
            }
            let transactional = batch.header.attributes.is_transactional();
            let see = |record: &protocol::records::record::Record<'_>| {
                let offset = batch.header.base_offset.0 + i64::from(record.offset_delta);
                let named = aborted.iter().any(|it| it.first_offset.0 <= offset && offset < it.last_offset.0);
                assert_eq!(named, transactional, "the transaction index knows what was aborted");
                let (key, value) = (record.key.unwrap().to_vec(), record.value.unwrap().to_vec());
                all.insert(offset, (key, value, transactional));
                Ok(())
            };
            reader.each(&batch, 1 << 20, see).unwrap();
        }
    }
}

fn last_values(records: &Records) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let committed = records.values().filter(|(_, _, aborted)| !aborted);
    committed.map(|(key, value, _)| (key.clone(), value.clone())).collect()
}

#[test]
fn the_power_may_go_at_any_change_of_a_compaction() {
    let disk = SimulatedDisk::default();
    let log = fill(&disk);
    let old = records(&disk, &log);
    let before = disk.changes();
    clean(&log).unwrap().unwrap();
    let (changes, new) = (disk.changes(), records(&disk, &log));
    assert!(changes - before > 60 && new.len() < old.len() / 3, "{} changes, {new:?}", changes - before);
    let (mut olds, mut news) = (0, 0);
    for at in before..changes {
        for (seed, fate) in Fate::ALL.into_iter().enumerate() {
            let disk = SimulatedDisk::default();
            let log = fill(&disk);
            disk.cut_at(at);
            clean(&log).unwrap_err();
            drop(log);
            let disk = disk.power_on(fate, at * 4 + seed as u64);
            // What the checkpoint on disk says may be older than what is on stable storage.
            let log = open(&disk, if seed % 2 == 0 { Offset(45) } else { Offset(9) });
            let found = records(&disk, &log);
            let what = format!("cut at {at} of {before} to {changes}, {fate:?}");
            assert_eq!(last_values(&found), last_values(&old), "{what}");
            assert!(found.iter().all(|record| old.get(record.0) == Some(record.1)), "{what}");
            (olds, news) = (olds + usize::from(found == old), news + usize::from(found == new));
            let left: Vec<PathBuf> = disk
                .list(&Path::new(DIRECTORY).join("t-0"))
                .unwrap()
                .into_iter()
                .map(|entry| entry.name.into())
                .filter(|path: &PathBuf| path.extension().is_some_and(|it| it == "cleaned" || it == "swap"))
                .collect();
            assert!(left.is_empty(), "{what}: {left:?}");
            clean(&log).unwrap().unwrap();
            assert_eq!(records(&disk, &log), new, "{what}");
        }
    }
    assert!(olds > 50 && news > 5, "{olds} found the old log, {news} the new one");
}

#[test]
fn what_is_newer_is_on_stable_storage_before_what_is_older_goes() {
    let client = Origin::Client { zstd: true, verification: Verification::NotRequired };
    let filled = || {
        let disk = SimulatedDisk::default();
        let log = fill(&disk);
        // So much that no older segment is cleaned together with theirs.
        let newest = "newest".repeat(70);
        append(&log, client, batch(&["a", "b", "c", "same"].map(|key| (key, newest.as_str())), None));
        // The thread that would sync it has had no turn.
        log.lock().unwrap().roll(NOW).unwrap();
        (disk, log)
    };
    let (disk, log) = filled();
    let before = disk.changes();
    clean(&log).unwrap().unwrap();
    for at in before..disk.changes() {
        for (seed, fate) in Fate::ALL.into_iter().enumerate() {
            let (disk, log) = filled();
            disk.cut_at(at);
            clean(&log).unwrap_err();
            drop(log);
            let disk = disk.power_on(fate, at * 6 + seed as u64);
            let log = open_wherever_it_ends(&disk, Offset(45));
            let found = last_values(&records(&disk, &log));
            for key in ["a", "b", "c", "same"] {
                assert!(
                    found.contains_key(key.as_bytes()),
                    "cut at {at}, {fate:?}: no value of {key} is left"
                );
            }
        }
    }
}
