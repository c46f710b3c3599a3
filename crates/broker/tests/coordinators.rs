//! What a coordinator does in trouble: a panic with a shard in hand, topics deleted while it loads, a log that cannot
//! take what a time-out makes, logs of old formats.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;
mod shard;

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use coordinator::partitioning::partition_of;
use protocol::ErrorCode;
use protocol::id::{PartitionIndex, Timestamp, Uuid};
use protocol::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use protocol::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_fetch::OffsetFetchRequestTopic;
use protocol::messages::record::{OffsetCommitKey, OffsetCommitValue};
use protocol::messages::txn_offset_commit::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse, DeleteTopicsRequest, EndTxnRequest, EndTxnResponse,
    FindCoordinatorRequest, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
    InitProducerIdRequest, InitProducerIdResponse, JoinGroupRequest, Message, OffsetCommitRequest,
    OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse, TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
};
use protocol::offset::Offset;
use protocol::records::batch::TimestampType;
use protocol::records::compression::{Codec, Compressors};
use protocol::records::legacy::{LegacyBuilder, LegacyOptions};
use raw::Client;
use raw::node::{TestNode, start};
use shard::{PARTITIONS, home, panic_with};
use storage::Fault;
use storage::log_directory::LogDirectory;

const LOADING: i16 = ErrorCode::CoordinatorLoadInProgress as i16;

/// A commit of an offset of the first partition of a topic.
fn commit_request(group: &str, topic: &str, offset: i64) -> OffsetCommitRequest<'static> {
    let partition = OffsetCommitRequestPartition { committed_offset: offset, ..Default::default() };
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

/// Commits an offset of the first partition of a topic; the error.
fn commit(client: &mut Client, group: &str, topic: &str, offset: i64) -> i16 {
    committed(&client.ask(&commit_request(group, topic, offset), 6))
}

/// What an answer says of the one offset that was to be committed.
fn committed(body: &[u8]) -> i16 {
    let response = OffsetCommitResponse::decode(body, 6).unwrap();
    response.topics.iter().next().unwrap().partitions.iter().next().unwrap().error_code
}

/// The committed offset of the first partition of a topic, once the coordinator answers.
fn fetch(client: &mut Client, group: &str, topic: &str) -> i64 {
    loop {
        let topic =
            OffsetFetchRequestTopic { name: topic.to_owned().into(), partition_indexes: vec![0].into() };
        let request = OffsetFetchRequest {
            group_id: group.to_owned().into(),
            topics: Some(vec![topic].into()),
            ..OffsetFetchRequest::default()
        };
        let body = client.ask(&request, 5);
        let response = OffsetFetchResponse::decode(&body, 5).unwrap();
        if response.error_code == LOADING {
            std::thread::yield_now();
            continue;
        }
        assert_eq!(response.error_code, 0);
        let topic = response.topics.iter().next().unwrap();
        return topic.partitions.iter().next().unwrap().committed_offset;
    }
}

/// Everything a group has committed.
fn fetch_all(client: &mut Client, group: &'static str) -> Vec<(String, i64)> {
    let request =
        OffsetFetchRequest { group_id: group.into(), topics: None, ..OffsetFetchRequest::default() };
    let body = client.ask(&request, 5);
    let response = OffsetFetchResponse::decode(&body, 5).unwrap();
    let offsets = response.topics.iter().flat_map(|topic| {
        let name = topic.name.to_string();
        topic.partitions.into_vec().into_iter().map(move |known| (name.clone(), known.committed_offset))
    });
    offsets.collect()
}

/// Deletes a topic.
fn delete(client: &mut Client, topic: &'static str) {
    let request = DeleteTopicsRequest {
        topic_names: vec![topic.into()].into(),
        timeout_ms: 10_000,
        ..DeleteTopicsRequest::default()
    };
    client.ask(&request, 3);
}

/// A node with topics and a coordinator that answers.
fn node(directory: &Path, topics: &[&str]) -> (TestNode, Client) {
    let node = start(directory, &[]);
    let mut client = node.connect();
    client.create(topics);
    let request = FindCoordinatorRequest { key: "g".into(), ..FindCoordinatorRequest::default() };
    client.ask(&request, 0);
    (node, client)
}

#[test]
fn a_shard_that_a_request_panicked_with_is_loaded_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut client) = node(directory.path(), &["t"]);
    assert_eq!(commit(&mut client, "g", "t", 5), 0);
    panic_with(&node, "g");
    assert_eq!(fetch(&mut client, "g", "t"), 5);
    assert_eq!(commit(&mut client, "g", "t", 6), 0);
    // The next time it takes its time, lest what provoked it had it read its log over and over.
    panic_with(&node, "g");
    let begun = Instant::now();
    assert_eq!(fetch(&mut client, "g", "t"), 6);
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
}

#[test]
fn a_shard_of_transactions_that_nobody_asks_any_more_is_loaded_anew() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[("transaction.state.log.num.partitions", "1")]);
    let mut client = node.connect();
    let request =
        FindCoordinatorRequest { key: "app".into(), key_type: 1, ..FindCoordinatorRequest::default() };
    client.ask(&request, 3);
    let transactions = node.node().broker().coordinators.transactions.clone();
    let answers = || transactions.census(|_| ()).active.iter().all(|(_, seen)| seen.is_some());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let shards = transactions.clone();
    let ended = runtime.block_on(async {
        tokio::spawn(async move { shards.read("app", |_| panic!("on purpose")).await.is_ok() }).await
    });
    assert!(ended.is_err() && !answers());
    let begun = Instant::now();
    while !answers() {
        assert!(begun.elapsed() < Duration::from_secs(30), "its transactions are never ended");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How many shards know a group. One that somebody has in hand does not count.
fn knowing(node: &TestNode, group: &str) -> usize {
    let groups = &node.node().broker().coordinators.groups;
    let seen = groups.census(|shard| shard.group(group).is_some());
    seen.active.iter().filter(|(_, has)| *has == Some(true)).count()
}

/// A connection whose JoinGroup waits at the shard of a group.
fn waiting_to_join(node: &TestNode, group: &'static str) -> Client {
    let mut waiting = node.connect();
    let protocol = protocol::messages::join_group::JoinGroupRequestProtocol {
        name: "range".into(),
        metadata: vec![0, 0].into(),
    };
    let request = JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 10_000,
        protocol_type: "consumer".into(),
        protocols: vec![protocol].into(),
        ..JoinGroupRequest::default()
    };
    let frame = waiting.frame(&request, 0);
    waiting.send(&frame);
    while knowing(node, group) == 0 {
        std::thread::yield_now();
    }
    waiting
}

fn is_told_to_look_elsewhere(mut waiting: Client) {
    let body = waiting.answer::<JoinGroupRequest<'_>>(0);
    let response = protocol::messages::JoinGroupResponse::decode(&body, 0).unwrap();
    assert_eq!(response.error_code, i16::from(ErrorCode::NotCoordinator));
}

#[test]
fn who_waits_at_a_shard_that_is_loaded_anew_looks_for_its_coordinator() {
    let directory = tempfile::tempdir().unwrap();
    let (node, _client) = node(directory.path(), &["t"]);
    let waiting = waiting_to_join(&node, "g");
    panic_with(&node, "g");
    assert_eq!(fetch(&mut node.connect(), "g", "t"), -1);
    is_told_to_look_elsewhere(waiting);
}

/// A coordinator that loses its partition lets go of what it knows, whoever waits there and whether or not the log is there
/// still (KAFKA-20115); what it knew answers nobody after that (KAFKA-4362).
#[test]
fn a_coordinator_whose_partition_is_lost_answers_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut client) = node(directory.path(), &["t"]);
    assert_eq!(commit(&mut client, "g", "t", 5), 0);
    let waiting = waiting_to_join(&node, "g");
    // A commit on its way is committed or refused, the latter also where the group has its member before it.
    let mut late = node.connect();
    let frame = late.frame(&commit_request("g", "t", 6), 6);
    late.send(&frame);
    delete(&mut client, "__consumer_offsets");
    let error = committed(&late.answer::<OffsetCommitRequest<'_>>(6));
    let refused = [ErrorCode::NotCoordinator, ErrorCode::UnknownMemberId].map(i16::from);
    assert!(error == 0 || refused.contains(&error), "{error}");
    is_told_to_look_elsewhere(waiting);
    let begun = Instant::now();
    while knowing(&node, "g") > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the group is kept");
        std::thread::yield_now();
    }
    assert_eq!(commit(&mut client, "g", "t", 7), i16::from(ErrorCode::NotCoordinator));
    // The next coordinator of the group begins with what its own log says, which is nothing.
    client.ask(&FindCoordinatorRequest { key: "g".into(), ..FindCoordinatorRequest::default() }, 0);
    assert_eq!(fetch(&mut client, "g", "t"), -1);
    assert_eq!(commit(&mut client, "g", "t", 8), 0);
    assert_eq!(fetch(&mut client, "g", "t"), 8);
    node.stop();
}

#[test]
fn offsets_of_a_topic_deleted_while_its_shard_loads_are_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut client) = node(directory.path(), &["t", "u"]);
    assert_eq!((commit(&mut client, "g", "t", 5), commit(&mut client, "g", "u", 6)), (0, 0));
    panic_with(&node, "g");
    {
        let home = home(&node, "g");
        // The load needs the log.
        let _log = home.log().unwrap();
        assert_eq!(commit(&mut client, "g", "t", 7), LOADING);
        delete(&mut client, "t");
    }
    // Not at the very moment the shard answers, but then for good.
    let begun = Instant::now();
    while fetch(&mut client, "g", "t") != -1 {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is kept");
        std::thread::yield_now();
    }
    assert_eq!(fetch(&mut client, "g", "u"), 6);
}

#[test]
fn a_topic_made_anew_has_no_offsets_of_the_one_before_while_the_log_takes_no_tombstones() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut client) = node(directory.path(), &["t", "u"]);
    assert_eq!((commit(&mut client, "g", "t", 5), commit(&mut client, "g", "u", 6)), (0, 0));
    let directory = home(&node, "g").directory();
    directory.state().note(&Fault::Full { path: directory.path().to_owned() });
    delete(&mut client, "t");
    client.create(&["t"]);
    assert_eq!((fetch(&mut client, "g", "t"), fetch(&mut client, "g", "u")), (-1, 6));
    assert_eq!(fetch_all(&mut client, "g"), [("u".to_owned(), 6)]);
    directory.state().has_room();
    assert_eq!(commit(&mut client, "g", "t", 7), 0);
    assert_eq!(fetch_all(&mut client, "g"), [("t".to_owned(), 7), ("u".to_owned(), 6)]);
}

#[test]
fn what_a_full_disk_refuses_is_tried_again_after_a_while_and_not_at_each_heartbeat() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut client) = node(directory.path(), &["t", "u"]);
    let beat = ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: "a".into(),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec!["u".into()].into()),
        topic_partitions: Some(Vec::new().into()),
        ..ConsumerGroupHeartbeatRequest::default()
    };
    let body = client.ask(&beat, 1);
    let epoch = ConsumerGroupHeartbeatResponse::decode(&body, 1).unwrap().member_epoch;
    let beat = ConsumerGroupHeartbeatRequest {
        member_epoch: epoch,
        topic_partitions: None,
        subscribed_topic_names: None,
        rebalance_timeout_ms: -1,
        ..beat
    };
    let mut offsets = commit_request("g", "t", 5);
    (offsets.member_id, offsets.generation_id_or_member_epoch) = ("a".into(), epoch);
    assert_eq!(OffsetCommitResponse::decode(&client.ask(&offsets, 9), 9).unwrap().topics.len(), 1);
    assert_eq!(fetch(&mut client, "g", "t"), 5);
    let directory = home(&node, "g").directory();
    directory.state().note(&Fault::Full { path: directory.path().to_owned() });
    let writes = || node.node().broker().coordinators.groups.figures().flushed.count();
    let (before, begun) = (writes(), Instant::now());
    delete(&mut client, "t");
    while writes() == before {
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody forgets what is deleted");
        std::thread::yield_now();
    }
    for _ in 0..200 {
        let body = client.ask(&beat, 1);
        assert_eq!(ConsumerGroupHeartbeatResponse::decode(&body, 1).unwrap().error_code, 0);
    }
    // The pause is half a second.
    let (tried, most) = (writes() - before, 2 + begun.elapsed().as_millis() / 500);
    assert!(u128::from(tried) <= most, "{tried} times in {:?}", begun.elapsed());
    directory.state().has_room();
    while fetch(&mut client, "g", "t") != -1 {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is kept");
        std::thread::yield_now();
    }
}

/// Bounds what the log of committed offsets takes at once.
fn bound_batches(client: &mut Client, bytes: &'static str) {
    let config = AlterableConfig {
        name: "max.message.bytes".into(),
        value: Some(bytes.into()),
        ..AlterableConfig::default()
    };
    let resource = AlterConfigsResource {
        resource_type: 2,
        resource_name: "__consumer_offsets".into(),
        configs: vec![config].into(),
    };
    let request = IncrementalAlterConfigsRequest {
        resources: vec![resource].into(),
        ..IncrementalAlterConfigsRequest::default()
    };
    let body = client.ask(&request, 1);
    let response = IncrementalAlterConfigsResponse::decode(&body, 1).unwrap();
    assert_eq!(response.responses.iter().next().unwrap().error_code, 0);
}

/// Has the first member of a group join, by way of a time-out; the error.
fn join(client: &mut Client, group: &'static str) -> i16 {
    let protocol = protocol::messages::join_group::JoinGroupRequestProtocol {
        name: "range".into(),
        metadata: vec![0, 0].into(),
    };
    let request = JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 60_000,
        protocol_type: "consumer".into(),
        protocols: vec![protocol].into(),
        ..JoinGroupRequest::default()
    };
    let body = client.ask(&request, 0);
    protocol::messages::JoinGroupResponse::decode(&body, 0).unwrap().error_code
}

#[test]
fn a_time_out_whose_records_the_log_cannot_take_holds_up_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [("offsets.topic.num.partitions", "1"), ("group.initial.rebalance.delay.ms", "50")];
    let node = start(directory.path(), &settings);
    let mut client = node.connect();
    let names: Vec<String> = (0..20).map(|number| format!("{number}{}", "x".repeat(90))).collect();
    client.create(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let request = FindCoordinatorRequest { key: "g".into(), ..FindCoordinatorRequest::default() };
    client.ask(&request, 0);
    bound_batches(&mut client, "1000");
    let beat = ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: "a".into(),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_regex: Some(".*x".into()),
        topic_partitions: Some(Vec::new().into()),
        ..ConsumerGroupHeartbeatRequest::default()
    };
    let body = client.ask(&beat, 1);
    assert_eq!(ConsumerGroupHeartbeatResponse::decode(&body, 1).unwrap().error_code, 0);
    assert_eq!(join(&mut client, "h"), 0);
    // Its own member is heard of still.
    let beat = ConsumerGroupHeartbeatRequest {
        member_epoch: 1,
        topic_partitions: None,
        subscribed_topic_regex: None,
        rebalance_timeout_ms: -1,
        ..beat
    };
    let body = client.ask(&beat, 1);
    assert_eq!(ConsumerGroupHeartbeatResponse::decode(&body, 1).unwrap().error_code, 0);
}

/// A log of committed offsets as brokers before 0.11 wrote it.
fn old_log(magic: i8, codec: Codec) -> Vec<u8> {
    let mut log = Vec::new();
    for set in 0..3 {
        let options =
            LegacyOptions { magic, compression: codec.into(), timestamp_type: TimestampType::CreateTime };
        let mut builder = LegacyBuilder::new(options);
        for n in 0..4 {
            let (mut key, mut value) = (vec![0, 1], vec![0, 1]);
            let name = OffsetCommitKey { group: "g".into(), topic: format!("t{n}").into(), partition: 0 };
            name.encode(0, &mut key).unwrap();
            let said = OffsetCommitValue {
                offset: set * 10 + n,
                commit_timestamp: i64::MAX / 2,
                ..OffsetCommitValue::default()
            };
            said.encode(1, &mut value).unwrap();
            let value = (n != 3).then_some(&value[..]);
            builder.push(Offset(set * 4 + n), Timestamp(1_700_000_000_000), Some(&key), value);
        }
        log.extend(builder.finish(&mut Compressors::default()).unwrap());
    }
    log
}

#[test]
fn offsets_in_the_formats_before_0_11_are_loaded() {
    for (magic, codec) in [(0, Codec::None), (1, Codec::None), (0, Codec::Gzip), (1, Codec::Snappy)] {
        let directory = tempfile::tempdir().unwrap();
        let (first, _) = node(directory.path(), &["t0"]);
        let partition: PartitionIndex = partition_of("g", PARTITIONS);
        first.stop();
        let home = directory.path().join(format!("__consumer_offsets-{partition}"));
        std::fs::create_dir_all(&home).unwrap();
        std::fs::write(home.join("00000000000000000000.log"), old_log(magic, codec)).unwrap();
        std::fs::remove_file(directory.path().join(".kafka_cleanshutdown")).unwrap();
        let second = start(directory.path(), &[]);
        let mut client = second.connect();
        let found: Vec<_> = (0..4).map(|n| fetch(&mut client, "g", &format!("t{n}"))).collect();
        assert_eq!(found, [20, 21, 22, -1], "magic {magic}, {codec:?}");
        assert_eq!(commit(&mut client, "g", "t0", 99), 0);
        assert_eq!(fetch(&mut client, "g", "t0"), 99);
    }
}

/// The one partition's error of an offset that is committed within a transaction.
fn commit_within(client: &mut Client, (id, epoch): (i64, i16), offset: i64) -> i16 {
    let partition = TxnOffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: offset,
        committed_leader_epoch: -1,
        committed_metadata: Some("".into()),
    };
    let topic = TxnOffsetCommitRequestTopic {
        name: "t".into(),
        topic_id: Uuid::ZERO,
        partitions: vec![partition].into(),
    };
    let request = TxnOffsetCommitRequest {
        transactional_id: "app".into(),
        group_id: "h".into(),
        producer_id: id,
        producer_epoch: epoch,
        generation_id_or_member_epoch: -1,
        member_id: "".into(),
        group_instance_id: None,
        topics: vec![topic].into(),
    };
    let body = client.ask(&request, 3);
    let response = TxnOffsetCommitResponse::decode(&body, 3).unwrap();
    response.topics.iter().next().unwrap().partitions.iter().next().unwrap().error_code
}

fn end(client: &mut Client, (id, epoch): (i64, i16)) -> i16 {
    let request = EndTxnRequest {
        transactional_id: "app".into(),
        producer_id: id,
        producer_epoch: epoch,
        committed: true,
    };
    EndTxnResponse::decode(&client.ask(&request, 3), 3).unwrap().error_code
}

/// Begins a transaction that is to commit offsets of a group.
fn begin(client: &mut Client) -> (i64, i16) {
    let find = FindCoordinatorRequest { key: "app".into(), key_type: 1, ..FindCoordinatorRequest::default() };
    client.ask(&find, 3);
    let request = InitProducerIdRequest {
        transactional_id: Some("app".into()),
        transaction_timeout_ms: 600_000,
        ..InitProducerIdRequest::default()
    };
    let producer = loop {
        let response = InitProducerIdResponse::decode(&client.ask(&request, 4), 4).unwrap();
        match response.error_code {
            0 => break (response.producer_id, response.producer_epoch),
            LOADING => std::thread::yield_now(),
            error => panic!("{error}"),
        }
    };
    let request = AddOffsetsToTxnRequest {
        transactional_id: "app".into(),
        producer_id: producer.0,
        producer_epoch: producer.1,
        group_id: "h".into(),
    };
    assert_eq!(AddOffsetsToTxnResponse::decode(&client.ask(&request, 3), 3).unwrap().error_code, 0);
    producer
}

/// A member of the consumer protocol comes into a group.
fn come(client: &mut Client, member: String) -> i16 {
    let beat = ConsumerGroupHeartbeatRequest {
        group_id: "c".into(),
        member_id: member.into(),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec!["t".into()].into()),
        topic_partitions: Some(Vec::new().into()),
        ..ConsumerGroupHeartbeatRequest::default()
    };
    ConsumerGroupHeartbeatResponse::decode(&client.ask(&beat, 1), 1).unwrap().error_code
}

/// What somebody is told whom a full disk refuses. The disk has room in truth, and whoever looks for that may find it before the
/// request is taken up: then it is taken, as it should be, and `taken` is done before another is tried.
fn refused(directory: &LogDirectory, mut ask: impl FnMut() -> i16, mut taken: impl FnMut()) -> i16 {
    let begun = Instant::now();
    loop {
        directory.state().note(&Fault::Full { path: directory.path().to_owned() });
        match ask() {
            0 => taken(),
            told => return told,
        }
        directory.state().has_room();
        assert!(begun.elapsed() < Duration::from_secs(20), "a full disk refuses nothing");
    }
}

/// What clients are told makes them come again, the consumers of Apache Kafka, too, which give up at any other code.
#[test]
fn a_full_disk_has_those_who_commit_come_again_and_loses_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let (node, mut client) = node(temp.path(), &["t"]);
    assert_eq!((commit(&mut client, "g", "t", 5), come(&mut client, "first".into())), (0, 0));
    assert_eq!(commit(&mut client, "h", "t", 1), 0);
    let directory = home(&node, "g").directory();
    let again = i16::from(ErrorCode::NotCoordinator);
    let kept = Cell::new(5);
    let offered = || commit(&mut client, "g", "t", kept.get() + 1);
    assert_eq!(refused(&directory, offered, || kept.set(kept.get() + 1)), again);
    // Who only asks, and who says nothing new, is answered.
    directory.state().note(&Fault::Full { path: directory.path().to_owned() });
    assert_eq!(fetch(&mut client, "g", "t"), kept.get());
    let mut members = (0..).map(|number| format!("member-{number}"));
    assert_eq!(refused(&directory, || come(&mut client, members.next().unwrap()), || ()), again);
    directory.state().has_room();
    let mut producer = begin(&mut client);
    assert_eq!(commit_within(&mut client, producer, 2), 0);
    assert_eq!(refused(&directory, || commit_within(&mut client, producer, 3), || ()), again);
    let ended = Cell::new(false);
    let told = loop {
        let told = refused(&directory, || end(&mut client, producer), || ended.set(true));
        directory.state().has_room();
        if !ended.take() {
            break told;
        }
        // It was ended before the disk was full again, so that there was nothing to end.
        producer = begin(&mut client);
        assert_eq!(commit_within(&mut client, producer, 2), 0);
    };
    assert_eq!(told, again);
    assert_eq!(fetch(&mut client, "g", "t"), kept.get());
    let last = kept.get() + 1;
    assert_eq!((commit(&mut client, "g", "t", last), come(&mut client, "second".into())), (0, 0));
    assert_eq!((commit_within(&mut client, producer, 3), end(&mut client, producer)), (0, 0));
    let begun = Instant::now();
    while fetch(&mut client, "h", "t") != 3 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the transaction is not ended");
        std::thread::yield_now();
    }
    assert_eq!(fetch(&mut client, "g", "t"), last);
    node.stop();
    let again = start(temp.path(), &[]);
    let mut client = again.connect();
    assert_eq!((fetch(&mut client, "g", "t"), fetch(&mut client, "h", "t")), (last, 3));
}
