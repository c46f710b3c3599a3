//! A log directory whose disk stalls holds up what touches it and nothing else.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use broker::runtime::partitions::Replica;
use coordinator::partitioning::partition_of;
use protocol::id::{NodeId, PartitionIndex, Timestamp};
use protocol::messages::fetch::{FetchPartition, FetchTopic};
use protocol::messages::join_group::JoinGroupRequestProtocol;
use protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::{
    ApiVersionsRequest, DeleteTopicsRequest, DescribeGroupsRequest, DescribeGroupsResponse, FetchRequest,
    FetchResponse, FindCoordinatorRequest, JoinGroupRequest, JoinGroupResponse, ListOffsetsRequest,
    ListOffsetsResponse, Message, MetadataRequest, OffsetCommitRequest, OffsetCommitResponse,
};
use raw::Client;
use raw::batch::batch;
use raw::node::{TestNode, start};
use storage::RealDisk;

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
    node_with(&[])
}

fn node_with(settings: &[(&str, &str)]) -> (tempfile::TempDir, TestNode, [String; 2]) {
    let root = tempfile::tempdir().unwrap();
    let directories = [root.path().join("one"), root.path().join("other")];
    std::fs::create_dir(&directories[0]).unwrap();
    let alone = start(&directories[0], &[]);
    let cluster = alone.node().broker().cluster_id.to_string();
    alone.stop();
    storage::log_dirs::format(&RealDisk, &directories[1], (&cluster, NodeId(1)), Timestamp(1)).unwrap();
    let both = format!("{},{}", directories[0].display(), directories[1].display());
    let node = start(&directories[0], &[&[("log.dirs", &*both)], settings].concat());
    let mut client = node.connect();
    client.create(&["a", "b", "c"]);
    let of = |topic: &str| replica(&node, topic).directory().id();
    let other = ["b", "c"].into_iter().find(|topic| of(topic) != of("a")).unwrap();
    for topic in ["a", other] {
        assert_eq!(client.produce(topic, 0, batch(&["first"])).error, 0);
    }
    (root, node, ["a".to_owned(), other.to_owned()])
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
        let writing = directory.pace().write(0);
        let log = replica.log().unwrap();
        let begun = Instant::now();
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

/// Reads enough of a topic's beginning that it is not looked at on the spot.
fn read_old(client: &mut Client, topic: &str, version: i16) {
    let mut request = raw::ask::fetch_request(topic, 0, 0, 0);
    request.max_bytes = 150 << 10;
    let body = client.ask(&request, version);
    assert!(body.len() > 100 << 10, "{} bytes", body.len());
}

/// While `free` has not been called, those who read what lies on one directory wait, and those of the other do not.
/// What is read here comes by way of threads that give way to everybody, also to the tests beside this one: so the bound is that of who
/// does not wait for the stall.
fn stalled_readers(node: &TestNode, [stalled, sound]: &[String; 2], versions: &[i16], free: impl FnOnce()) {
    let on = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let reader = |version| {
            scope.spawn(move || {
                read_old(&mut node.connect(), stalled, version);
                Instant::now()
            })
        };
        let waiting: Vec<_> = versions.iter().cycle().take(20).map(|version| reader(*version)).collect();
        let others = [12, 2].map(|version| {
            let on = &on;
            let reads = move || times(&mut node.connect(), on, |client| read_old(client, sound, version));
            (version, scope.spawn(reads))
        });
        std::thread::sleep(STALL);
        on.store(false, Ordering::SeqCst);
        for (version, times) in others {
            let times = times.join().unwrap();
            let p99 = times[times.len() * 99 / 100];
            println!("version {version}: {} answers, p99 {p99:?}, slowest {:?}", times.len(), times.last());
            // Who waits for the stall has one answer at most.
            assert!(
                times.len() > 10 && p99 < STALL / 2,
                "version {version}: {} answers, {p99:?}",
                times.len()
            );
        }
        let freed = Instant::now();
        free();
        for waiting in waiting {
            assert!(waiting.join().unwrap() >= freed, "who reads what lies there waits for it");
        }
    });
}

#[test]
fn a_stalled_directory_holds_up_its_own_cold_readers_only() {
    // As after a start, at every reading. The memory is enough for a few answers in the old formats.
    let cold = [("headwater.fetch.check", "always"), ("headwater.request.memory.bytes", "4194304")];
    let (_root, node, topics) = node_with(&cold);
    let mut client = node.connect();
    let value = "v".repeat(100 << 10);
    for topic in &topics {
        for _ in 0..2 {
            assert_eq!(client.produce(topic, 0, batch(&[&value])).error, 0);
        }
    }
    let broker = node.node().broker();
    let directory = replica(&node, &topics[0]).directory().id();
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (free, hangs) = std::sync::mpsc::channel::<()>();
    let (hang, is_hung) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let hung = || {
            broker.cold_reads.hold_up(directory, move || {
                hang.send(()).unwrap();
                let _freed = hangs.recv();
            })
        };
        scope.spawn(|| runtime().block_on(hung()).unwrap());
        is_hung.recv().unwrap();
        stalled_readers(&node, &topics, &[12, 2], || drop(free));
    });
    // The same where the old readers come to the disk themselves.
    let begun = runtime().block_on(async {
        let mut begun = Vec::new();
        for _ in 0..4 {
            begun.push(broker.conversions.begin(directory).await);
        }
        begun
    });
    // Who asks for what lies on both holds memory by then, and does not wait with it for the one that hangs.
    let mut request = raw::ask::fetch_request(&topics[1], 0, 0, 0);
    let other = raw::ask::fetch_request(&topics[0], 0, 0, 0);
    let both = request.topics.into_vec().into_iter().chain(other.topics.into_vec());
    request.topics = both.collect::<Vec<_>>().into();
    let body = client.ask(&request, 2);
    let response = FetchResponse::decode(&body, 2).unwrap();
    let sizes: Vec<_> = response
        .responses
        .iter()
        .map(|topic| topic.partitions.iter().next().unwrap().records.map_or(0, |records| records.len()))
        .collect();
    assert!(matches!(sizes[..], [sound, 0] if sound > 100 << 10), "{sizes:?}");
    stalled_readers(&node, &topics, &[2], || drop(begun));
}

/// A fetch of the first partition and very many that there are not: of 3,000 it draws less than half a mebibyte that all
/// share, of 4,000 more. Then come the first partitions of others.
fn of_very_many(count: i32, topic: &str, others: &[&str]) -> FetchRequest<'static> {
    let mut request = raw::ask::fetch_request(topic, 0, 0, 0);
    let partition =
        |partition| FetchPartition { partition, partition_max_bytes: 1 << 20, ..Default::default() };
    let partitions = (0..count).map(partition).collect();
    let mut topics = vec![FetchTopic { topic: topic.to_owned().into(), partitions, ..Default::default() }];
    topics.extend(others.iter().flat_map(|other| raw::ask::fetch_request(other, 0, 0, 0).topics.into_vec()));
    request.topics = topics.into();
    request
}

/// The bytes of the records of a topic's first partition.
fn first_of(body: &[u8], topic: &str) -> usize {
    let response = FetchResponse::decode(body, 11).unwrap();
    let mut first = Vec::new();
    for answered in response.responses.iter().filter(|answered| *answered.topic == *topic) {
        let of_it = answered.partitions.iter().filter(|partition| partition.partition_index == 0);
        first.extend(of_it.map(|partition| partition.records.as_ref().map_or(0, |records| records.len())));
    }
    assert_eq!(first.len(), 1);
    first[0]
}

#[test]
fn who_waits_for_a_disk_that_hangs_gives_the_memory_of_all_back() {
    let cold = [("headwater.fetch.check", "always"), ("headwater.request.memory.bytes", "1048576")];
    let (_root, node, [stalled, sound]) = node_with(&cold);
    let mut client = node.connect();
    let value = "v".repeat(300 << 10);
    for topic in [&stalled, &sound] {
        for _ in 0..2 {
            assert_eq!(client.produce(topic, 0, batch(&[&value])).error, 0);
        }
    }
    let broker = node.node().broker();
    let directory = replica(&node, &stalled).directory().id();
    let (free, hangs) = std::sync::mpsc::channel::<()>();
    let (hang, is_hung) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let hung = broker.cold_reads.hold_up(directory, move || {
                hang.send(()).unwrap();
                let _freed = hangs.recv();
            });
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(hung).unwrap();
        });
        is_hung.recv().unwrap();
        let (node, stalled) = (&node, &stalled);
        let waiting = [(), ()].map(|()| {
            scope.spawn(move || first_of(&node.connect().ask(&of_very_many(3000, stalled, &[]), 11), stalled))
        });
        while broker.request_memory.bytes_left() > 512 << 10 {
            std::thread::yield_now();
        }
        let (answered, is_answered) = std::sync::mpsc::channel();
        let sound = &sound;
        scope.spawn(move || {
            let _late =
                answered.send(first_of(&node.connect().ask(&of_very_many(3000, sound, &[]), 11), sound));
        });
        let answered = is_answered.recv_timeout(Duration::from_secs(20));
        drop(free);
        assert!(answered.is_ok_and(|bytes| bytes > 300 << 10), "{answered:?}");
        let got: Vec<_> = waiting.into_iter().map(|waiting| waiting.join().unwrap()).collect();
        assert!(got.contains(&0), "who waited longest comes again: {got:?}");
    });
}

#[test]
fn who_waits_for_the_thread_of_a_slow_directory_gets_what_lies_elsewhere_and_gives_the_memory_back() {
    let (_root, node, [stalled, sound]) = node_with(&[("headwater.request.memory.bytes", "1048576")]);
    let broker = node.node().broker();
    let replica = replica(&node, &stalled);
    std::thread::scope(|scope| {
        // A write that the disk does not take.
        let directory = replica.directory();
        let writing = directory.pace().write(0);
        let log = replica.log().unwrap();
        while !replica.may_stall() {
            std::thread::yield_now();
        }
        let (node, stalled, sound) = (&node, &stalled, &sound);
        let (late, is_late) = std::sync::mpsc::channel();
        scope.spawn(move || {
            let body = node.connect().ask(&of_very_many(4000, stalled, &[sound]), 11);
            let _late = late.send([stalled, sound].map(|topic| first_of(&body, topic) > 0));
        });
        while broker.request_memory.bytes_left() > 512 << 10 {
            std::thread::yield_now();
        }
        let (answered, is_answered) = std::sync::mpsc::channel();
        scope.spawn(move || {
            let body = node.connect().ask(&of_very_many(4000, sound, &[]), 11);
            let _late = answered.send(first_of(&body, sound) > 0);
        });
        let late = is_late.recv_timeout(Duration::from_secs(30));
        let answered = is_answered.recv_timeout(Duration::from_secs(30));
        drop((log, writing));
        assert_eq!(late, Ok([false, true]), "it has what is on the other disk, and comes again for the rest");
        assert_eq!(answered, Ok(true));
    });
}

/// Commits an offset of a topic for a group that nobody has joined.
fn commit_request(group: &str, topic: &str) -> OffsetCommitRequest<'static> {
    let partition = OffsetCommitRequestPartition { committed_offset: 5, ..Default::default() };
    let topic = OffsetCommitRequestTopic {
        name: topic.to_owned().into(),
        partitions: vec![partition].into(),
        ..OffsetCommitRequestTopic::default()
    };
    OffsetCommitRequest {
        group_id: group.to_owned().into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic].into(),
        ..OffsetCommitRequest::default()
    }
}

/// The error of such a commit.
fn commit(client: &mut Client, group: &str, topic: &str) -> i16 {
    committed(&client.ask(&commit_request(group, topic), 5))
}

fn committed(body: &[u8]) -> i16 {
    let response = OffsetCommitResponse::decode(body, 5).unwrap();
    response.topics.iter().next().unwrap().partitions.iter().next().unwrap().error_code
}

/// Where the offsets of groups lie, once there is a topic for them.
fn homes(node: &TestNode, client: &mut Client) -> impl Fn(&str) -> Arc<Replica> + use<> {
    let request = FindCoordinatorRequest { key: "g0".into(), ..FindCoordinatorRequest::default() };
    client.ask(&request, 0);
    let offsets = node.node().broker().partitions.by_name("__consumer_offsets").unwrap();
    move |group| offsets.get(partition_of(group, 50)).unwrap().clone()
}

#[test]
fn a_stalled_directory_holds_up_its_own_groups_only() {
    let (_root, node, [topic, _]) = node();
    let mut client = node.connect();
    let home = homes(&node, &mut client);
    let stalled = home("g0");
    let sound = (1..).map(|number| format!("g{number}"));
    let sound = sound.into_iter().find(|group| home(group).directory().id() != stalled.directory().id());
    let sound = sound.unwrap();
    assert_eq!((commit(&mut client, "g0", &topic), commit(&mut client, &sound, &topic)), (0, 0));
    let on = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let directory = stalled.directory();
        let writing = directory.pace().write(0);
        let log = stalled.log().unwrap();
        let begun = Instant::now();
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

/// Requests that begin in the same instant, before anything is known of the stall, and one that has nothing to do with it.
fn in_one_instant(node: &TestNode, replica: &Replica, frames: impl Fn(&mut Client) -> Vec<u8>) {
    let mut clients: Vec<Client> = (0..8).map(|_| node.connect()).collect();
    let mut other = node.connect();
    other.ask(&ApiVersionsRequest::default(), 0);
    for round in 0..40 {
        let together = Barrier::new(clients.len());
        std::thread::scope(|scope| {
            let log = replica.log().unwrap();
            let asking = clients.iter_mut().map(|client| {
                let (frame, together) = (frames(client), &together);
                scope.spawn(move || {
                    together.wait();
                    client.send(&frame);
                    client.receive();
                })
            });
            let asking: Vec<_> = asking.collect();
            let frame = other.frame(&ApiVersionsRequest::default(), 0);
            let stream = other.stream();
            stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
            // Once they have all begun: a connection that is served by nobody then is served by nobody until the end.
            while replica.directory().pace().threads() < 2 {
                std::thread::yield_now();
            }
            other.send(&frame);
            let mut length = [0; 4];
            let answered = other.stream().read_exact(&mut length);
            drop(log);
            for asking in asking {
                asking.join().unwrap();
            }
            assert!(answered.is_ok(), "round {round}: nobody is left to serve others: {answered:?}");
            let mut rest = vec![0; u32::from_be_bytes(length) as usize];
            other.stream().read_exact(&mut rest).unwrap();
        });
    }
}

/// No write is ever known to be slow: what counts is how many are at the directory.
const NEVER_SLOW: (&str, &str) = ("headwater.directory.slow.ms", "3600000");

#[test]
fn produces_of_one_instant_leave_a_thread_to_others() {
    let (_root, node, [topic, _]) = node_with(&[NEVER_SLOW]);
    in_one_instant(&node, &replica(&node, &topic), |client| {
        client.frame(&raw::ask::produce_request(&topic, 0, 1, batch(&["more"])), 7)
    });
}

#[test]
fn fetches_of_one_instant_leave_a_thread_to_others() {
    let (_root, node, [topic, _]) = node_with(&[NEVER_SLOW]);
    in_one_instant(&node, &replica(&node, &topic), |client| {
        client.frame(&raw::ask::fetch_request(&topic, 0, 0, 0), 11)
    });
}

#[test]
fn commits_of_one_instant_leave_a_thread_to_others() {
    let (_root, node, [topic, _]) = node_with(&[NEVER_SLOW]);
    let mut client = node.connect();
    let stalled = homes(&node, &mut client)("g0");
    assert_eq!(commit(&mut client, "g0", &topic), 0);
    in_one_instant(&node, &stalled, |client| client.frame(&commit_request("g0", &topic), 5));
}

#[test]
fn a_thousand_commits_that_wait_for_a_disk_leave_threads_to_others() {
    let (_root, node, [topic, _]) = node();
    let mut client = node.connect();
    let stalled = homes(&node, &mut client)("g0");
    assert_eq!(commit(&mut client, "g0", &topic), 0);
    let connected = |_| {
        let mut client = node.connect();
        // Only so many may wait to be accepted.
        client.ask(&ApiVersionsRequest::default(), 0);
        client
    };
    let mut clients: Vec<Client> = (0..1000).map(connected).collect();
    let log = stalled.log().unwrap();
    for client in &mut clients {
        let frame = client.frame(&commit_request("g0", &topic), 5);
        client.send(&frame);
    }
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let on = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            times(&mut node.connect(), &on, |client| drop(client.ask(&ApiVersionsRequest::default(), 0)))
        });
        std::thread::sleep(STALL / 2);
        on.store(false, Ordering::SeqCst);
        let times = others.join().unwrap();
        let p99 = times[times.len() * 99 / 100];
        assert!(times.len() > 100 && p99 < P99_MAX, "{} answers, p99 {p99:?}", times.len());
    });
    let most = threads();
    drop(log);
    for client in &mut clients {
        assert_eq!(committed(&client.answer::<OffsetCommitRequest<'_>>(5)), 0);
    }
    assert!(most < 100, "{most} threads for requests that wait");
}

/// Has somebody join a group who gives the session this long and is never heard of again.
fn join(client: &mut Client, group: &str, session_ms: i32) {
    let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: vec![0, 0].into() };
    let request = JoinGroupRequest {
        group_id: group.to_owned().into(),
        session_timeout_ms: session_ms,
        protocol_type: "consumer".into(),
        protocols: vec![protocol].into(),
        ..JoinGroupRequest::default()
    };
    let body = client.ask(&request, 0);
    assert_eq!(JoinGroupResponse::decode(&body, 0).unwrap().error_code, 0);
}

fn state(client: &mut Client, group: &str) -> String {
    let request = DescribeGroupsRequest {
        groups: vec![group.to_owned().into()].into(),
        ..DescribeGroupsRequest::default()
    };
    let body = client.ask(&request, 0);
    let described = DescribeGroupsResponse::decode(&body, 0).unwrap();
    described.groups.iter().next().unwrap().group_state.into_owned()
}

#[test]
fn a_stalled_directory_does_not_keep_time_from_passing_elsewhere() {
    let quick =
        [("group.initial.rebalance.delay.ms", "0"), ("group.min.session.timeout.ms", "1"), NEVER_SLOW];
    let (_root, node, [topic, other]) = node_with(&quick);
    let mut client = node.connect();
    let home = homes(&node, &mut client);
    let stalled = home("g0");
    let mut groups = (1..).map(|number| format!("g{number}"));
    let mut sound = || groups.find(|group| home(group).directory().id() != stalled.directory().id()).unwrap();
    let (silent, reader) = (sound(), sound());
    assert_eq!(commit(&mut client, &reader, &topic), 0);
    assert_eq!(commit(&mut client, &reader, &other), 0);
    join(&mut client, "g0", 50);
    join(&mut client, &silent, 500);
    let (stalls, stalled_by) = (AtomicBool::new(true), Instant::now());
    std::thread::scope(|scope| {
        let log = stalled.log().unwrap();
        let looks = scope.spawn(|| {
            let mut client = node.connect();
            while state(&mut client, &silent) != "Empty" {
                std::thread::yield_now();
            }
            assert!(stalls.load(Ordering::SeqCst), "only after {:?}", stalled_by.elapsed());
            // Neither do the metadata stand still: what is kept of a topic that goes is forgotten.
            let request = DeleteTopicsRequest {
                topic_names: vec![other.clone().into()].into(),
                timeout_ms: 10_000,
                ..DeleteTopicsRequest::default()
            };
            client.ask(&request, 3);
            let groups = &node.node().broker().coordinators.groups;
            let kept = || {
                let census =
                    groups.census(|shard| shard.offsets().get(&reader, &other, PartitionIndex(0)).is_some());
                census.active.iter().any(|(_, kept)| *kept == Some(true))
            };
            while kept() {
                std::thread::yield_now();
            }
            assert!(stalls.load(Ordering::SeqCst), "only after {:?}", stalled_by.elapsed());
        });
        while stalled_by.elapsed() < 3 * STALL && !looks.is_finished() {
            std::thread::sleep(Duration::from_millis(1));
        }
        stalls.store(false, Ordering::SeqCst);
        drop(log);
        looks.join().unwrap();
        while state(&mut client, "g0") != "Empty" {
            std::thread::yield_now();
        }
    });
}
