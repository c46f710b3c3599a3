//! What is made of what the metadata says, and what is not.

use metadata::MetadataRecord;
use protocol::id::{PartitionIndex, Timestamp, Uuid};
use protocol::messages::record::partition_record::PartitionRecord;
use protocol::messages::record::topic_record::TopicRecord;
use protocol::offset::Offset;
use storage::{LogDirs, LogDirsConfig, RealDisk};

use super::*;

const TOPIC: TopicId = Uuid([1; 16]);
const ZERO: PartitionIndex = PartitionIndex(0);

/// A broker of which one log directory of two cannot be opened.
fn half_a_broker() -> (tempfile::TempDir, Holdings) {
    let temp = tempfile::tempdir().unwrap();
    let directories = [temp.path().join("here"), temp.path().join("away")];
    let settings = [
        ("node.id", "1"),
        ("process.roles", "broker"),
        ("log.dirs", directories[0].to_str().unwrap()),
        ("controller.listener.names", "CONTROLLER"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
    ];
    let config = NodeConfig::from_texts(Texts::from(settings.map(|(key, value)| (key.into(), value.into()))));
    storage::log_dirs::format(&RealDisk, &directories[0], ("cluster", NodeId(1)), Timestamp(1)).unwrap();
    let dirs = LogDirsConfig {
        directories: directories.into(),
        node_id: NodeId(1),
        cluster_id: None,
        open_files_max: 10,
        batch_positions_bytes: 0,
        recovery_threads: 1,
        reserve_bytes: 0,
    };
    let log_dirs = LogDirs::open(RealDisk, &dirs, Timestamp(1)).unwrap();
    assert_eq!(log_dirs.unusable().len(), 1);
    let reserve = Arc::clone(log_dirs.directories().next().unwrap().reserve());
    (temp, Holdings::new(config.unwrap(), log_dirs, reserve))
}

/// An image with one replica, which lies in a directory that nobody knows.
fn image() -> Image {
    let topic = TopicRecord { name: "t".into(), topic_id: TOPIC };
    let partition = PartitionRecord {
        partition_id: 0,
        topic_id: TOPIC,
        leader_epoch: 0,
        partition_epoch: 0,
        replicas: vec![1].into(),
        isr: vec![1].into(),
        leader: 1,
        directories: vec![Uuid([9; 16])].into(),
        ..PartitionRecord::default()
    };
    let mut image = Image::default();
    for (offset, record) in (0..).zip([MetadataRecord::from(topic), partition.into()]) {
        image.replay(Offset(offset), &record);
    }
    image
}

#[test]
fn a_log_is_made_of_a_partition_that_came_and_of_none_of_which_it_is_only_said_where_it_lies() {
    let indexes = || BTreeMap::from([(TOPIC, [ZERO].into())]);
    let told = Delta { directories: indexes(), ..Delta::default() };
    let came = Delta { partitions: indexes(), ..Delta::default() };
    for (delta, made) in [(told, false), (came, true)] {
        let (_directory, broker) = half_a_broker();
        apply(&broker, &image(), &delta);
        assert_eq!(broker.log_dirs.get(&TopicPartition::new("t", ZERO)).is_some(), made);
        assert_eq!(broker.missing.contains(TOPIC, ZERO), !made);
    }
}
