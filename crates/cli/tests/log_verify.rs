//! `headwater log verify`, on a directory that is sound and on one that is broken in each way there is: what is wrong must be
//! named with its file, and nothing may be named where nothing is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod binary;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use binary::{Ended, headwater};
use partition::producers::TransactionVersion;
use partition::{Append, Origin, Scratch, Verification};
use protocol::id::{
    BrokerEpoch, LeaderEpoch, NodeId, PartitionIndex, ProducerEpoch, ProducerId, Sequence, Timestamp, Uuid,
};
use protocol::offset::Offset;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::control::{CoordinatorEpoch, EndMarker};
use storage::checkpoint::{CLEANER, LEADER_EPOCH, LOG_START, RECOVERY_POINT, REPLICATION};
use storage::descriptors::Descriptors;
use storage::first_records::{FIRST_RECORDS, FirstRecords};
use storage::log_directory::LogDirectory;
use storage::{Log, LogConfig, RealDisk, TopicPartition, checkpoint, clean_shutdown, producer_snapshot};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const EPOCH: LeaderEpoch = LeaderEpoch(3);
/// Where the second segment begins, and where the log ends.
const SECOND: i64 = 14;
const END: i64 = 18;

/// A log with batches of an idempotent producer and of two transactional ones, of which one aborts and one stays open.
struct Written {
    home: tempfile::TempDir,
}

impl Written {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let written = Self { home };
        let data = written.data();
        let properties = written.home.path().join("server.properties");
        let text = format!(
            "process.roles=broker,controller\nnode.id=1\nlisteners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0\n\
             controller.listener.names=CONTROLLER\ncontroller.quorum.bootstrap.servers=127.0.0.1:1\nlog.dirs={}\n",
            data.display()
        );
        std::fs::write(&properties, text).unwrap();
        let cluster = "MkU3OEVBNTcwNTJENDM2Qg";
        let file = properties.to_str().unwrap();
        let formatted = headwater(&["storage", "format", "-t", cluster, "-c", file, "--standalone"]);
        assert_eq!(formatted.code, 0, "{formatted:?}");
        written.fill(&data);
        written
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn fill(&self, data: &Path) {
        let directory = LogDirectory::start(data, Uuid([1; 16]), Descriptors::new(RealDisk, 20), 0).unwrap();
        let config = LogConfig { index_interval_bytes: 100, ..LogConfig::default() };
        let name = TopicPartition::new("t", PartitionIndex(0));
        let mut log =
            Log::create(Arc::new(directory), name.clone(), Uuid([2; 16]), Arc::new(config), NOW).unwrap();
        log.become_leader(EPOCH, NodeId(1), 1, [NodeId(1)]).unwrap();
        for round in 0..3 {
            append(&mut log, &mut batch((7, round * 2, false), 2));
        }
        append(&mut log, &mut batch((9, 0, true), 2));
        mark(&mut log, 9, false);
        append(&mut log, &mut batch((9, 2, true), 2));
        mark(&mut log, 9, true);
        append(&mut log, &mut batch((11, 0, true), 2));
        log.roll(NOW).unwrap();
        append(&mut log, &mut batch((7, 6, false), 2));
        append(&mut log, &mut batch((-1, -1, false), 2));
        let end = log.close().unwrap();
        assert_eq!(end, Offset(END));
        for file in [RECOVERY_POINT, REPLICATION] {
            self.checkpoint(file, &[("t", END)]);
        }
        self.checkpoint(LOG_START, &[]);
        self.checkpoint(CLEANER, &[("t", SECOND)]);
        clean_shutdown::write(&RealDisk, data, BrokerEpoch(1)).unwrap();
    }

    fn checkpoint(&self, file: &str, offsets: &[(&str, i64)]) {
        let line =
            |(topic, offset): &(&str, i64)| (TopicPartition::new(*topic, PartitionIndex(0)), Offset(*offset));
        let offsets = offsets.iter().map(line).collect();
        checkpoint::write_offsets(&RealDisk, &self.data().join(file), &offsets).unwrap();
    }

    fn path(&self, file: &str) -> PathBuf {
        let in_log = self.data().join("t-0").join(file);
        if in_log.exists() { in_log } else { self.data().join(file) }
    }

    fn change(&self, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.path(file);
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
    }

    /// Writes a snapshot anew with its producers changed.
    fn change_snapshot(
        &self,
        file: &str,
        change: impl FnOnce(&mut Vec<partition::producers::ProducerEntry>),
    ) {
        let path = self.path(file);
        let mut entries = producer_snapshot::read(&RealDisk, &path).unwrap().unwrap();
        change(&mut entries);
        producer_snapshot::write(&RealDisk, &path, &entries).unwrap();
    }

    fn verify(&self) -> Ended {
        headwater(&["log", "verify", self.data().to_str().unwrap()])
    }
}

fn batch((producer, sequence, transactional): (i64, i32, bool), records: i64) -> Vec<u8> {
    let epoch = ProducerEpoch(if producer < 0 { -1 } else { 0 });
    let options = BatchOptions {
        producer: (ProducerId(producer), epoch, Sequence(sequence)),
        transactional,
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(options);
    for record in 0..records {
        let timestamp = Timestamp(NOW.0 + i64::from(sequence) * 10 + record);
        builder.push(timestamp, Some(b"key"), Some(&[b'v'; 60]), &[]);
    }
    builder.finish_uncompressed()
}

fn append(log: &mut Log, bytes: &mut [u8]) {
    let origin = Origin::Client { zstd: true, verification: Verification::NotRequired };
    let append = Append { origin, leader_epoch: EPOCH, now: NOW };
    log.append(append, bytes, &mut Scratch::default()).unwrap();
}

fn mark(log: &mut Log, producer: i64, committed: bool) {
    let marker = EndMarker { committed, coordinator_epoch: CoordinatorEpoch(0) };
    let mut bytes = marker.batch(ProducerId(producer), ProducerEpoch(0), EPOCH, NOW);
    let (transaction_version, verification) = (TransactionVersion(1), Verification::NotRequired);
    let origin = Origin::Coordinator { transaction_version, verification };
    let append = Append { origin, leader_epoch: EPOCH, now: NOW };
    log.append(append, &mut bytes, &mut Scratch::default()).unwrap();
}

const LOG: &str = "00000000000000000000.log";
const SECOND_LOG: &str = "00000000000000000014.log";
const INDEX: &str = "00000000000000000000.index";
const TIMES: &str = "00000000000000000000.timeindex";
const ABORTS: &str = "00000000000000000000.txnindex";
const SNAPSHOT: &str = "00000000000000000014.snapshot";
const LAST_SNAPSHOT: &str = "00000000000000000018.snapshot";
const METADATA: &str = "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint";

/// A kind of damage: what it is, how it is done, the file that must be named, and words of what must be said.
type Damage = (&'static str, fn(&Written), &'static str, &'static [&'static str]);

const BATCHES: &[Damage] = &[
    ("a bit of a record", |it| it.change(LOG, |bytes| bytes[80] ^= 1), LOG, &["CRC", "DeleteRecords"]),
    ("a length", |it| it.change(LOG, |bytes| bytes[10] ^= 0x40), LOG, &["no whole batch"]),
    ("an offset", |it| it.change(SECOND_LOG, |bytes| bytes[7] = 2), SECOND_LOG, &["offset"]),
    (
        "a leader epoch",
        |it| it.change(SECOND_LOG, |bytes| bytes[15] = 1),
        SECOND_LOG,
        &["leader epoch 1", "3"],
    ),
    (
        "a torn tail at a clean end",
        |it| it.change(SECOND_LOG, |bytes| bytes.truncate(bytes.len() - 5)),
        SECOND_LOG,
        &["no whole batch", ".kafka_cleanshutdown"],
    ),
    (
        "a torn tail after a crash",
        |it| {
            std::fs::remove_file(it.path(".kafka_cleanshutdown")).unwrap();
            it.change(SECOND_LOG, |bytes| bytes.truncate(bytes.len() - 5));
        },
        SECOND_LOG,
        &["no whole batch", "the next start cuts it off"],
    ),
];

const INDEXES: &[Damage] = &[
    ("a position", |it| it.change(INDEX, |bytes| bytes[7] ^= 1), INDEX, &["where no batch begins"]),
    (
        "half an entry",
        |it| it.change(INDEX, |bytes| bytes.truncate(12)),
        INDEX,
        &["4 bytes where an entry has 8"],
    ),
    ("a time", |it| it.change(TIMES, |bytes| bytes[7] ^= 1), TIMES, &["timestamp", "whose batch has"]),
    ("a late time", |it| it.change(TIMES, |bytes| bytes[0] = 0x40), TIMES, &["the log has none so late"]),
    ("no aborts", |it| it.change(ABORTS, Vec::clear), ABORTS, &["producer 9 aborted at offset 8", "see it"]),
    (
        "no file of aborts",
        |it| std::fs::remove_file(it.path(ABORTS)).unwrap(),
        "t-0",
        &["00000000000000000000.txnindex", "producer 9 aborted at offset 8"],
    ),
    (
        "another's abort",
        |it| it.change(ABORTS, |bytes| bytes[9] = 7),
        ABORTS,
        &["producer 7", "no marker says so"],
    ),
    ("a late abort", |it| it.change(ABORTS, |bytes| bytes[17] = 7), ABORTS, &["since 6", "no entry"]),
    (
        "an index without its log",
        |it| std::fs::remove_file(it.path(LOG)).unwrap(),
        INDEX,
        &["an index without the log it belongs to"],
    ),
];

const PRODUCERS: &[Damage] = &[
    ("its checksum", |it| it.change(SNAPSHOT, |bytes| bytes[20] ^= 1), SNAPSHOT, &["CRC"]),
    (
        "a sequence",
        |it| it.change_snapshot(LAST_SNAPSHOT, |all| all.iter_mut().for_each(|it| it.last_sequence.0 += 1)),
        LAST_SNAPSHOT,
        &["producer 7", "sequence 8", "7"],
    ),
    (
        "an old offset",
        |it| it.change_snapshot(LAST_SNAPSHOT, |all| all[0].last_offset.0 -= 1),
        LAST_SNAPSHOT,
        &["producer 7", "ended at offset 14"],
    ),
    (
        "a forgotten transaction",
        |it| {
            it.change_snapshot(SNAPSHOT, |all| {
                all.iter_mut().for_each(|it| it.current_transaction_first_offset = None)
            })
        },
        SNAPSHOT,
        &["producer 11", "no transaction open", "12"],
    ),
    (
        "a transaction that has ended",
        |it| {
            it.change_snapshot(SNAPSHOT, |all| {
                let nine = all.iter_mut().find(|it| it.producer_id == ProducerId(9)).unwrap();
                nine.current_transaction_first_offset = Some(Offset(9));
            });
        },
        SNAPSHOT,
        &["producer 9", "which has ended"],
    ),
    (
        "a lost producer",
        |it| it.change_snapshot(SNAPSHOT, |all| all.retain(|it| it.producer_id != ProducerId(11))),
        SNAPSHOT,
        &["producer 11 is missing with its open transaction"],
    ),
    (
        "beyond the end",
        |it| {
            std::fs::rename(it.path(LAST_SNAPSHOT), it.path("t-0").join("00000000000000000099.snapshot"))
                .unwrap()
        },
        "00000000000000000099.snapshot",
        &["the log ends at 18"],
    ),
];

const SMALL_FILES: &[Damage] = &[
    ("epochs", |it| it.change(LEADER_EPOCH, |bytes| bytes[0] = b'x'), LEADER_EPOCH, &["version"]),
    (
        "an epoch beyond the end",
        |it| it.change(LEADER_EPOCH, |bytes| *bytes = b"0\n2\n3 0\n4 50\n".to_vec()),
        LEADER_EPOCH,
        &["epoch 4", "offset 50", "the log ends at 18"],
    ),
    (
        "a recovery point",
        |it| it.checkpoint(RECOVERY_POINT, &[("t", 19)]),
        RECOVERY_POINT,
        &["t-0 is at 19", "ends at 18"],
    ),
    (
        "a high watermark",
        |it| it.checkpoint(REPLICATION, &[("t", 19)]),
        REPLICATION,
        &["readers have seen", "ends at 18"],
    ),
    (
        "a log start",
        |it| it.checkpoint(LOG_START, &[("t", 19)]),
        LOG_START,
        &["it begins there", "ends at 18"],
    ),
    (
        "a cleaner's offset",
        |it| it.checkpoint(CLEANER, &[("t", 19)]),
        CLEANER,
        &["compacted up to there", "ends at 18"],
    ),
    (
        "a log that is gone",
        |it| it.checkpoint(RECOVERY_POINT, &[("t", END), ("gone", 5)]),
        RECOVERY_POINT,
        &["gone-0 is at 5", "there is no such log here"],
    ),
    (
        "a checkpoint's text",
        |it| it.change(REPLICATION, |bytes| bytes.truncate(3)),
        REPLICATION,
        &["remove the file"],
    ),
    (
        "meta.properties",
        |it| it.change("meta.properties", |bytes| *bytes = b"node.id=x\n".to_vec()),
        "meta.properties",
        &[],
    ),
    (
        "partition.metadata",
        |it| it.change("partition.metadata", |bytes| bytes.truncate(10)),
        "partition.metadata",
        &["restore it"],
    ),
    (
        "a metadata snapshot",
        |it| it.change(METADATA, |bytes| *bytes.last_mut().unwrap() ^= 1),
        ".checkpoint",
        &["CRC"],
    ),
    (
        "the quorum's state",
        |it| std::fs::write(it.data().join("__cluster_metadata-0/quorum-state"), "{").unwrap(),
        "quorum-state",
        &["restore it"],
    ),
];

#[test]
fn a_sound_directory_has_nothing_wrong() {
    let written = Written::new();
    let ended = written.verify();
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{ended:?}");
    assert!(ended.out.contains("nothing is wrong") && ended.out.contains("10 batches"), "{ended:?}");
    let one = headwater(&["log", "verify", written.path("t-0").to_str().unwrap()]);
    assert_eq!(one.code, 0, "{one:?}");
    let none = headwater(&["log", "verify", written.home.path().to_str().unwrap()]);
    assert!(none.code != 0 && none.err.contains("name a log directory"), "{none:?}");
}

#[test]
fn what_the_next_start_makes_is_not_missed_after_a_crash() {
    let written = Written::new();
    std::fs::remove_file(written.path(".kafka_cleanshutdown")).unwrap();
    std::fs::remove_file(written.path(ABORTS)).unwrap();
    let ended = written.verify();
    assert!(ended.code == 1 && ended.out.contains("producer 9 aborted at offset 8"), "{ended:?}");
    // Recovery reads nothing in front of its point.
    written.checkpoint(RECOVERY_POINT, &[("t", 9)]);
    assert_eq!(written.verify().code, 1);
    written.checkpoint(RECOVERY_POINT, &[("t", 8)]);
    let ended = written.verify();
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{ended:?}");
}

#[test]
fn first_records_are_told_of_also_where_they_are_all_there_is() {
    let written = Written::new();
    let apart = written.home.path().join("apart");
    std::fs::create_dir(&apart).unwrap();
    std::fs::copy(written.path("meta.properties"), apart.join("meta.properties")).unwrap();
    for directory in [written.data(), apart] {
        let name = TopicPartition::new("first", PartitionIndex(0));
        let rows = FirstRecords::new(&RealDisk, &directory);
        rows.put(&name, Uuid([3; 16]), &batch((-1, -1, false), 1)).unwrap().unwrap();
        let ended = headwater(&["log", "verify", directory.to_str().unwrap()]);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{ended:?}");
        assert!(ended.out.contains("next start, which gives each log its files: 1"), "{ended:?}");
        let path = directory.join(FIRST_RECORDS);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let ended = headwater(&["log", "verify", directory.to_str().unwrap()]);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.out.contains(FIRST_RECORDS) && ended.out.contains("no whole row"), "{ended:?}");
    }
}

#[test]
fn each_kind_of_damage_is_named_with_its_file_and_a_way_out() {
    for (what, damage, file, words) in [BATCHES, INDEXES, PRODUCERS, SMALL_FILES].concat() {
        let written = Written::new();
        damage(&written);
        let ended = written.verify();
        assert_eq!(ended.code, 1, "{what}: {ended:?}");
        let problem = ended
            .out
            .lines()
            .zip(ended.out.lines().skip(1))
            .find(|(line, _)| line.split_once(": ").is_some_and(|(place, _)| place.contains(file)));
        let (line, way_out) = problem.unwrap_or_else(|| panic!("{what}: {file} is not named: {}", ended.out));
        let all = format!("{line} {way_out}");
        for word in words {
            assert!(all.contains(word), "{what}: {word:?} is not in {all:?}");
        }
        assert!(
            way_out.starts_with("    ") && way_out.trim().len() > 20,
            "{what}: no way out in {way_out:?}"
        );
    }
}
