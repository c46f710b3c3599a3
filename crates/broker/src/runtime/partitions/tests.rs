use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use partition::fetch::Isolation;
use partition::producers::TransactionVersion;
use partition::{CompressionTarget, Verification};
use protocol::id::{LeaderEpoch, NodeId, ProducerEpoch, ProducerId, Sequence, Uuid};
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::{Codec, Compression};
use protocol::records::control::{CoordinatorEpoch, EndMarker};
use storage::log_config::LogConfig;
use storage::log_dirs::format;
use storage::names::TopicPartition;
use storage::{LogDirs, LogDirsConfig, RealDisk};

use super::*;
use crate::runtime::delayed::Waiter;

/// A replica of partition 0 of topic "t" in a new log directory.
pub(crate) fn replica(directory: &Path, config: LogConfig) -> Replica {
    let now = Timestamp(1);
    format(&RealDisk, directory, ("a cluster", NodeId(1)), now).unwrap();
    let directories = LogDirsConfig {
        directories: vec![directory.to_owned()],
        node_id: NodeId(1),
        cluster_id: None,
        open_files_max: 100,
        batch_positions_bytes: 1 << 20,
        recovery_threads: 1,
        reserve_bytes: 0,
    };
    let (id, index) = (Uuid([1; 16]), PartitionIndex(0));
    let name = TopicPartition::new("t", index);
    let log_dirs = LogDirs::open(RealDisk, &directories, now).unwrap();
    let log = log_dirs.create(&name, id, Arc::new(config), None, now).unwrap();
    let of = ReplicaTopic { name: "t".into(), id, metrics: Arc::default() };
    Replica::new(Arc::new(of), index, log)
}

/// A replica whose batches are compressed anew, and one for it that takes long.
fn laborious(directory: &Path) -> (Arc<Replica>, Vec<u8>) {
    let mut config = LogConfig::default();
    config.append.compression = CompressionTarget::Codec(Compression::from(Codec::Gzip));
    let replica = replica(directory, config);
    replica.log().unwrap().become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for record in 0..10_000_u32 {
        let value =
            format!("record {record} of many, no two of which are the same: {}", record.reverse_bits());
        builder.push(Timestamp(1), None, Some(value.as_bytes()), &[]);
    }
    (Arc::new(replica), builder.finish_uncompressed())
}

fn append_five(replica: &Replica, batch: &[u8]) {
    let origin = Origin::Client { zstd: true, verification: Verification::NotRequired };
    for _ in 0..5 {
        replica.append(origin, Timestamp(1), &mut batch.to_vec(), &mut Scratch::default()).unwrap();
    }
}

/// How often its log is seen free with so many threads counted at its directory, and how often not, until something has
/// ended.
fn seen(replica: &Replica, threads: usize, ended: impl Fn() -> bool) -> (u32, u32) {
    let (mut so, mut not) = (0, 0);
    while !ended() {
        let log_is_free = replica.log_if_free().is_some();
        match log_is_free && replica.directory().pace().threads() == threads {
            true => so += 1,
            false => not += 1,
        }
        std::thread::yield_now();
    }
    (so, not)
}

#[test]
fn a_log_and_its_directory_are_free_while_a_batch_for_it_is_compressed_anew() {
    let temp = tempfile::tempdir().unwrap();
    let (replica, batch) = laborious(temp.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let appending = replica.clone();
    let appends = runtime.spawn(async move { append_five(&appending, &batch) });
    let (free, busy) = seen(&replica, 0, || appends.is_finished());
    runtime.block_on(appends).unwrap();
    assert!(free > 3 * busy, "seen free {free} times, and {busy} times not");
}

#[test]
fn who_validates_for_long_on_a_thread_that_others_wait_for_is_counted_and_has_not_the_log() {
    let temp = tempfile::tempdir().unwrap();
    let (replica, batch) = laborious(temp.path());
    let appending = replica.clone();
    let appends = std::thread::spawn(move || append_five(&appending, &batch));
    let (so, not) = seen(&replica, 1, || appends.is_finished());
    appends.join().unwrap();
    assert!(so > 3 * not, "seen so {so} times, and {not} times not");
}

#[test]
fn a_reader_of_committed_data_is_woken_by_the_end_of_a_transaction_alone() {
    let temp = tempfile::tempdir().unwrap();
    let replica = replica(temp.path(), LogConfig::default());
    replica.log().unwrap().become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    let (now, producer, epoch) = (Timestamp(1), ProducerId(7), ProducerEpoch(0));
    let committed = Waiter::new(Isolation::LastStableOffset, 1);
    replica.waiters.add(committed.clone());
    let is_woken = || pin!(committed.woken()).poll(&mut Context::from_waker(Waker::noop())).is_ready();
    let options = BatchOptions {
        producer: (producer, epoch, Sequence(0)),
        transactional: true,
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(options);
    builder.push(now, None, Some(b"open"), &[]);
    let (mut batch, scratch) = (builder.finish_uncompressed(), &mut Scratch::default());
    let verification = Verification::NotRequired;
    replica.append(Origin::Client { zstd: true, verification }, now, &mut batch, scratch).unwrap();
    assert!(!is_woken());
    let marker = EndMarker { committed: true, coordinator_epoch: CoordinatorEpoch(0) };
    let mut marker = marker.batch(producer, epoch, LeaderEpoch(0), now);
    let origin = Origin::Coordinator { transaction_version: TransactionVersion(0), verification };
    replica.append(origin, now, &mut marker, scratch).unwrap();
    assert!(is_woken());
}

#[test]
fn who_is_at_a_directory_for_want_of_a_processor_makes_nobody_wait() {
    let pace = Pace::default();
    let mut there = vec![pace.touch(), pace.touch()];
    let mut turns = 0;
    assert!(stays_crowded(&pace, 2, Duration::MAX, || turns += 1));
    assert_eq!(turns, YIELDS, "they were let go on, and did not");
    assert!(stays_crowded(&pace, 2, Duration::ZERO, || turns += 1));
    assert_eq!(turns, YIELDS + 1, "one of them took long");
    assert!(!stays_crowded(&pace, 2, Duration::MAX, || drop(there.pop())));
    assert_eq!(there.len(), 1, "one has gone, and the other is no obstacle");
    assert!(!stays_crowded(&pace, 2, Duration::MAX, || panic!("there is nobody to wait for")));
    // So long a write makes it slow for a second.
    pace.set_slow_after(Duration::from_millis(125));
    while !pace.was_slow() {
        let _writing = pace.write(0);
        while !pace.is_slow() {
            // As one who waits for a disk, and not for a processor: that would be taken off.
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(stays_crowded(&pace, 2, Duration::MAX, || panic!("a disk does not want for a processor")));
}

#[test]
fn a_topic_that_was_taken_out_is_known_to_be_until_the_next_image() {
    let (partitions, id) = (Partitions::default(), Uuid([7; 16]));
    let topic = Arc::new(TopicReplicas { name: "t".into(), id, replicas: Vec::new() });
    partitions.write().by_name.insert("t".into(), topic.clone());
    partitions.write().by_id.insert(id, topic);
    assert!(!partitions.is_removed(id));
    assert!(partitions.remove(id).is_some());
    assert!(partitions.is_removed(id) && partitions.by_name("t").is_none());
    partitions.forget_removed();
    assert!(!partitions.is_removed(id));
}
