//! Directories of the years before 0.11, with messages of formats v0 and v1, as Apache Kafka 2.8.2 still wrote them.
//!
//! `old/killed` is a log directory after kill -9, `old/clean` the same after Kafka has recovered it and ended cleanly. In
//! `v0`, `v1` and `v1-stamped` ten records each came uncompressed, as gzip, as snappy and as lz4; `mixed` went through all
//! three formats. Record n has timestamp `timestamp(n)`, every fifth no key and every seventh no value.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use partition::fetch::{FetchFrom, Isolation};
use partition::{Append, Origin, Scratch, Verification};
use protocol::id::{BrokerEpoch, LeaderEpoch, NodeId, PartitionIndex, Timestamp};
use protocol::offset::Offset;
use protocol::records::batch::{BatchHeader, LOG_OVERHEAD, MAGIC_V2, TimestampType, magic};
use protocol::records::batches::Batches;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::{Codec, Decompressors};
use protocol::records::legacy::{LegacyError, LegacyScratch, each_record};
use protocol::records::record::Records;
use storage::log::FoundOffset;
use storage::log_dirs::Placement;
use storage::{Log, LogConfig, LogDirs, LogDirsConfig, RealDisk, SharedLog, TopicPartition};

const NOW: Timestamp = Timestamp(1_795_249_400_000);
const T0: i64 = 1_700_000_000_000;
const TOPICS: [(&str, i64); 4] = [("v0", 40), ("v1", 40), ("v1-stamped", 40), ("mixed", 60)];

/// Offset, timestamp, key, value, format.
type Read = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, i8);

/// A copy of the old partitions in a log directory of today.
fn directory(name: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let cluster = "q7BYUm_3RB63eZmaB98g0Q";
    storage::log_dirs::format(&RealDisk, directory.path(), (cluster, NodeId(1)), Timestamp(1)).unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/old").join(name);
    copy(&golden, directory.path());
    directory
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target: PathBuf = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            // Kafka 4 has another form of it, which says the directory's id.
            false if entry.file_name() == "meta.properties" => {}
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

fn open(directory: &Path) -> LogDirs {
    open_all(vec![directory.to_owned()])
}

fn open_all(directories: Vec<PathBuf>) -> LogDirs {
    let config = LogDirsConfig {
        directories,
        node_id: NodeId(1),
        cluster_id: None,
        open_files_max: 100,
        recovery_threads: 2,
        batch_positions_bytes: 1 << 20,
        reserve_bytes: 0,
    };
    let dirs = LogDirs::open(RealDisk, &config, NOW).unwrap();
    let topic = Arc::new(LogConfig { index_interval_bytes: 100, ..LogConfig::default() });
    let report = dirs.load(|_, _| Placement::Here(Arc::clone(&topic)), NOW);
    assert!(report.failed.is_empty(), "{report:?}");
    dirs
}

fn log(dirs: &LogDirs, topic: &str) -> SharedLog {
    dirs.get(&TopicPartition::new(topic, PartitionIndex(0))).unwrap()
}

fn lead(log: &mut Log) {
    log.become_leader(LeaderEpoch(3), NodeId(1), 1, [NodeId(1)]).unwrap();
}

fn timestamp(n: i64) -> i64 {
    T0 + n * 10 - n % 3
}

fn written(n: i64) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let key = (n % 5 != 0).then(|| format!("key{}", n % 6).into_bytes());
    let value = format!("old value {n} with words that repeat and repeat");
    (key, (n % 7 != 0).then(|| value.into_bytes()))
}

fn fetch(log: &mut Log, offset: i64) -> Vec<u8> {
    let from = FetchFrom {
        offset: Offset(offset),
        current_leader_epoch: LeaderEpoch::NONE,
        last_fetched_epoch: LeaderEpoch::NONE,
        isolation: Isolation::HighWatermark,
    };
    let Some(slice) = log.fetch(from, 300, true).unwrap().slice else { return Vec::new() };
    let mut bytes = vec![0; slice.length as usize];
    slice.file.read_exact_at(&mut bytes, slice.position).unwrap();
    bytes
}

/// All records in a slice, whatever their format.
fn records(bytes: &[u8]) -> Vec<Read> {
    let mut all = Vec::new();
    let mut at = 0;
    while at + LOG_OVERHEAD <= bytes.len() {
        let size = i32::from_be_bytes(*bytes[at + 8..].first_chunk().unwrap()) as usize + LOG_OVERHEAD;
        // A slice may end within a message.
        let Some(one) = bytes.get(at..at + size) else { break };
        at += size;
        if magic(one) == Some(MAGIC_V2) {
            batch(one, &mut all);
            continue;
        }
        each_record(one, &mut LegacyScratch::default(), 1 << 20, |record| {
            let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
            all.push((record.offset.0, record.timestamp.0, key, value, magic(one).unwrap()));
            Ok::<_, LegacyError>(())
        })
        .unwrap();
    }
    all
}

fn batch(bytes: &[u8], all: &mut Vec<Read>) {
    let batch = Batches::new(bytes).next().unwrap();
    let (header, codec) = (batch.header, batch.header.attributes.codec().unwrap());
    let mut decompressors = Decompressors::default();
    let mut stream = decompressors.start(codec, batch.payload(), 1 << 20).unwrap();
    let plain = stream.next_step().unwrap().to_vec();
    for record in Records::new(&plain, header.count).map(Result::unwrap) {
        let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
        let offset = header.base_offset.0 + i64::from(record.offset_delta);
        all.push((offset, header.base_timestamp.0 + record.timestamp_delta, key, value, MAGIC_V2));
    }
}

fn read_all(log: &mut Log, from: i64) -> Vec<Read> {
    let (mut all, mut offset): (Vec<Read>, i64) = (Vec::new(), from);
    loop {
        let read = records(&fetch(log, offset));
        let Some(last) = read.last() else { return all };
        let next = last.0 + 1;
        all.extend(read.into_iter().filter(|record| record.0 >= offset));
        offset = next;
    }
}

/// Whether what was read is what was written.
fn verify(topic: &str, read: &[Read], first: i64, count: i64) {
    assert_eq!(read.len() as i64, count - first, "{topic}");
    for (n, (offset, at, key, value, format)) in (first..).zip(read) {
        assert_eq!((*offset, (key.clone(), value.clone())), (n, written(n)), "{topic}");
        let wanted = match (topic, n) {
            ("v0", _) | ("mixed", ..20) => 0,
            ("mixed", 40..) => 2,
            _ => 1,
        };
        assert_eq!(*format, wanted, "{topic} {n}");
        match (topic, format) {
            (_, 0) => assert_eq!(*at, -1),
            ("v1-stamped", _) => assert!(*at > T0 + 1_000_000),
            _ => assert_eq!(*at, timestamp(n), "{topic} {n}"),
        }
    }
}

#[test]
fn old_partitions_are_read_from_every_offset_after_a_crash_and_after_a_clean_end() {
    for name in ["killed", "clean"] {
        let directory = directory(name);
        let dirs = open(directory.path());
        for (topic, count) in TOPICS {
            let log = log(&dirs, topic);
            let mut log = log.lock().unwrap();
            lead(&mut log);
            assert_eq!(log.partition().watermarks().log_end, Offset(count), "{name} {topic}");
            for first in 0..count {
                verify(topic, &read_all(&mut log, first), first, count);
            }
        }
    }
}

#[test]
fn what_we_recover_has_the_indexes_that_kafka_recovers() {
    let ours = directory("killed");
    open(ours.path()).close(BrokerEpoch(1));
    let kafkas = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/old/clean");
    for (topic, _) in TOPICS {
        let partition = format!("{topic}-0");
        for entry in std::fs::read_dir(kafkas.join(&partition)).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if name.ends_with("index") {
                let kafkas = std::fs::read(entry.path()).unwrap();
                let ours = std::fs::read(ours.path().join(&partition).join(&name)).unwrap();
                assert_eq!(ours, kafkas, "{topic} {name}");
            }
        }
    }
}

#[test]
fn records_are_found_by_time_inside_of_compressed_messages_too() {
    for name in ["killed", "clean"] {
        let directory = directory(name);
        let dirs = open(directory.path());
        let find = |topic: &str, at: i64| {
            let log = log(&dirs, topic);
            let mut log = log.lock().unwrap();
            lead(&mut log);
            let mut decompressors = Decompressors::default();
            log.offset_for_timestamp(Timestamp(at), Isolation::HighWatermark, &mut decompressors).unwrap()
        };
        let found = |n: i64| {
            Some(FoundOffset { timestamp: Timestamp(timestamp(n)), offset: Offset(n), leader_epoch: None })
        };
        for n in 0..40 {
            assert_eq!(find("v1", timestamp(n)), found(n), "{name} {n}");
            assert_eq!(find("v1", timestamp(n) - 1), found(n), "{name} {n}");
        }
        assert_eq!(find("v1", timestamp(39) + 1), None);
        assert_eq!(find("v0", 0), None, "v0 has no times");
        assert_eq!(find("mixed", 0), found(20), "{name}: the first that has a time");
        assert_eq!(find("mixed", timestamp(27)), found(27));
        assert_eq!(find("v1", -3), found(39), "the largest timestamp");
        assert_eq!(find("v1-stamped", T0).map(|found| found.offset), Some(Offset(0)));
    }
}

#[test]
fn today_s_batches_follow_old_messages_and_stay_after_a_restart() {
    let directory = directory("killed");
    for (round, end) in [(0, 40), (1, 41), (2, 42)] {
        let dirs = open(directory.path());
        let log = log(&dirs, "v0");
        let mut log = log.lock().unwrap();
        lead(&mut log);
        assert_eq!(log.partition().watermarks().log_end, Offset(end), "round {round}");
        let mut builder =
            BatchBuilder::new(BatchOptions { compression: Codec::Gzip.into(), ..BatchOptions::default() });
        builder.push(Timestamp(timestamp(end)), None, Some(b"new"), &[]);
        let mut bytes = builder.finish(&mut Default::default()).unwrap();
        let append = Append {
            origin: Origin::Client { zstd: true, verification: Verification::NotRequired },
            leader_epoch: LeaderEpoch(3),
            now: NOW,
        };
        log.append(append, &mut bytes, &mut Scratch::default()).unwrap();
        let read = read_all(&mut log, 35);
        assert_eq!(read.len() as i64, end + 1 - 35);
        assert_eq!(read.last().unwrap().3.as_deref(), Some(&b"new"[..]));
        let header = BatchHeader::parse(&fetch(&mut log, end)).unwrap();
        assert_eq!((header.base_offset, header.leader_epoch), (Offset(end), LeaderEpoch(3)));
        assert_eq!(header.attributes.timestamp_type(), TimestampType::CreateTime);
        drop(log);
        if round == 1 {
            dirs.close(BrokerEpoch(1));
        }
    }
}

#[test]
fn segments_are_listed_as_clients_of_that_time_ask_for_them() {
    let directory = directory("clean");
    let dirs = open(directory.path());
    let log = log(&dirs, "v0");
    let mut log = log.lock().unwrap();
    let mut list = |at: i64, most| {
        let offsets = log.segments_before(Timestamp(at), most, NOW).unwrap();
        offsets.into_iter().map(|offset| offset.0).collect::<Vec<_>>()
    };
    assert_eq!(list(-1, 1), [40]);
    assert_eq!(list(-1, 10), [40, 20, 0]);
    assert_eq!(list(-2, 10), [0]);
    assert_eq!(list(NOW.0, 2), [40, 20]);
    assert_eq!(list(1, 10), [0; 0], "no file is that old");
}

#[test]
fn old_partitions_move_to_another_directory() {
    let (from, to) = (directory("clean"), tempfile::tempdir().unwrap());
    let cluster = "q7BYUm_3RB63eZmaB98g0Q";
    storage::log_dirs::format(&RealDisk, to.path(), (cluster, NodeId(1)), Timestamp(1)).unwrap();
    let both = || open_all(vec![from.path().to_owned(), to.path().to_owned()]);
    let dirs = both();
    let there = dirs.directories().nth(1).unwrap().id();
    for (topic, count) in TOPICS {
        let (name, log) = (TopicPartition::new(topic, PartitionIndex(0)), log(&dirs, topic));
        log.lock().unwrap().set_topic_id(protocol::id::Uuid([9; 16])).unwrap();
        lead(&mut log.lock().unwrap());
        let before = read_all(&mut log.lock().unwrap(), 0);
        assert!(dirs.begin_move(&name, there, NOW).unwrap());
        let moving = dirs.moving(&name).unwrap();
        // Pieces that end within messages, and a last step with much left to do.
        loop {
            let copied = moving.step(300, NOW).unwrap();
            assert!(copied.bytes > 0, "{topic} lacks {} and nothing is copied", copied.lag);
            if copied.lag <= 20 {
                break;
            }
        }
        dirs.finish_move(&moving, NOW).unwrap();
        let mut log = log.lock().unwrap();
        assert_eq!(log.path(), to.path().join(format!("{topic}-0")));
        let after = read_all(&mut log, 0);
        assert_eq!(after, before, "{topic}");
        verify(topic, &after, 0, count);
    }
    drop(dirs);
    let dirs = both();
    for (topic, count) in TOPICS {
        let log = log(&dirs, topic);
        lead(&mut log.lock().unwrap());
        verify(topic, &read_all(&mut log.lock().unwrap(), 0), 0, count);
    }
}
