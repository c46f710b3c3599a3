//! Directories that Apache Kafka 4.4.0 wrote, opened, read, recovered and closed by us.
//!
//! `killed` is a log directory after kill -9, `clean` the same after Kafka has recovered it and ended cleanly. So what we
//! make of `killed` has Kafka's own recovery to be held against. `plain` holds batches of every codec and was
//! cut by DeleteRecords at 20; `txn` holds transactions of two producers, one of them left open.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use partition::fetch::{FetchFrom, Isolation};
use partition::segments::RollRules;
use proptest::prelude::*;
use protocol::id::{BrokerEpoch, LeaderEpoch, NodeId, PartitionIndex, Timestamp};
use protocol::offset::Offset;
use protocol::records::batches::Batches;
use protocol::records::compression::Decompressors;
use storage::log_dirs::{LoadReport, Placement};
use storage::{Log, LogConfig, LogDirs, LogDirsConfig, RealDisk, SharedLog, TopicPartition};

const NOW: Timestamp = Timestamp(1_795_249_400_000);
/// The timestamp of the first record of `plain`.
const T0: i64 = 1_700_000_000_000;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn open(directory: &Path) -> (LogDirs, LoadReport) {
    let config = LogDirsConfig {
        directories: vec![directory.to_owned()],
        node_id: NodeId(1),
        cluster_id: None,
        open_files_max: 100,
        batch_positions_bytes: 1 << 20,
        recovery_threads: 2,
        reserve_bytes: 0,
    };
    let dirs = LogDirs::open(RealDisk, &config, NOW).unwrap();
    let roll = RollRules { index_bytes: 72, ..LogConfig::default().roll };
    let topic = Arc::new(LogConfig { roll, index_interval_bytes: 100, ..LogConfig::default() });
    let report = dirs.load(|_, _| Placement::Here(Arc::clone(&topic)), NOW);
    (dirs, report)
}

fn log(dirs: &LogDirs, topic: &str) -> SharedLog {
    dirs.get(&TopicPartition::new(topic, PartitionIndex(0))).unwrap()
}

fn names_and_bytes(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect()
}

/// The offsets of the batches that a reader meets from `from` on.
fn read_offsets(log: &mut Log, from: i64, isolation: Isolation) -> Vec<(i64, i64)> {
    let mut offsets = Vec::new();
    let mut offset = Offset(from);
    loop {
        let from = FetchFrom {
            offset,
            current_leader_epoch: LeaderEpoch::NONE,
            last_fetched_epoch: LeaderEpoch::NONE,
            isolation,
        };
        let Some(slice) = log.fetch(from, 500, true).unwrap().slice else { return offsets };
        let mut bytes = vec![0; slice.length as usize];
        std::os::unix::fs::FileExt::read_exact_at(&*slice.file, &mut bytes, slice.position).unwrap();
        for batch in Batches::new(&bytes) {
            batch.verify_crc().unwrap();
            offsets.push((batch.header.base_offset.0, batch.header.last_offset().0));
            offset = batch.header.next_offset();
        }
    }
}

#[test]
fn a_clean_directory_of_kafka_is_opened_as_it_is() {
    let temp = tempfile::tempdir().unwrap();
    copy(&golden("clean"), temp.path());
    let (dirs, report) = open(temp.path());
    assert_eq!((report.loaded, report.cut.len(), report.failed.len()), (2, 0, 0), "{report:?}");
    assert_eq!(dirs.clean_shutdown_epoch(), Some(BrokerEpoch(97)));
    let plain = log(&dirs, "plain");
    let plain = plain.lock().unwrap();
    assert_eq!(plain.partition().watermarks().log_end, Offset(90));
    assert_eq!(plain.partition().watermarks().high_watermark, Offset(90));
    assert_eq!(plain.recovery_point(), Offset(90));
    assert_eq!(plain.topic_id().unwrap().to_string(), "cZTOd6pPQQ2rwA0DoDNbFg");
    let txn = log(&dirs, "txn");
    let txn = txn.lock().unwrap();
    assert_eq!(txn.partition().watermarks().log_end, Offset(49));
    assert_eq!(txn.partition().producers().len(), 2);
}

#[test]
fn a_directory_recovered_and_closed_by_us_is_what_kafka_made_of_it() {
    let temp = tempfile::tempdir().unwrap();
    copy(&golden("killed"), temp.path());
    let (dirs, report) = open(temp.path());
    assert_eq!((report.loaded, report.cut.len(), report.failed.len()), (2, 0, 0), "{report:?}");
    assert_eq!(dirs.clean_shutdown_epoch(), None);
    dirs.close(BrokerEpoch(97));
    for topic in ["plain-0", "txn-0"] {
        let (ours, kafkas) =
            (names_and_bytes(&temp.path().join(topic)), names_and_bytes(&golden("clean").join(topic)));
        for (name, bytes) in &kafkas {
            let kind = name.rsplit('.').next().unwrap();
            if ["log", "index", "timeindex", "txnindex"].contains(&kind) {
                assert!(ours.get(name) == Some(bytes), "{topic}/{name}");
            }
        }
        let files = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(files(&ours), files(&kafkas), "{topic}");
    }
    let marker = std::fs::read(temp.path().join(".kafka_cleanshutdown")).unwrap();
    assert_eq!(marker, std::fs::read(golden("clean").join(".kafka_cleanshutdown")).unwrap());
}

#[test]
fn every_batch_of_kafka_is_read() {
    for state in ["clean", "killed"] {
        let temp = tempfile::tempdir().unwrap();
        copy(&golden(state), temp.path());
        let (dirs, _) = open(temp.path());
        let plain = log(&dirs, "plain");
        let mut plain = plain.lock().unwrap();
        plain.become_leader(LeaderEpoch(9), NodeId(1), 1, [NodeId(1)]).unwrap();
        let offsets = read_offsets(&mut plain, 0, Isolation::HighWatermark);
        assert_eq!((offsets.first().unwrap().0, offsets.last().unwrap().1), (0, 89), "{state}");
        assert!(offsets.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "{state}: {offsets:?}");
    }
}

#[test]
fn committed_readers_stop_at_the_open_transaction_and_know_the_aborted() {
    let temp = tempfile::tempdir().unwrap();
    copy(&golden("killed"), temp.path());
    let (dirs, _) = open(temp.path());
    let txn = log(&dirs, "txn");
    let mut txn = txn.lock().unwrap();
    txn.become_leader(LeaderEpoch(9), NodeId(1), 1, [NodeId(1)]).unwrap();
    assert_eq!(txn.partition().last_stable_offset(), Offset(47));
    let offsets = read_offsets(&mut txn, 0, Isolation::LastStableOffset);
    assert_eq!(offsets.last().unwrap().1, 46);
    let from = FetchFrom {
        offset: Offset(0),
        current_leader_epoch: LeaderEpoch::NONE,
        last_fetched_epoch: LeaderEpoch::NONE,
        isolation: Isolation::LastStableOffset,
    };
    let fetched = txn.fetch(from, 1 << 20, true).unwrap();
    let aborted: Vec<_> = fetched.aborted.iter().map(|it| (it.first_offset.0, it.last_offset.0)).collect();
    assert_eq!(aborted, [(1, 6)], "of the first segment, which ends at 6");
}

#[test]
fn timestamps_are_found_to_the_record_in_every_codec() {
    let temp = tempfile::tempdir().unwrap();
    copy(&golden("clean"), temp.path());
    let (dirs, _) = open(temp.path());
    let plain = log(&dirs, "plain");
    let mut plain = plain.lock().unwrap();
    let decompressors = &mut Decompressors::default();
    let mut at = |timestamp| {
        let found =
            plain.offset_for_timestamp(Timestamp(timestamp), Isolation::LogEnd, decompressors).unwrap();
        found.map(|found| (found.timestamp.0, found.offset.0))
    };
    // Record n has the timestamp T0 + n % 7 seconds and n % 3 milliseconds.
    let stamp = |n: i64| T0 + n % 7 * 1000 + n % 3;
    for target in
        [T0 - 5, T0, T0 + 1, T0 + 1001, T0 + 1002, T0 + 3000, T0 + 5999, T0 + 6001, T0 + 6002, T0 + 6003]
    {
        let expected = (0..90).find(|n| stamp(*n) >= target).map(|n| (stamp(n), n));
        assert_eq!(at(target), expected, "{}", target - T0);
    }
    assert_eq!(at(-1), Some((-1, 90)));
    assert_eq!(at(-2), Some((-1, 0)));
    let youngest = (0..90).max_by_key(|n| (stamp(*n), -n)).map(|n| (stamp(n), n));
    assert_eq!(at(-3), youngest);
}

/// Fetches everything, asks for times, appends nothing: whatever comes, it must be an answer or an error.
fn poke(dirs: &LogDirs) {
    for topic in ["plain", "txn"] {
        let Some(log) = dirs.get(&TopicPartition::new(topic, PartitionIndex(0))) else { continue };
        let mut log = log.lock().unwrap();
        let _ = log.become_leader(LeaderEpoch(9), NodeId(1), 1, [NodeId(1)]);
        let decompressors = &mut Decompressors::default();
        for timestamp in [-3, -2, -1, 0, T0 + 3000, i64::MAX] {
            let _ = log.offset_for_timestamp(Timestamp(timestamp), Isolation::LogEnd, decompressors);
        }
        for offset in (0..100).step_by(7) {
            let from = FetchFrom {
                offset: Offset(offset),
                current_leader_epoch: LeaderEpoch::NONE,
                last_fetched_epoch: LeaderEpoch::NONE,
                isolation: Isolation::LastStableOffset,
            };
            let _ = log.fetch(from, 300, true);
        }
        let _ = log.retain(NOW);
        drop(log);
        let _ = dirs.truncate(&TopicPartition::new(topic, PartitionIndex(0)), Offset(40), NOW);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_damaged_directory_is_an_error_or_a_log(
        state in prop::sample::select(vec!["clean", "killed"]),
        damages in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index, u8, u8)>(), 1..6),
    ) {
        let temp = tempfile::tempdir().unwrap();
        copy(&golden(state), temp.path());
        let mut files: Vec<PathBuf> = ["plain-0", "txn-0"]
            .iter()
            .flat_map(|topic| std::fs::read_dir(temp.path().join(topic)).unwrap())
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        for (file, place, kind, value) in damages {
            let path = file.get(&files);
            let mut bytes = std::fs::read(path).unwrap_or_default();
            if bytes.is_empty() {
                continue;
            }
            let at = place.index(bytes.len());
            match kind % 5 {
                0 => bytes.truncate(at),
                1 => bytes[at..].fill(value),
                2 => bytes.extend(std::iter::repeat_n(value, at)),
                _ => bytes[at] = value,
            }
            std::fs::write(path, bytes).unwrap();
        }
        let (dirs, report) = open(temp.path());
        prop_assert!(report.loaded + report.failed.len() + report.strays.len() == 2, "{:?}", report);
        poke(&dirs);
        dirs.close(BrokerEpoch(1));
    }
}
