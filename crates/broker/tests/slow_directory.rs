//! A log directory whose disk stalls holds up what touches it and nothing else.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use broker::runtime::partitions::Replica;
use coordinator::partitioning::partition_of;
use protocol::id::{NodeId, PartitionIndex, Timestamp};
use protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::{
    ApiVersionsRequest, FindCoordinatorRequest, ListOffsetsRequest, ListOffsetsResponse, Message,
    MetadataRequest, OffsetCommitRequest, OffsetCommitResponse,
};
use raw::Client;
use raw::batch::batch;
use raw::node::{TestNode, start};
use storage::RealDisk;
use storage::log_directory::LogDirectory;

/// How long the disk stalls.
const STALL: Duration = Duration::from_secs(2);
/// The slowest of a hundred answers.
const P99_MAX: Duration = Duration::from_millis(100);

fn replica(node: &TestNode, topic: &str) -> Arc<Replica> {
    let topic = node.node().broker().partitions.by_name(topic).unwrap();
    topic.get(PartitionIndex(0)).unwrap().clone()
}

/// A node with two directories, and a topic in each.
fn node() -> (tempfile::TempDir, TestNode, [String; 2]) {
    let root = tempfile::tempdir().unwrap();
    let directories = [root.path().join("one"), root.path().join("other")];
    std::fs::create_dir(&directories[0]).unwrap();
    let alone = start(&directories[0], &[]);
    let cluster = alone.node().broker().cluster_id.to_string();
    alone.stop();
    storage::log_dirs::format(&RealDisk, &directories[1], (&cluster, NodeId(1)), Timestamp(1)).unwrap();
    let both = format!("{},{}", directories[0].display(), directories[1].display());
    let node = start(&directories[0], &[("log.dirs", &both)]);
    let mut client = node.connect();
    client.create(&["a", "b", "c"]);
    let of = |topic: &str| replica(&node, topic).directory().id();
    let other = ["b", "c"].into_iter().find(|topic| of(topic) != of("a")).unwrap();
    for topic in ["a", other] {
        assert_eq!(client.produce(topic, 0, batch(&["first"])).error, 0);
    }
    (root, node, ["a".to_owned(), other.to_owned()])
}

/// Until the write under way has marked the directory: requests that all begin in the instant before could take every thread.
fn until_slow(directory: &LogDirectory) {
    while !directory.pace().is_slow() {
        std::thread::yield_now();
    }
}

/// How long each of many requests takes, as long as `on`.
fn times(client: &mut Client, on: &AtomicBool, mut ask: impl FnMut(&mut Client)) -> Vec<Duration> {
    let mut times = Vec::new();
    while on.load(Ordering::SeqCst) {
        let begun = Instant::now();
        ask(client);
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    times
}

fn list_offsets(topic: &str) -> ListOffsetsRequest<'_> {
    let partition = ListOffsetsPartition { timestamp: 5, ..ListOffsetsPartition::default() };
    let topic = ListOffsetsTopic { name: topic.into(), partitions: vec![partition].into() };
    ListOffsetsRequest { replica_id: -1, topics: vec![topic].into(), ..ListOffsetsRequest::default() }
}

#[test]
fn a_stalled_directory_holds_up_its_own_partitions_only() {
    let (_root, node, [stalled, sound]) = node();
    let replica = replica(&node, &stalled);
    let on = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let (mut writers, mut others) = (Vec::new(), Vec::new());
        // A write that the disk does not take: it is under way, with the log in hand.
        let directory = replica.directory();
        let writing = directory.pace().write();
        let log = replica.log().unwrap();
        let begun = Instant::now();
        until_slow(&directory);
        for number in 0..6 {
            let (node, stalled) = (&node, &stalled);
            writers.push(scope.spawn(move || {
                let mut client = node.connect();
                match number % 3 {
                    0 => assert_eq!(client.produce(stalled, 0, batch(&["second"])).error, 0),
                    1 => assert_eq!(client.fetch(stalled, 0, 0).0, 0),
                    _ => {
                        let body = client.ask(&list_offsets(stalled), 7);
                        let response = ListOffsetsResponse::decode(&body, 7).unwrap();
                        let topic = response.topics.iter().next().unwrap();
                        assert_eq!(topic.partitions.iter().next().unwrap().error_code, 0);
                    }
                }
                Instant::now()
            }));
        }
        let (node, on, sound) = (&node, &on, &sound);
        others.push((
            "ApiVersions",
            scope.spawn(move || {
                times(&mut node.connect(), on, |client| drop(client.ask(&ApiVersionsRequest::default(), 0)))
            }),
        ));
        others.push((
            "Metadata",
            scope.spawn(move || {
                times(&mut node.connect(), on, |client| drop(client.ask(&MetadataRequest::default(), 1)))
            }),
        ));
        others.push((
            "Produce",
            scope.spawn(move || {
                times(&mut node.connect(), on, |client| {
                    assert_eq!(client.produce(sound, 0, batch(&["more"])).error, 0);
                })
            }),
        ));
        while begun.elapsed() < STALL {
            std::thread::yield_now();
        }
        on.store(false, Ordering::SeqCst);
        for (what, times) in others.drain(..) {
            let times = times.join().unwrap();
            let p99 = times[times.len() * 99 / 100];
            println!("{what}: {} answers, p99 {p99:?}, slowest {:?}", times.len(), times.last());
            assert!(times.len() > 100 && p99 < P99_MAX, "{what}: {} answers, p99 {p99:?}", times.len());
        }
        let freed = Instant::now();
        drop((log, writing));
        for writer in writers.drain(..) {
            assert!(writer.join().unwrap() >= freed, "what touches the directory waits for it");
        }
    });
    let records = node.connect().fetch(&stalled, 0, 0).2;
    assert_eq!(records, ["first", "second", "second"]);
}

/// Commits an offset of a topic for a group that nobody has joined; the error.
fn commit(client: &mut Client, group: &str, topic: &str) -> i16 {
    let partition = OffsetCommitRequestPartition { committed_offset: 5, ..Default::default() };
    let topic = OffsetCommitRequestTopic {
        name: topic.to_owned().into(),
        partitions: vec![partition].into(),
        ..OffsetCommitRequestTopic::default()
    };
    let request = OffsetCommitRequest {
        group_id: group.to_owned().into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic].into(),
        ..OffsetCommitRequest::default()
    };
    let body = client.ask(&request, 5);
    let response = OffsetCommitResponse::decode(&body, 5).unwrap();
    response.topics.iter().next().unwrap().partitions.iter().next().unwrap().error_code
}

#[test]
fn a_stalled_directory_holds_up_its_own_groups_only() {
    let (_root, node, [topic, _]) = node();
    let mut client = node.connect();
    let request = FindCoordinatorRequest { key: "g0".into(), ..FindCoordinatorRequest::default() };
    client.ask(&request, 0);
    let offsets = node.node().broker().partitions.by_name("__consumer_offsets").unwrap();
    let home = |group: &str| offsets.get(partition_of(group, 50)).unwrap().clone();
    let stalled = home("g0");
    let sound = (1..).map(|number| format!("g{number}"));
    let sound = sound.into_iter().find(|group| home(group).directory().id() != stalled.directory().id());
    let sound = sound.unwrap();
    assert_eq!((commit(&mut client, "g0", &topic), commit(&mut client, &sound, &topic)), (0, 0));
    let on = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let directory = stalled.directory();
        let writing = directory.pace().write();
        let log = stalled.log().unwrap();
        let begun = Instant::now();
        until_slow(&directory);
        let (node, on, topic, sound) = (&node, &on, &topic, &sound);
        let committers: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(move || {
                    assert_eq!(commit(&mut node.connect(), "g0", topic), 0);
                    Instant::now()
                })
            })
            .collect();
        let others = scope.spawn(move || {
            times(&mut node.connect(), on, |client| assert_eq!(commit(client, sound, topic), 0))
        });
        while begun.elapsed() < STALL {
            std::thread::yield_now();
        }
        on.store(false, Ordering::SeqCst);
        let times = others.join().unwrap();
        let p99 = times[times.len() * 99 / 100];
        assert!(times.len() > 100 && p99 < P99_MAX, "{} commits elsewhere, p99 {p99:?}", times.len());
        let freed = Instant::now();
        drop((log, writing));
        for committer in committers {
            assert!(committer.join().unwrap() >= freed, "what touches the directory waits for it");
        }
    });
}
