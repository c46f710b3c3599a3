//! The whole quorum of one node on a temporary directory: real files, no network, no waiting by time.

use std::collections::BTreeMap;
use std::path::Path;

use metadata::Delta;
use metadata::controller::configs::ConfigCheck;
use metadata::controller::placement::Seed;
use metadata::controller::topics::{
    CreateTopics, NewTopic, TopicDefaults, TopicRef, decide_create_topics, decide_delete_topics,
};
use metadata::image::{ConfigResource, Controller, LeaderRecovery, ResourceType};
use protocol::id::{LeaderEpoch, PartitionIndex, Uuid};
use storage::format::{FormatRequest, FormatVoters, format};
use storage::meta_properties::MetaProperties;
use storage::metadata_log::{METADATA_DIRECTORY, MetadataLimits};
use storage::reserve::Reserve;
use storage::{RealDisk, descriptors::Descriptors};

use super::*;

struct AnyConfig;

impl ConfigCheck for AnyConfig {
    fn is_list(&self, _: ResourceType, _: &str) -> bool {
        false
    }

    fn default_value(&self, _: ResourceType, _: &str) -> Option<String> {
        None
    }

    fn check(&self, _: &ConfigResource, _: &BTreeMap<String, String>) -> Result<(), Refusal> {
        Ok(())
    }
}

fn fresh() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = raft::Endpoint { listener: "CONTROLLER".into(), host: "localhost".into(), port: 9093 };
    let voters = FormatVoters::Standalone(vec![endpoint]);
    let request = FormatRequest::new("cluster".into(), NodeId(1), directory.path().to_owned(), voters);
    format(&RealDisk, &request, Timestamp(0)).unwrap();
    directory
}

fn options(path: &Path, previous_epoch: i64) -> QuorumOptions {
    let directory_id = MetaProperties::read(&RealDisk, path).unwrap().unwrap().directory_id.unwrap();
    let features = metadata::controller::features::supported();
    QuorumOptions {
        requests_max: 1024,
        node_id: NodeId(1),
        metadata_directory: path.to_owned(),
        directory_id,
        fixed_voters: Vec::new(),
        limits: MetadataLimits {
            segment_bytes: 1 << 30,
            segment_ms: i64::MAX,
            retention_bytes: Some(0),
            retention_ms: None,
        },
        bytes_between_snapshots: 1 << 30,
        snapshot_interval_ms: None,
        election_timeout_ms: 1000,
        election_backoff_ms_max: 1000,
        fetch_timeout_ms: 2000,
        request_timeout_ms: 2000,
        retry_backoff_ms: 20,
        session_timeout_ms: 9000,
        min_insync_replicas: 1,
        registration: Registration {
            id: NodeId(1),
            incarnation: storage::format::random_id(),
            endpoints: Vec::new(),
            features: features.clone(),
            rack: None,
            log_dirs: vec![directory_id],
            cordoned_log_dirs: Some(Vec::new()),
            previous_epoch: BrokerEpoch(previous_epoch),
        },
        controller: Controller {
            id: NodeId(1),
            incarnation: storage::format::random_id(),
            endpoints: Vec::new(),
            features,
            zk_migration_ready: false,
        },
    }
}

type Applied = Arc<Mutex<Vec<(Arc<Image>, Delta)>>>;

fn reserve(directory: &Path) -> Arc<Reserve> {
    Arc::new(Reserve::open(&RealDisk, directory, 0))
}

async fn start(options: QuorumOptions) -> (Quorum, Applied) {
    let applied = Applied::default();
    let seen = Arc::clone(&applied);
    let apply = move |image: &Arc<Image>, delta: &Delta| {
        seen.lock().unwrap().push((Arc::clone(image), delta.clone()));
    };
    let descriptors = Descriptors::new(RealDisk, 16);
    let reserve = reserve(&options.metadata_directory);
    let loaded = LoadedQuorum::load(options, &descriptors, reserve).unwrap();
    (loaded.start(apply).await.unwrap(), applied)
}

fn topic(name: &str) -> NewTopic {
    let mut id = [7; 16];
    id[..name.len().min(16)].copy_from_slice(&name.as_bytes()[..name.len().min(16)]);
    NewTopic {
        name: name.to_owned(),
        id: Uuid(id),
        partitions: 2,
        replication_factor: 1,
        assignments: Vec::new(),
        configs: Vec::new(),
    }
}

async fn create(quorum: &Quorum, name: &str) -> Result<(), Refusal> {
    try_create(quorum, name).await.unwrap()
}

async fn try_create(quorum: &Quorum, name: &str) -> Result<Result<(), Refusal>, QuorumError> {
    let topics = vec![topic(name)];
    let defaults = TopicDefaults { partitions: 1, replication_factor: 1 };
    let request = CreateTopics { topics, validate_only: false, defaults, seed: Seed(1) };
    let mut created = quorum.submit(move |image, _| decide_create_topics(image, request, &AnyConfig)).await?;
    Ok(created.remove(0).1.map(|_| ()))
}

#[tokio::test]
async fn fresh_node_elects_itself_and_its_broker_is_active() {
    let directory = fresh();
    let (quorum, applied) = start(options(directory.path(), -1)).await;
    let image = quorum.image();
    assert!(image.cluster.is_active(NodeId(1)));
    assert_eq!(image.metadata_version(), 33);
    assert_eq!(image.configs.get(&ConfigResource::broker(""), "min.insync.replicas"), Some("1"));
    assert_eq!(image.cluster.controllers.len(), 1);
    let status = quorum.status();
    assert_eq!((status.role, status.epoch), (raft::RoleName::Leader, LeaderEpoch(1)));
    assert_eq!(status.high_watermark, Some(image.end()));
    let applied = applied.lock().unwrap();
    assert_eq!(applied.len(), 1, "everything of the start is applied at once");
    assert!(applied[0].1.whole);
}

#[tokio::test]
async fn change_is_applied_before_it_is_answered() {
    let directory = fresh();
    let (quorum, applied) = start(options(directory.path(), -1)).await;
    create(&quorum, "a").await.unwrap();
    let (image, delta) = applied.lock().unwrap().last().cloned().unwrap();
    let id = image.topics.id_of("a").unwrap();
    assert_eq!(delta.topics_created.iter().collect::<Vec<_>>(), [&id]);
    assert_eq!(delta.partitions[&id].len(), 2);
    assert!(Arc::ptr_eq(&quorum.image(), &image));
    assert!(matches!(create(&quorum, "a").await, Err(Refusal::TopicAlreadyExists(_))));
    assert_eq!(applied.lock().unwrap().len(), 2, "a refusal changes nothing");
}

#[tokio::test]
async fn requests_at_once_share_their_way_and_all_are_answered() {
    let directory = fresh();
    let (quorum, applied) = start(options(directory.path(), -1)).await;
    let mut tasks = Vec::new();
    for number in 0..200 {
        let quorum = quorum.clone();
        tasks.push(tokio::spawn(async move { create(&quorum, &format!("t{}", number % 100)).await.is_ok() }));
    }
    let mut created = 0;
    for task in tasks {
        created += usize::from(task.await.unwrap());
    }
    assert_eq!(created, 100, "of two requests for one name one wins");
    assert_eq!(quorum.image().topics.len(), 100);
    assert!(applied.lock().unwrap().len() <= 101);
}

#[tokio::test]
async fn everything_is_there_again_after_a_stop() {
    let directory = fresh();
    let (quorum, _) = start(options(directory.path(), -1)).await;
    create(&quorum, "kept").await.unwrap();
    create(&quorum, "gone").await.unwrap();
    let topics = vec![TopicRef::Name("gone".into())];
    quorum.submit(move |image, _| decide_delete_topics(image, topics)).await.unwrap();
    let epoch = quorum.broker_epoch();
    quorum.stop().await;
    let closed = quorum.submit(|_, _| Ok(Decision::answer(()))).await;
    assert!(matches!(closed, Err(QuorumError::Closed(_))));
    let (again, applied) = start(options(directory.path(), epoch.0)).await;
    assert_eq!(again.image().topics.iter().map(|topic| topic.name.to_string()).collect::<Vec<_>>(), ["kept"]);
    assert_eq!(again.status().epoch, LeaderEpoch(2), "a leader that restarts takes a new epoch");
    assert!(again.broker_epoch() > epoch);
    let (image, _) = applied.lock().unwrap()[0].clone();
    let partition = image.topics.by_name("kept").unwrap().partition(PartitionIndex(0)).unwrap().clone();
    assert_eq!((partition.leader, partition.isr.as_slice()), (Some(NodeId(1)), [NodeId(1)].as_slice()));
    assert!(partition.leader_epoch > LeaderEpoch(0), "a new incarnation leads in a new epoch");
}

#[tokio::test]
async fn crashed_node_recovers_its_partitions() {
    let directory = fresh();
    let (quorum, _) = start(options(directory.path(), -1)).await;
    create(&quorum, "kept").await.unwrap();
    // The files as a kill would leave them now.
    let copy = tempfile::tempdir().unwrap();
    for name in ["", "__cluster_metadata-0"] {
        std::fs::create_dir_all(copy.path().join(name)).unwrap();
        for entry in std::fs::read_dir(directory.path().join(name)).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), copy.path().join(name).join(entry.file_name())).unwrap();
            }
        }
    }
    let (again, _) = start(options(copy.path(), -1)).await;
    let image = again.image();
    let partition = image.topics.by_name("kept").unwrap().partition(PartitionIndex(1)).unwrap();
    assert_eq!((partition.leader, partition.leader_recovery), (Some(NodeId(1)), LeaderRecovery::Recovered));
}

#[tokio::test]
async fn snapshots_are_taken_by_bytes_and_loaded() {
    let directory = fresh();
    let small = QuorumOptions { bytes_between_snapshots: 300, ..options(directory.path(), -1) };
    let (quorum, _) = start(small).await;
    let path = directory.path().join("__cluster_metadata-0");
    // A snapshot is written while records go on being appended: how many fit in meanwhile nobody knows.
    let mut number = 0;
    while number < 20 || path.join("00000000000000000000.log").exists() {
        create(&quorum, &format!("t{number}")).await.unwrap();
        number += 1;
        assert!(number < 5000, "the log before the snapshot does not go");
    }
    let image = quorum.image();
    quorum.stop().await;
    let snapshots = storage::snapshots::list(&RealDisk, &path).unwrap();
    assert!(snapshots.last().unwrap().offset.0 > 0, "{snapshots:?}");
    let descriptors = Descriptors::new(RealDisk, 16);
    let loaded =
        LoadedQuorum::load(options(directory.path(), -1), &descriptors, reserve(directory.path())).unwrap();
    assert_eq!(*loaded.image(), *image);
}

#[tokio::test]
async fn quorum_of_others_is_refused() {
    let directory = fresh();
    let other = QuorumOptions { node_id: NodeId(2), ..options(directory.path(), -1) };
    let descriptors = Descriptors::new(RealDisk, 16);
    let fault = LoadedQuorum::load(other, &descriptors, reserve(directory.path())).err().unwrap();
    assert!(fault.to_string().contains("runs only a quorum of this node alone"), "{fault}");
}

#[tokio::test]
async fn metadata_that_is_gone_is_told_as_such() {
    let directory = fresh();
    std::fs::remove_dir_all(directory.path().join(METADATA_DIRECTORY)).unwrap();
    let descriptors = Descriptors::new(RealDisk, 16);
    let options = options(directory.path(), -1);
    let fault = LoadedQuorum::load(options, &descriptors, reserve(directory.path())).err().unwrap();
    assert!(fault.to_string().contains("if its files were removed, put them back"), "{fault}");
}

#[tokio::test]
async fn log_that_fails_ends_the_quorum_with_a_sentence() {
    let directory = fresh();
    let mut rolling = options(directory.path(), -1);
    rolling.limits.segment_bytes = 1;
    let (quorum, _) = start(rolling).await;
    // The next batch needs a new segment, and its directory is gone.
    let path = directory.path().join("__cluster_metadata-0");
    std::fs::rename(&path, directory.path().join("elsewhere")).unwrap();
    assert!(matches!(try_create(&quorum, "a").await, Err(QuorumError::Closed(_))));
    let reason = quorum.ended().await;
    assert!(reason.contains("__cluster_metadata-0"), "{reason}");
    assert!(matches!(quorum.submit(|_, _| Ok(Decision::answer(()))).await, Err(QuorumError::Closed(_))));
}

#[tokio::test]
async fn a_start_on_a_full_disk_says_that_it_is_full() {
    let directory = fresh();
    // What is written there finds no room.
    let log = directory.path().join(METADATA_DIRECTORY).join("00000000000000000000.log");
    std::os::unix::fs::symlink("/dev/full", &log).unwrap();
    let (options, descriptors) = (options(directory.path(), -1), Descriptors::new(RealDisk, 16));
    let loaded = LoadedQuorum::load(options, &descriptors, reserve(directory.path())).unwrap();
    let fault = loaded.start(|_: &Arc<Image>, _: &Delta| ()).await.err().unwrap();
    assert!(fault.no_space() && fault.to_string().contains(log.to_str().unwrap()), "{fault}");
}

#[tokio::test]
async fn metadata_of_a_newer_release_is_refused_with_the_way_out() {
    let directory = fresh();
    let (quorum, _) = start(options(directory.path(), -1)).await;
    let newer = metadata::controller::features::supported()["metadata.version"].max + 1;
    let raise = protocol::messages::record::feature_level_record::FeatureLevelRecord {
        name: "metadata.version".into(),
        feature_level: newer,
    };
    quorum.submit(move |_, _| Ok(Decision::new(vec![raise.into()], ()))).await.unwrap();
    quorum.stop().await;
    let descriptors = Descriptors::new(RealDisk, 16);
    let loaded = LoadedQuorum::load(options(directory.path(), -1), &descriptors, reserve(directory.path()));
    let fault = loaded.err().unwrap().to_string();
    assert!(fault.contains(&format!("was raised to metadata.version={newer}")), "{fault}");
    assert!(fault.contains("start the release that raised it"), "{fault}");
}
