//! Several log directories: partitions spread over them, one that fails, one that is not there, one that is cordoned.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use protocol::ErrorCode;
use protocol::id::{DirectoryId, NodeId, PartitionIndex};
use protocol::messages::alter_replica_log_dirs::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use protocol::messages::assign_replicas_to_dirs::{
    RequestDirectoryData, RequestPartitionData, RequestTopicData,
};
use protocol::messages::create_topics::CreatableTopic;
use protocol::messages::record::FeatureLevelRecord;
use protocol::messages::{
    AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, AssignReplicasToDirsRequest,
    AssignReplicasToDirsResponse, CreateTopicsRequest, CreateTopicsResponse, DescribeLogDirsRequest,
    DescribeLogDirsResponse, FetchRequest, FetchResponse, Message,
};
use raw::Client;
use raw::ask::{fetch_request, fetched};
use raw::batch::batch;
use raw::node::{TestNode, start};
use storage::format::{FormatRequest, FormatVoters};

const PARTITIONS: i32 = 6;

struct Directories {
    temp: tempfile::TempDir,
}

impl Directories {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir(temp.path().join("b")).unwrap();
        Self { temp }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    fn start(&self, more: &[(&str, &str)]) -> TestNode {
        let (a, b) = (self.path("a"), self.path("b"));
        // One that is not there is not made anew.
        let first = b.is_dir() && !b.join("meta.properties").exists();
        if first {
            // The helper formats the first, unless it is; the second is given the same cluster.
            start(&a, &[]).stop();
            let cluster = text(&a.join("meta.properties"), "cluster.id=");
            storage::log_dirs::format(
                &storage::RealDisk,
                &b,
                (&cluster, NodeId(1)),
                protocol::id::Timestamp(1),
            )
            .unwrap();
        }
        let both = format!("{},{}", a.display(), b.display());
        let mut settings = vec![("log.dirs", both.as_str())];
        settings.extend(more);
        start(&a, &settings)
    }
}

fn text(path: &Path, key: &str) -> String {
    let properties = std::fs::read_to_string(path).unwrap();
    properties.lines().find_map(|line| line.strip_prefix(key)).unwrap().to_owned()
}

fn create(client: &mut Client, name: &str) -> i16 {
    let topic = CreatableTopic {
        name: name.to_owned().into(),
        num_partitions: PARTITIONS,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic].into(),
        timeout_ms: 10_000,
        ..CreateTopicsRequest::default()
    };
    let body = client.ask(&request, 7);
    CreateTopicsResponse::decode(&body, 7).unwrap().topics.iter().next().unwrap().error_code
}

/// Writes a record to each partition, and waits until each has its directory: they come soon after the first one.
fn fill(directories: &Directories, client: &mut Client, topic: &str) {
    for partition in 0..PARTITIONS {
        assert_eq!(client.produce(topic, partition, batch(&["kept"])).error, 0);
    }
    let made = |name| partitions_in(&directories.path(name), topic).len();
    until("their files are made", || made("a") + made("b") == PARTITIONS as usize);
}

/// The partitions whose directory lies in a log directory.
fn partitions_in(path: &Path, topic: &str) -> Vec<i32> {
    let names = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
    let mut found: Vec<i32> = names
        .filter_map(|name| name.to_str()?.strip_prefix(topic)?.strip_prefix('-')?.parse().ok())
        .collect();
    found.sort_unstable();
    found
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within 10 s");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn said(node: &TestNode, topic: &str, partition: i32) -> (DirectoryId, Option<NodeId>) {
    let image = node.node().broker().image();
    let topic = image.topics.by_name(topic).unwrap();
    let partition = topic.partition(PartitionIndex(partition)).unwrap();
    (partition.directory_of(NodeId(1)), partition.leader)
}

fn id_of(node: &TestNode, path: &Path) -> DirectoryId {
    let broker = node.node().broker();
    broker.log_dirs.directories().find(|directory| directory.path() == path).unwrap().id()
}

/// A node with a record in each partition of `t`, its directories told to the controller.
fn filled(directories: &Directories) -> (TestNode, Vec<i32>, Vec<i32>) {
    let node = directories.start(&[]);
    let mut client = node.connect();
    assert_eq!(create(&mut client, "t"), 0);
    fill(directories, &mut client, "t");
    let (in_a, in_b) =
        (partitions_in(&directories.path("a"), "t"), partitions_in(&directories.path("b"), "t"));
    assert_eq!((in_a.len(), in_b.len()), (3, 3), "spread evenly");
    for (path, partitions) in [("a", &in_a), ("b", &in_b)] {
        let id = id_of(&node, &directories.path(path));
        for partition in partitions {
            until("the controller is told", || said(&node, "t", *partition).0 == id);
        }
    }
    (node, in_a, in_b)
}

#[test]
fn a_directory_that_fails_goes_alone_and_comes_back_with_the_next_start() {
    let directories = Directories::new();
    let (node, in_a, in_b) = filled(&directories);
    let broker = node.node().broker();
    let failing = broker.log_dirs.directories().find(|it| it.path() == directories.path("b")).unwrap();
    failing.state().take_offline("an I/O error");
    let mut client = node.connect();
    for partition in &in_b {
        let refused = client.produce("t", *partition, batch(&["lost"])).error;
        assert_eq!(refused, i16::from(ErrorCode::KafkaStorageError));
        until("its leaders are moved away", || said(&node, "t", *partition).1.is_none());
    }
    for partition in &in_a {
        assert_eq!(client.produce("t", *partition, batch(&["more"])).base_offset, 1);
    }
    assert_eq!(create(&mut client, "u"), 0);
    fill(&directories, &mut client, "u");
    assert_eq!(partitions_in(&directories.path("a"), "u").len(), 6, "nothing new goes there");
    node.stop();
    let node = directories.start(&[]);
    let mut client = node.connect();
    for partition in in_a.iter().chain(&in_b) {
        assert_eq!(client.fetch("t", *partition, 0).2[0], "kept");
        assert_eq!(said(&node, "t", *partition).1, Some(NodeId(1)));
    }
}

/// A session that follows one partition of `t` from behind its one record, and is at rest.
struct Follower {
    client: Client,
    session: i32,
    epoch: i32,
}

impl Follower {
    fn at_rest(node: &TestNode, partition: i32) -> Self {
        let mut client = node.connect();
        let request = FetchRequest { session_epoch: 0, ..fetch_request("t", partition, 1, 0) };
        let session = FetchResponse::decode(&client.ask(&request, 11), 11).unwrap().session_id;
        let mut follower = Self { client, session, epoch: 0 };
        assert_eq!(follower.poll(1), None);
        follower
    }

    /// What it hears of the partition: the error, and the values of records.
    fn poll(&mut self, wait_ms: i32) -> Option<(i16, Vec<String>)> {
        self.epoch += 1;
        let request = FetchRequest {
            topics: Vec::new().into(),
            session_id: self.session,
            session_epoch: self.epoch,
            ..fetch_request("t", 0, 0, wait_ms)
        };
        let body = self.client.ask(&request, 11);
        let response = FetchResponse::decode(&body, 11).unwrap();
        assert_eq!(response.error_code, 0);
        let (error, _, values) = fetched(&body, 11);
        (!response.responses.is_empty()).then_some((error, values))
    }
}

/// Formats the first directory with the metadata of Kafka 3.6, which knows of no directories.
fn format_as_of_3_6(directory: &Path) {
    let endpoint = raft::Endpoint { listener: "CONTROLLER".into(), host: "127.0.0.1".into(), port: 19093 };
    let cluster = storage::format::random_id().to_string();
    let voters = FormatVoters::Standalone(vec![endpoint]);
    let mut request = FormatRequest::new(cluster, NodeId(1), directory.to_owned(), voters);
    request.metadata_version = 14;
    let level = FeatureLevelRecord { name: "metadata.version".into(), feature_level: 14 };
    request.records = vec![level.into()];
    storage::format::format(&storage::RealDisk, &request, protocol::id::Timestamp(1)).unwrap();
}

#[test]
fn a_session_at_rest_hears_that_its_directory_has_failed_whatever_the_controller_makes_of_it() {
    let directories = Directories::new();
    format_as_of_3_6(&directories.path("a"));
    let node = directories.start(&[]);
    let mut client = node.connect();
    assert_eq!(create(&mut client, "t"), 0);
    fill(&directories, &mut client, "t");
    let b = directories.path("b");
    let mut follower = Follower::at_rest(&node, partitions_in(&b, "t")[0]);
    let broker = node.node().broker();
    broker.log_dirs.directories().find(|it| it.path() == b).unwrap().state().take_offline("an I/O error");
    let begun = Instant::now();
    let heard = follower.poll(30_000);
    assert_eq!(heard, Some((i16::from(ErrorCode::KafkaStorageError), Vec::new())));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_session_at_rest_hears_of_records_after_its_replica_has_moved() {
    let directories = Directories::new();
    let (node, in_a, _) = filled(&directories);
    let (b, partition) = (directories.path("b"), in_a[0]);
    let mut follower = Follower::at_rest(&node, partition);
    let mut client = node.connect();
    assert_eq!(move_to(&mut client, &b, "t", partition), 0);
    until("it has moved", || shown(&mut client, "t", partition) == [(b.clone(), false)]);
    assert_eq!(follower.poll(1), None);
    client.produce("t", partition, batch(&["after"]));
    assert_eq!(follower.poll(20_000), Some((0, vec!["after".to_owned()])));
}

#[test]
fn what_lies_in_a_directory_that_is_not_there_is_not_made_anew_elsewhere() {
    let directories = Directories::new();
    let (node, in_a, in_b) = filled(&directories);
    node.stop();
    let (b, away) = (directories.path("b"), directories.path("away"));
    std::fs::rename(&b, &away).unwrap();
    std::fs::write(&b, "no directory").unwrap();
    let node = directories.start(&[]);
    let mut client = node.connect();
    for partition in &in_b {
        let refused = client.produce("t", *partition, batch(&["lost"])).error;
        assert_eq!(refused, i16::from(ErrorCode::KafkaStorageError));
        assert_ne!(client.fetch("t", *partition, 0).0, 0);
    }
    assert_eq!(client.fetch("t", in_a[0], 0).2, ["kept"]);
    assert_eq!(partitions_in(&directories.path("a"), "t"), in_a);
    assert_eq!(node.node().broker().missing.count(), 3);
    node.stop();
    std::fs::remove_file(&b).unwrap();
    std::fs::rename(&away, &b).unwrap();
    let node = directories.start(&[]);
    for partition in in_a.iter().chain(&in_b) {
        assert_eq!(node.connect().fetch("t", *partition, 0).2, ["kept"]);
    }
}

#[test]
fn a_cordoned_directory_takes_nothing_new_and_serves_what_it_has() {
    let directories = Directories::new();
    let (node, _, in_b) = filled(&directories);
    node.stop();
    let b = directories.path("b");
    let node = directories.start(&[("cordoned.log.dirs", b.to_str().unwrap())]);
    let id = id_of(&node, &b);
    let known = |node: &TestNode| {
        let image = node.node().broker().image();
        image.cluster.broker(NodeId(1)).unwrap().cordoned_log_dirs.clone().unwrap_or_default()
    };
    until("the controller is told", || known(&node) == [id]);
    let mut client = node.connect();
    assert_eq!(create(&mut client, "u"), 0);
    fill(&directories, &mut client, "u");
    assert_eq!(partitions_in(&directories.path("a"), "u").len(), 6);
    assert_eq!(client.produce("t", in_b[0], batch(&["more"])).base_offset, 1);
    let refused = i16::from(ErrorCode::InvalidReplicaAssignment);
    assert_eq!(move_to(&mut client, &b, "t", in_b[0]), refused, "not even what is there");
    node.stop();
    let node = directories.start(&[("cordoned.log.dirs", "*")]);
    until("the controller is told", || known(&node).len() == 2);
    assert_eq!(create(&mut node.connect(), "v"), i16::from(ErrorCode::InvalidReplicationFactor));
    node.stop();
    let node = directories.start(&[]);
    until("the controller is told", || known(&node).is_empty());
    assert_eq!(create(&mut node.connect(), "v"), 0);
    fill(&directories, &mut node.connect(), "v");
    assert!(!partitions_in(&b, "v").is_empty());
}

fn move_to(client: &mut Client, path: &Path, topic: &str, partition: i32) -> i16 {
    let topic = AlterReplicaLogDirTopic { name: topic.to_owned().into(), partitions: vec![partition].into() };
    let directory =
        AlterReplicaLogDir { path: path.to_str().unwrap().to_owned().into(), topics: vec![topic].into() };
    let body = client.ask(&AlterReplicaLogDirsRequest { dirs: vec![directory].into() }, 2);
    let answer = AlterReplicaLogDirsResponse::decode(&body, 2).unwrap();
    let result = answer.results.iter().next().unwrap();
    result.partitions.iter().next().unwrap().error_code
}

/// Where DescribeLogDirs shows a partition: the directory, and whether it is on its way there.
fn shown(client: &mut Client, topic: &str, partition: i32) -> Vec<(PathBuf, bool)> {
    let body = client.ask(&DescribeLogDirsRequest { topics: None }, 4);
    let answer = DescribeLogDirsResponse::decode(&body, 4).unwrap();
    let mut found = Vec::new();
    for directory in &answer.results {
        for of_topic in directory.topics.iter().filter(|of_topic| of_topic.name == topic) {
            let here = of_topic.partitions.iter().filter(|it| it.partition_index == partition);
            found.extend(here.map(|it| (PathBuf::from(&*directory.log_dir), it.is_future_key)));
        }
    }
    found
}

fn all_values(client: &mut Client, topic: &str, partition: i32, count: usize) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    while values.len() < count {
        let (error, _, more) = client.fetch(topic, partition, values.len() as i64);
        assert_eq!(error, 0);
        assert!(!more.is_empty(), "{} of {count}", values.len());
        values.extend(more);
    }
    values
}

#[test]
fn a_replica_moves_while_it_is_written_and_nothing_is_lost() {
    let directories = Directories::new();
    let (node, in_a, _) = filled(&directories);
    let (a, b, partition) = (directories.path("a"), directories.path("b"), in_a[0]);
    let mut client = node.connect();
    let long = "x".repeat(100_000);
    for _ in 0..100 {
        assert_eq!(client.produce("t", partition, batch(&[&long])).error, 0);
    }
    assert_eq!(move_to(&mut client, &b, "t", partition), 0);
    let mut count = 101;
    until("it has moved", || {
        assert_eq!(client.produce("t", partition, batch(&["during"])).base_offset, count);
        count += 1;
        shown(&mut client, "t", partition) == [(b.clone(), false)]
    });
    for _ in 0..5 {
        assert_eq!(client.produce("t", partition, batch(&["after"])).base_offset, count);
        count += 1;
    }
    let values = all_values(&mut client, "t", partition, usize::try_from(count).unwrap());
    assert_eq!(
        (values[0].as_str(), values[50].len(), values.last().unwrap().as_str()),
        ("kept", 100_000, "after")
    );
    assert!(!partitions_in(&a, "t").contains(&partition) && partitions_in(&b, "t").contains(&partition));
    let id = id_of(&node, &b);
    until("the controller is told", || said(&node, "t", partition).0 == id);
    node.stop();
    let node = directories.start(&[]);
    let values = all_values(&mut node.connect(), "t", partition, usize::try_from(count).unwrap());
    assert_eq!(values.last().unwrap(), "after");
}

#[test]
fn a_move_is_slowed_shown_given_up_and_taken_up_again_at_a_start() {
    let directories = Directories::new();
    let (node, in_a, _) = filled(&directories);
    let (a, b, partition) = (directories.path("a"), directories.path("b"), in_a[0]);
    node.stop();
    let slow = [("replica.alter.log.dirs.io.max.bytes.per.second", "1000")];
    let node = directories.start(&slow);
    let mut client = node.connect();
    let long = "x".repeat(1000);
    for _ in 0..3000 {
        assert_eq!(client.produce("t", partition, batch(&[&long])).error, 0);
    }
    let both = [(a.clone(), false), (b.clone(), true)];
    assert_eq!(move_to(&mut client, &b, "t", partition), 0);
    assert_eq!(shown(&mut client, "t", partition), both);
    assert_eq!(move_to(&mut client, &a, "t", partition), 0);
    assert_eq!(shown(&mut client, "t", partition), both[..1]);
    assert_eq!(move_to(&mut client, &b, "t", partition), 0);
    node.stop();
    let node = directories.start(&slow);
    let mut client = node.connect();
    assert_eq!(shown(&mut client, "t", partition), both, "it goes on");
    node.stop();
    let node = directories.start(&[]);
    let mut client = node.connect();
    until("it has moved", || shown(&mut client, "t", partition) == [(b.clone(), false)]);
    assert_eq!(all_values(&mut client, "t", partition, 3001).len(), 3001);
    let names = std::fs::read_dir(&b).unwrap().map(|entry| entry.unwrap().file_name());
    let futures = names.filter(|name| name.to_str().unwrap().ends_with("-future"));
    assert_eq!(futures.count(), 0);
}

#[test]
fn a_crash_between_the_two_renames_leaves_the_copy_as_the_replica() {
    let directories = Directories::new();
    let (node, in_a, _) = filled(&directories);
    let (a, b, partition) = (directories.path("a"), directories.path("b"), in_a[0]);
    node.stop();
    let name = format!("t-{partition}");
    let copy = b.join(format!("{name}.0123456789abcdef0123456789abcdef-future"));
    std::fs::rename(a.join(&name), &copy).unwrap();
    let node = directories.start(&[]);
    assert_eq!(node.connect().fetch("t", partition, 0).2, ["kept"]);
    assert!(b.join(&name).exists() && !copy.exists() && !a.join(&name).exists());
}

#[test]
fn moves_that_cannot_be_are_refused_as_kafka_refuses_them() {
    let directories = Directories::new();
    let (node, in_a, _) = filled(&directories);
    let mut client = node.connect();
    let b = directories.path("b");
    let refused = |client: &mut Client, path: &Path, topic: &str, index: i32| {
        ErrorCode::from_i16(move_to(client, path, topic, index)).unwrap()
    };
    assert_eq!(refused(&mut client, Path::new("/nowhere"), "t", 0), ErrorCode::LogDirNotFound);
    assert_eq!(refused(&mut client, &b, "unknown", 0), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(refused(&mut client, &b, "t", 99), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(refused(&mut client, &directories.path("a"), "t", in_a[0]), ErrorCode::None);
    let broker = node.node().broker();
    broker.log_dirs.directories().find(|it| it.path() == b).unwrap().state().take_offline("an I/O error");
    assert_eq!(refused(&mut client, &b, "t", in_a[0]), ErrorCode::KafkaStorageError);
}

#[test]
fn as_many_threads_move_replicas_as_are_asked_for() {
    let directories = Directories::new();
    let (node, in_a, _) = filled(&directories);
    node.stop();
    let node = directories.start(&[("num.replica.alter.log.dirs.threads", "7")]);
    // A thread takes its name once it runs.
    until("the seventh thread runs", || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let mut named =
            tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
        named.any(|name| name.trim() == "replica-moves-6")
    });
    let (b, mut client) = (directories.path("b"), node.connect());
    for partition in &in_a {
        assert_eq!(move_to(&mut client, &b, "t", *partition), 0);
    }
    for partition in in_a {
        until("it has moved", || shown(&mut client, "t", partition) == [(b.clone(), false)]);
        assert_eq!(all_values(&mut client, "t", partition, 1), ["kept"]);
    }
}

#[test]
fn the_controllers_port_hears_where_replicas_lie() {
    let directories = Directories::new();
    let (node, in_a, _) = filled(&directories);
    let broker = node.node().broker();
    let topic = broker.image().topics.by_name("t").unwrap().id;
    let mut client = Client::connect(node.node().addresses()[1].1);
    let mut told = |directory: DirectoryId, epoch: i64, partitions: &[i32]| {
        let partition = |index: &i32| RequestPartitionData { partition_index: *index };
        let partitions: Vec<_> = partitions.iter().map(partition).collect();
        let topics = vec![RequestTopicData { topic_id: topic, partitions: partitions.into() }];
        let directories = vec![RequestDirectoryData { id: directory, topics: topics.into() }].into();
        let request = AssignReplicasToDirsRequest { broker_id: 1, broker_epoch: epoch, directories };
        let body = client.ask(&request, 0);
        let answer = AssignReplicasToDirsResponse::decode(&body, 0).unwrap();
        let mut codes = Vec::new();
        for directory in &answer.directories {
            for topic in &directory.topics {
                codes.extend(topic.partitions.iter().map(|partition| partition.error_code));
            }
        }
        (answer.error_code, codes)
    };
    let (epoch, there) = (broker.quorum.broker_epoch().0, id_of(&node, &directories.path("b")));
    let unknown = i16::from(ErrorCode::UnknownTopicOrPartition);
    assert_eq!(told(there, epoch, &[in_a[0], 99]), (0, vec![0, unknown]));
    assert_eq!(said(&node, "t", in_a[0]).0, there);
    assert_eq!(told(there, epoch + 1, &[in_a[1]]), (ErrorCode::StaleBrokerEpoch.into(), vec![]));
}
