//! Records through a node: produced, fetched, waited for, found again after a restart.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::time::{Duration, Instant};

use protocol::ErrorCode;
use protocol::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::fetch::{FetchPartition, FetchTopic};
use protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::{DeleteRecordsRequest, DeleteTopicsRequest, FetchRequest, FetchResponse};
use protocol::messages::{ListOffsetsRequest, ListOffsetsResponse, Message};
use raw::ask::{fetch_request, fetched, produce_request, produced};
use raw::batch::{batch, of_producer};
use raw::node::start;

#[test]
fn records_come_back_as_they_were_produced() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    assert_eq!(client.produce("t", 0, batch(&["a", "b"])).base_offset, 0);
    assert_eq!(client.produce("t", 0, batch(&["c"])).base_offset, 2);
    assert_eq!(client.fetch("t", 0, 0), (0, 3, vec!["a".into(), "b".into(), "c".into()]));
    assert_eq!(client.fetch("t", 0, 3), (0, 3, vec![]));
}

#[test]
fn offsets_are_listed_in_every_version() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    client.produce("t", 0, batch(&["a", "b"]));
    let at = |timestamp| {
        let partition = ListOffsetsPartition { timestamp, ..ListOffsetsPartition::default() };
        let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![partition].into() };
        ListOffsetsRequest { replica_id: -1, topics: vec![topic].into(), ..ListOffsetsRequest::default() }
    };
    for version in 1..=11 {
        for (timestamp, offset) in [(-1, 2), (-2, 0), (0, 0)] {
            let body = client.ask(&at(timestamp), version);
            let response = ListOffsetsResponse::decode(&body, version).unwrap();
            let topic = response.topics.iter().next().unwrap();
            let partition = topic.partitions.iter().next().unwrap();
            assert_eq!((partition.error_code, partition.offset), (0, offset), "{timestamp} in {version}");
            assert_eq!(partition.leader_epoch, if version < 4 { -1 } else { 0 }, "{timestamp} in {version}");
        }
    }
}

#[test]
fn a_time_that_means_nothing_and_a_partition_named_twice_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    let mut ask = |timestamps: &[i64]| {
        let partition = |&timestamp| ListOffsetsPartition { timestamp, ..ListOffsetsPartition::default() };
        let partitions: Vec<_> = timestamps.iter().map(partition).collect();
        let topic = ListOffsetsTopic { name: "t".into(), partitions: partitions.into() };
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![topic].into(),
            ..ListOffsetsRequest::default()
        };
        let body = client.ask(&request, 7);
        let response = ListOffsetsResponse::decode(&body, 7).unwrap();
        let topic = response.topics.iter().next().unwrap();
        topic.partitions.iter().map(|partition| partition.error_code).collect::<Vec<_>>()
    };
    assert_eq!(ask(&[-100]), [i16::from(ErrorCode::UnsupportedVersion)]);
    assert_eq!(ask(&[-4]), [i16::from(ErrorCode::UnsupportedVersion)], "-4 comes with version 8");
    assert_eq!(ask(&[-1, -2, 5]), [i16::from(ErrorCode::InvalidRequest)]);
}

#[test]
fn records_are_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    client.produce("t", 0, batch(&["before"]));
    drop(client);
    node.stop();
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    assert_eq!(client.fetch("t", 0, 0), (0, 1, vec!["before".into()]));
    assert_eq!(client.produce("t", 0, batch(&["after"])).base_offset, 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    let mut frames = Vec::new();
    for number in 0..20 {
        let value = number.to_string();
        frames.extend(client.frame(&produce_request("t", 0, 1, batch(&[&value])), 9));
        frames.extend(client.frame(&fetch_request("t", 0, number, 0), 11));
    }
    client.send(&frames);
    for number in 0..20i64 {
        let answer = client.receive();
        assert_eq!(produced(&answer[5..], 9).base_offset, number);
        let answer = client.receive();
        assert_eq!(fetched(&answer[4..], 11).2, [number.to_string()]);
    }
}

#[test]
fn a_fetch_that_waits_is_woken_by_the_append() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let (mut reader, mut writer) = (node.connect(), node.connect());
    writer.create(&["t"]);
    let frame = reader.frame(&fetch_request("t", 0, 0, 15_000), 11);
    reader.send(&frame);
    let topic = node.node().broker().partitions.by_name("t").unwrap();
    while topic.replicas[0].as_ref().unwrap().waiters.is_empty() {
        std::thread::yield_now();
    }
    let begun = Instant::now();
    writer.produce("t", 0, batch(&["awaited"]));
    let answer = reader.receive();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(fetched(&answer[4..], 11).2, ["awaited"]);
    assert!(topic.replicas[0].as_ref().unwrap().waiters.is_empty(), "who is answered waits no more");
}

#[test]
fn a_fetch_of_several_topics_hears_at_once_that_one_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let (mut reader, mut admin) = (node.connect(), node.connect());
    admin.create(&["kept", "gone"]);
    let mut request = fetch_request("kept", 0, 0, 15_000);
    let mut topics = request.topics.into_vec();
    topics.extend(fetch_request("gone", 0, 0, 0).topics.into_vec());
    request.topics = topics.into();
    let frame = reader.frame(&request, 11);
    reader.send(&frame);
    let topic = node.node().broker().partitions.by_name("gone").unwrap();
    while topic.replicas[0].as_ref().unwrap().waiters.is_empty() {
        std::thread::yield_now();
    }
    let begun = Instant::now();
    let delete = DeleteTopicsRequest {
        topic_names: vec!["gone".into()].into(),
        timeout_ms: 10_000,
        ..DeleteTopicsRequest::default()
    };
    admin.ask(&delete, 5);
    let answer = reader.receive();
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    let response = FetchResponse::decode(&answer[4..], 11).unwrap();
    let codes: Vec<_> =
        response.responses.iter().map(|topic| topic.partitions.iter().next().unwrap().error_code).collect();
    // Not here any more, or not anywhere: it may be told while the deletion is being applied.
    assert!(matches!(codes[..], [0, 3 | 6]), "{codes:?}");
}

#[test]
fn a_reader_at_the_end_of_an_older_segment_does_not_wait() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("log.segment.bytes", "1048576")]);
    let mut client = node.connect();
    client.create(&["t"]);
    let large = "x".repeat(700_000);
    for base_offset in 0..2 {
        assert_eq!(client.produce("t", 0, batch(&[&large])).base_offset, base_offset);
    }
    // More than is left of the first segment, and less than the log has.
    let request = FetchRequest { min_bytes: 1_000_000, ..fetch_request("t", 0, 0, 15_000) };
    let begun = Instant::now();
    let body = client.ask(&request, 11);
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert_eq!(fetched(&body, 11).2.len(), 1);
}

#[test]
fn a_fetch_waits_no_longer_than_it_asked() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    let begun = Instant::now();
    let body = client.ask(&fetch_request("t", 0, 0, 200), 11);
    assert_eq!(fetched(&body, 11), (0, 0, vec![]));
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

#[test]
fn a_fetch_that_wants_more_than_it_takes_does_not_wait_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    client.produce("t", 0, batch(&["a"]));
    let begun = Instant::now();
    let request = FetchRequest { min_bytes: 1 << 20, max_bytes: 10, ..fetch_request("t", 0, 0, 15_000) };
    assert_eq!(fetched(&client.ask(&request, 11), 11).2, ["a"]);
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[test]
fn partitions_that_nobody_could_look_for_come_last() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    let mut request = fetch_request("nowhere", 0, 0, 0);
    let mut topics = request.topics.into_vec();
    topics.extend(fetch_request("t", 0, 0, 0).topics.into_vec());
    request.topics = topics.into();
    let body = client.ask(&request, 11);
    let response = FetchResponse::decode(&body, 11).unwrap();
    let names: Vec<_> = response.responses.iter().map(|topic| topic.topic.into_owned()).collect();
    assert_eq!(names, ["t", "nowhere"]);
}

#[test]
fn who_knows_no_sessions_takes_no_place_for_one() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    let request = FetchRequest { session_epoch: 0, ..fetch_request("t", 0, 0, 0) };
    for version in 0..7 {
        client.ask(&request, version);
        assert_eq!(node.node().broker().fetch_sessions.counts(), (0, 0, 0), "version {version}");
    }
    client.ask(&request, 7);
    assert_eq!(node.node().broker().fetch_sessions.counts(), (1, 1, 0));
}

#[test]
fn a_stopping_node_answers_the_fetches_that_wait() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    let frame = client.frame(&fetch_request("t", 0, 0, 60_000), 11);
    client.send(&frame);
    let topic = node.node().broker().partitions.by_name("t").unwrap();
    while topic.replicas[0].as_ref().unwrap().waiters.is_empty() {
        std::thread::yield_now();
    }
    let begun = Instant::now();
    node.stop();
    assert!(begun.elapsed() < Duration::from_secs(8));
    assert_eq!(fetched(&client.receive()[4..], 11), (0, 0, vec![]));
    client.assert_closed();
}

#[test]
fn an_idempotent_duplicate_is_answered_with_its_first_offset() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    assert_eq!(client.produce("t", 0, of_producer((7, 0, 0), &["a"])).base_offset, 0);
    assert_eq!(client.produce("t", 0, of_producer((7, 0, 1), &["b"])).base_offset, 1);
    assert_eq!(client.produce("t", 0, of_producer((7, 0, 0), &["a"])).base_offset, 0);
    assert_eq!(client.produce("t", 0, of_producer((7, 0, 9), &["gap"])).error, 45);
    assert_eq!(client.fetch("t", 0, 0).2, ["a", "b"]);
}

#[test]
fn acks_0_has_no_answer_and_a_failure_ends_the_connection() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    client.create(&["t"]);
    let silent = client.frame(&produce_request("t", 0, 0, batch(&["silent"])), 9);
    client.send(&silent);
    assert_eq!(client.fetch("t", 0, 0).2, ["silent"]);
    let failing = client.frame(&produce_request("no-such-topic", 0, 0, batch(&["x"])), 9);
    client.send(&failing);
    client.assert_closed();
}

#[test]
fn an_append_of_a_durable_topic_is_answered_once_it_is_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("headwater.durability", "fsync")]);
    let mut client = node.connect();
    client.create(&["t"]);
    for number in 0..5 {
        assert_eq!(client.produce("t", 0, batch(&["x"])).base_offset, number);
        let topic = node.node().broker().partitions.by_name("t").unwrap();
        let replica = topic.replicas[0].clone().unwrap();
        assert_eq!(replica.log().unwrap().recovery_point().0, number + 1);
        assert_eq!(client.fetch("t", 0, number), (0, number + 1, vec!["x".to_owned()]), "and then read");
    }
}

/// What starts after a kill reads no more of a log than what its checkpoints do not vouch for.
#[test]
fn checkpoints_are_written_while_the_broker_runs() {
    let directory = tempfile::tempdir().unwrap();
    let soon = [
        ("log.flush.offset.checkpoint.interval.ms", "20"),
        ("log.flush.start.offset.checkpoint.interval.ms", "20"),
        ("replica.high.watermark.checkpoint.interval.ms", "20"),
        ("log.initial.task.delay.ms", "0"),
        ("log.flush.interval.messages", "1"),
    ];
    let node = start(directory.path(), &soon);
    let mut client = node.connect();
    client.create(&["t"]);
    for number in 0..5 {
        assert_eq!(client.produce("t", 0, batch(&["x"])).base_offset, number);
    }
    let partition = DeleteRecordsPartition { partition_index: 0, offset: 2 };
    let topic = DeleteRecordsTopic { name: "t".into(), partitions: vec![partition].into() };
    let request = DeleteRecordsRequest { topics: vec![topic].into(), timeout_ms: 10_000 };
    client.ask(&request, 2);
    for (file, line) in [
        // One less than what is on stable storage: the segment is appended to, and nothing is said of its indexes.
        ("recovery-point-offset-checkpoint", "t 0 4"),
        ("log-start-offset-checkpoint", "t 0 2"),
        ("replication-offset-checkpoint", "t 0 5"),
    ] {
        let begun = Instant::now();
        let written = || std::fs::read_to_string(directory.path().join(file)).unwrap_or_default();
        while !written().lines().any(|said| said == line) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{file} says {:?}", written());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What each partition may have and what all may have together bound an answer alike; the first has its first batch.
#[test]
fn an_answer_over_several_partitions_takes_no_more_than_it_may() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("num.partitions", "3")]);
    let mut client = node.connect();
    client.create(&["t"]);
    let value = "x".repeat(4000);
    let whole = batch(&[&value]).len() as i32;
    for partition in 0..3 {
        for _ in 0..2 {
            client.produce("t", partition, batch(&[&value]));
        }
    }
    let mut lengths = |most: i32, each: i32| {
        let partition =
            |partition| FetchPartition { partition, partition_max_bytes: each, ..FetchPartition::default() };
        let topic = FetchTopic {
            topic: "t".into(),
            partitions: (0..3).map(partition).collect(),
            ..FetchTopic::default()
        };
        let request =
            FetchRequest { max_bytes: most, topics: vec![topic].into(), ..fetch_request("t", 0, 0, 0) };
        let body = client.ask(&request, 11);
        let response = FetchResponse::decode(&body, 11).unwrap();
        let topic = response.responses.iter().next().unwrap();
        let length = |records: &[u8]| i32::try_from(records.len()).unwrap();
        topic
            .partitions
            .iter()
            .map(|partition| length(partition.records.as_deref().unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    assert_eq!(lengths(1 << 20, 1 << 20), [2 * whole; 3]);
    assert_eq!(lengths(1 << 20, whole), [whole; 3]);
    assert_eq!(lengths(2 * whole, 1 << 20), [2 * whole, 0, 0]);
    assert_eq!(lengths(2 * whole, whole), [whole, whole, 0]);
    assert_eq!(lengths(1, 1 << 20)[1..], [0, 0], "the first partition's first batch is there");
}

#[test]
fn the_controllers_port_serves_what_is_for_controllers_only() {
    use protocol::messages::{DescribeClusterRequest, DescribeClusterResponse, Message, MetadataRequest};
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let (_, controller) = node.node().addresses()[1].clone();
    let mut client = raw::Client::connect(controller);
    let asked = DescribeClusterRequest { endpoint_type: 2, ..DescribeClusterRequest::default() };
    let body = client.ask(&asked, 1);
    let response = DescribeClusterResponse::decode(&body, 1).unwrap();
    assert_eq!((response.error_code, response.controller_id), (0, 1));
    let body = client.ask(&DescribeClusterRequest::default(), 1);
    assert_eq!(DescribeClusterResponse::decode(&body, 1).unwrap().error_code, 114);
    let frame = client.frame(&MetadataRequest::default(), 9);
    client.send(&frame);
    client.assert_closed();
}

#[test]
fn records_from_the_disk_are_read_like_those_in_memory() {
    let directory = tempfile::tempdir_in(".").unwrap();
    let node = start(directory.path(), &[("headwater.fetch.hot.bytes", "0")]);
    let mut client = node.connect();
    client.create(&["t"]);
    let value = "x".repeat(100_000);
    for _ in 0..5 {
        client.produce("t", 0, batch(&[&value]));
    }
    let log = std::fs::File::open(directory.path().join("t-0/00000000000000000000.log")).unwrap();
    log.sync_all().unwrap();
    rustix::fs::fadvise(&log, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    assert_eq!(client.fetch("t", 0, 0), (0, 5, vec![value; 5]));
}

#[test]
fn durable_appends_of_one_connection_are_answered_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("headwater.durability", "fsync")]);
    let mut client = node.connect();
    client.create(&["t"]);
    let mut frames = Vec::new();
    for number in 0..200 {
        let topic = if number % 10 == 9 { "none" } else { "t" };
        frames.extend(client.frame(&produce_request(topic, 0, 1, batch(&["x"])), 9));
    }
    client.send(&frames);
    let mut next = 0;
    for number in 0..200 {
        let produced = produced(&client.receive()[5..], 9);
        if number % 10 == 9 {
            assert_eq!(produced.error, 3);
        } else {
            assert_eq!((produced.error, produced.base_offset), (0, next));
            next += 1;
        }
    }
    assert_eq!(client.fetch("t", 0, 0).1, 180);
}

#[test]
fn a_fetch_that_wants_much_is_woken_once_there_is_as_much() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]);
    let (mut reader, mut writer) = (node.connect(), node.connect());
    writer.create(&["t"]);
    let one = batch(&[&"x".repeat(1000)]).len() as i32;
    let mut request = fetch_request("t", 0, 0, 60_000);
    request.min_bytes = 20 * one;
    let frame = reader.frame(&request, 11);
    reader.send(&frame);
    for _ in 0..20 {
        writer.produce("t", 0, batch(&[&"x".repeat(1000)]));
    }
    assert_eq!(fetched(&reader.receive()[4..], 11).2.len(), 20);
}
