use std::path::Path;
use std::time::Duration;

use partition::{CompressionTarget, Verification};
use protocol::id::{LeaderEpoch, NodeId, Uuid};
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::{Codec, Compression};
use storage::log_config::LogConfig;
use storage::log_dirs::format;
use storage::names::TopicPartition;
use storage::{LogDirs, LogDirsConfig, RealDisk};

use super::*;

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

#[test]
fn a_log_and_its_directory_are_free_while_a_batch_for_it_is_compressed_anew() {
    let temp = tempfile::tempdir().unwrap();
    let mut config = LogConfig::default();
    config.append.compression = CompressionTarget::Codec(Compression::from(Codec::Gzip));
    let replica = replica(temp.path(), config);
    replica.log().unwrap().become_leader(LeaderEpoch(0), NodeId(1), 1, [NodeId(1)]).unwrap();
    let now = Timestamp(1);
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for record in 0..10_000_u32 {
        let value =
            format!("record {record} of many, no two of which are the same: {}", record.reverse_bits());
        builder.push(now, None, Some(value.as_bytes()), &[]);
    }
    let batch = builder.finish_uncompressed();
    let replica = Arc::new(replica);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let appending = replica.clone();
    let appends = runtime.spawn(async move {
        let origin = Origin::Client { zstd: true, verification: Verification::NotRequired };
        for _ in 0..5 {
            appending.append(origin, now, &mut batch.clone(), &mut Scratch::default()).unwrap();
        }
    });
    let (mut free, mut busy) = (0, 0);
    while !appends.is_finished() {
        let log_is_free = replica.log_if_free().is_some();
        match log_is_free && replica.directory().pace().threads() == 0 {
            true => free += 1,
            false => busy += 1,
        }
        std::thread::yield_now();
    }
    runtime.block_on(appends).unwrap();
    assert!(free > 3 * busy, "seen free {free} times, and {busy} times not");
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
