//! Transactions through a whole node: both kinds of clients, fences, offsets, time-outs, and a death between the decision
//! and its markers.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use broker::runtime::partitions::Replica;
use coordinator::transaction::{TransactionRecord, TransactionState};
use protocol::ErrorCode;
use protocol::id::{NodeId, PartitionIndex, ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::messages::add_partitions_to_txn::AddPartitionsToTxnTopic;
use protocol::messages::create_topics::CreatableTopic;
use protocol::messages::describe_producers::TopicRequest;
use protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::txn_offset_commit::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use protocol::messages::write_txn_markers::{WritableTxnMarker, WritableTxnMarkerTopic};
use protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    CreateTopicsRequest, DeleteTopicsRequest, DescribeProducersRequest, DescribeProducersResponse,
    DescribeTransactionsRequest, DescribeTransactionsResponse, EndTxnRequest, EndTxnResponse, FetchResponse,
    FindCoordinatorRequest, InitProducerIdRequest, InitProducerIdResponse, ListOffsetsRequest,
    ListOffsetsResponse, ListTransactionsRequest, ListTransactionsResponse, Message, OffsetFetchRequest,
    OffsetFetchResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse, WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
};
use protocol::records::batches::Batches;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::record::Records;
use raw::Client;
use raw::ask::{Produced, fetch_request, fetched, produce_request, produced};
use raw::node::{TestNode, start};

const ID: &str = "payments";
/// Old clients' versions, and those of KIP-890.
const OLD: Versions = Versions { init: 4, produce: 9, end: 3, offsets: 3 };
const NEW: Versions = Versions { init: 5, produce: 12, end: 5, offsets: 5 };

#[derive(Clone, Copy, Debug)]
struct Versions {
    init: i16,
    produce: i16,
    end: i16,
    offsets: i16,
}

/// A producer as it knows itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Producer {
    id: i64,
    epoch: i16,
}

fn node(directory: &Path, settings: &[(&str, &str)]) -> (TestNode, Client) {
    let few = [("transaction.state.log.num.partitions", "1"), ("offsets.topic.num.partitions", "1")];
    let node = start(directory, &[&few, settings].concat());
    let mut client = node.connect();
    client.create(&["t"]);
    for (key, key_type) in [("g", 0), (ID, 1)] {
        let request =
            FindCoordinatorRequest { key: key.into(), key_type, ..FindCoordinatorRequest::default() };
        client.ask(&request, 3);
    }
    (node, client)
}

fn init(client: &mut Client, timeout: i32, version: i16) -> (i16, Producer) {
    let request = InitProducerIdRequest {
        transactional_id: Some(ID.into()),
        transaction_timeout_ms: timeout,
        ..InitProducerIdRequest::default()
    };
    let body = client.ask(&request, version);
    let said = InitProducerIdResponse::decode(&body, version).unwrap();
    (said.error_code, Producer { id: said.producer_id, epoch: said.producer_epoch })
}

fn begin(client: &mut Client, version: i16) -> Producer {
    let (error, producer) = init(client, 60_000, version);
    assert_eq!(error, 0);
    producer
}

fn add(client: &mut Client, producer: Producer, topic: &str, version: i16) -> i16 {
    let topics = vec![AddPartitionsToTxnTopic { name: topic.to_owned().into(), partitions: vec![0].into() }];
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: ID.into(),
        v3_and_below_producer_id: producer.id,
        v3_and_below_producer_epoch: producer.epoch,
        v3_and_below_topics: topics.into(),
        ..AddPartitionsToTxnRequest::default()
    };
    let body = client.ask(&request, version);
    let said = AddPartitionsToTxnResponse::decode(&body, version).unwrap();
    let topic = said.results_by_topic_v3_and_below.iter().next().unwrap();
    topic.results_by_partition.iter().next().unwrap().partition_error_code
}

/// A batch of one record in a transaction.
fn transactional(producer: Producer, sequence: i32, value: &str) -> Vec<u8> {
    let options = BatchOptions {
        producer: (ProducerId(producer.id), ProducerEpoch(producer.epoch), Sequence(sequence)),
        transactional: true,
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(options);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    builder.push(Timestamp(now.as_millis() as i64), None, Some(value.as_bytes()), &[]);
    builder.finish_uncompressed()
}

fn send(client: &mut Client, producer: Producer, sequence: i32, value: &str, version: i16) -> Produced {
    let mut request = produce_request("t", 0, -1, transactional(producer, sequence, value));
    request.transactional_id = Some(ID.into());
    produced(&client.ask(&request, version), version)
}

fn end(client: &mut Client, producer: Producer, committed: bool, version: i16) -> (i16, Producer) {
    let request = EndTxnRequest {
        transactional_id: ID.into(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        committed,
    };
    let body = client.ask(&request, version);
    let said = EndTxnResponse::decode(&body, version).unwrap();
    (said.error_code, Producer { id: said.producer_id, epoch: said.producer_epoch })
}

/// What a reader of committed data sees.
fn committed(client: &mut Client) -> Vec<String> {
    seen(client, 1)
}

/// What a reader of this isolation sees: values whose transaction is not among the aborted ones that it is told of.
fn seen(client: &mut Client, isolation_level: i8) -> Vec<String> {
    let mut request = fetch_request("t", 0, 0, 0);
    request.isolation_level = isolation_level;
    let body = client.ask(&request, 11);
    let response = FetchResponse::decode(&body, 11).unwrap();
    let topic = response.responses.iter().next().unwrap();
    let partition = topic.partitions.iter().next().unwrap();
    assert_eq!(partition.error_code, 0);
    let mut aborted: Vec<_> = partition
        .aborted_transactions
        .iter()
        .flatten()
        .map(|aborted| (aborted.first_offset, aborted.producer_id))
        .collect();
    let (mut skipped, mut values) = (std::collections::BTreeSet::new(), Vec::new());
    for batch in Batches::new(partition.records.as_deref().unwrap_or_default()) {
        let header = batch.header;
        assert!(isolation_level == 0 || header.base_offset.0 < partition.last_stable_offset);
        let id = header.producer_id.0;
        aborted.retain(|(first, producer)| {
            let begins = *first <= header.last_offset().0;
            begins.then(|| skipped.insert(*producer));
            !begins
        });
        if header.attributes.is_control() {
            skipped.remove(&id);
        } else if !(header.attributes.is_transactional() && skipped.contains(&id)) {
            for record in Records::new(batch.payload(), header.count) {
                values.push(String::from_utf8(record.unwrap().value.unwrap().to_vec()).unwrap());
            }
        }
    }
    values
}

/// The state of the transaction, once what was decided of it is done: markers that have to wait are written later.
fn state(client: &mut Client) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let request = DescribeTransactionsRequest { transactional_ids: vec![ID.into()].into() };
        let body = client.ask(&request, 0);
        let said = DescribeTransactionsResponse::decode(&body, 0).unwrap();
        let state = said.transaction_states.iter().next().unwrap();
        assert_eq!(state.error_code, 0);
        if !state.transaction_state.starts_with("Prepare") {
            return state.transaction_state.into_owned();
        }
        assert!(Instant::now() < deadline, "it is still {}", state.transaction_state);
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn commit_offset(client: &mut Client, producer: Producer, offset: i64, version: i16) -> i16 {
    let partition = TxnOffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: offset,
        ..Default::default()
    };
    let topic = TxnOffsetCommitRequestTopic {
        name: "t".into(),
        partitions: vec![partition].into(),
        ..Default::default()
    };
    let request = TxnOffsetCommitRequest {
        transactional_id: ID.into(),
        group_id: "g".into(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        topics: vec![topic].into(),
        ..TxnOffsetCommitRequest::default()
    };
    let body = client.ask(&request, version);
    let said = TxnOffsetCommitResponse::decode(&body, version).unwrap();
    let topic = said.topics.iter().next().unwrap();
    topic.partitions.iter().next().unwrap().error_code
}

/// The group's offset, or the error where it must be stable and is not.
fn offset(client: &mut Client, stable: bool) -> Result<i64, i16> {
    let topic = OffsetFetchRequestTopics {
        name: "t".into(),
        partition_indexes: vec![0].into(),
        ..Default::default()
    };
    let group = OffsetFetchRequestGroup {
        group_id: "g".into(),
        topics: Some(vec![topic].into()),
        ..Default::default()
    };
    let request =
        OffsetFetchRequest { groups: vec![group].into(), require_stable: stable, ..Default::default() };
    let body = client.ask(&request, 8);
    let said = OffsetFetchResponse::decode(&body, 8).unwrap();
    let group = said.groups.iter().next().unwrap();
    let topic = group.topics.iter().next().unwrap();
    let partition = topic.partitions.iter().next().unwrap();
    if partition.error_code == 0 { Ok(partition.committed_offset) } else { Err(partition.error_code) }
}

/// Where the log ends for readers of this isolation.
fn latest(client: &mut Client, isolation_level: i8) -> i64 {
    let partition = ListOffsetsPartition { partition_index: 0, timestamp: -1, ..Default::default() };
    let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![partition].into() };
    let request = ListOffsetsRequest {
        replica_id: -1,
        isolation_level,
        topics: vec![topic].into(),
        ..Default::default()
    };
    let body = client.ask(&request, 5);
    let said = ListOffsetsResponse::decode(&body, 5).unwrap();
    let topic = said.topics.iter().next().unwrap();
    topic.partitions.iter().next().unwrap().offset
}

fn code(error: ErrorCode) -> i16 {
    error.into()
}

#[test]
fn what_old_clients_commit_is_seen_and_what_they_abort_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let (_node, mut client) = node(directory.path(), &[]);
    let producer = begin(&mut client, OLD.init);
    let unadded = send(&mut client, producer, 0, "nobody added this", OLD.produce);
    assert_eq!(unadded.error, code(ErrorCode::InvalidTxnState));
    let unadded = send(&mut client, producer, 0, "nor this", 11);
    assert_eq!(unadded.error, code(ErrorCode::TransactionAbortable));

    assert_eq!(add(&mut client, producer, "t", 3), 0);
    assert_eq!(send(&mut client, producer, 0, "one", OLD.produce).error, 0);
    assert_eq!(send(&mut client, producer, 1, "two", OLD.produce).error, 0);
    assert_eq!((state(&mut client).as_str(), committed(&mut client)), ("Ongoing", vec![]));
    assert_eq!(client.fetch("t", 0, 0).2.len(), 2, "who reads all sees them");
    assert_eq!((latest(&mut client, 0), latest(&mut client, 1)), (2, 0));
    assert_eq!(end(&mut client, producer, true, OLD.end).0, 0);
    assert_eq!(
        (state(&mut client).as_str(), committed(&mut client)),
        ("CompleteCommit", vec!["one".into(), "two".into()])
    );
    assert_eq!(end(&mut client, producer, true, OLD.end).0, 0, "a retry is answered alike");

    assert_eq!(add(&mut client, producer, "t", 3), 0);
    assert_eq!(send(&mut client, producer, 2, "never", OLD.produce).error, 0);
    assert_eq!(end(&mut client, producer, false, OLD.end).0, 0);
    client.produce("t", 0, raw::batch::batch(&["plain"]));
    assert_eq!(committed(&mut client), ["one", "two", "plain"]);
    assert_eq!(
        seen(&mut client, 0),
        ["one", "two", "never", "plain"],
        "who reads all reads what was aborted, too"
    );
    assert_eq!(end(&mut client, producer, true, OLD.end).0, code(ErrorCode::InvalidTxnState));

    // Whoever comes after fences whoever was there.
    let next = begin(&mut client, OLD.init);
    assert_eq!(next, Producer { id: producer.id, epoch: producer.epoch + 1 });
    for (version, error) in [(1, ErrorCode::InvalidProducerEpoch), (3, ErrorCode::ProducerFenced)] {
        assert_eq!(add(&mut client, producer, "t", version), code(error));
        assert_eq!(end(&mut client, producer, true, version).0, code(error));
    }
    let zombie = send(&mut client, producer, 3, "zombie", OLD.produce);
    assert_eq!(zombie.error, code(ErrorCode::InvalidProducerEpoch));
}

#[test]
fn each_transaction_of_new_clients_has_an_epoch_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let (_node, mut client) = node(directory.path(), &[]);
    let first = begin(&mut client, NEW.init);
    assert_eq!(send(&mut client, first, 0, "one", NEW.produce).error, 0, "a batch adds its partition");
    let (error, second) = end(&mut client, first, true, NEW.end);
    assert_eq!((error, second), (0, Producer { id: first.id, epoch: first.epoch + 1 }));
    assert_eq!(
        end(&mut client, first, true, NEW.end),
        (0, second),
        "the answer was lost, and is given again"
    );

    // What comes late of the first transaction does not become part of the second (KIP-890).
    assert_eq!(send(&mut client, second, 0, "two", NEW.produce).error, 0);
    let late = send(&mut client, first, 1, "late", NEW.produce);
    assert_eq!(late.error, code(ErrorCode::InvalidProducerEpoch));
    assert_eq!(end(&mut client, first, false, NEW.end).0, code(ErrorCode::ProducerFenced));
    let again = send(&mut client, second, 0, "two", NEW.produce);
    assert_eq!((again.error, again.base_offset), (0, 2), "a second try is known again");
    let (error, third) = end(&mut client, second, false, NEW.end);
    assert_eq!((error, third.epoch), (0, second.epoch + 1));
    let (error, fourth) = end(&mut client, third, false, NEW.end);
    assert_eq!((error, fourth.epoch), (0, third.epoch + 1), "an abort of nothing is let through");
    assert_eq!(end(&mut client, fourth, true, NEW.end).0, code(ErrorCode::InvalidTxnState));
    assert_eq!(committed(&mut client), ["one"]);
}

#[test]
fn offsets_count_when_their_transaction_commits() {
    let directory = tempfile::tempdir().unwrap();
    let (_node, mut client) = node(directory.path(), &[]);
    let mut producer = begin(&mut client, NEW.init);
    let refused = commit_offset(&mut client, producer, 3, OLD.offsets);
    assert_eq!(refused, code(ErrorCode::InvalidTxnState), "the group was not added");
    let request = AddOffsetsToTxnRequest {
        transactional_id: ID.into(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        group_id: "g".into(),
    };
    let body = client.ask(&request, 3);
    assert_eq!(AddOffsetsToTxnResponse::decode(&body, 3).unwrap().error_code, 0);
    for version in 0..=5 {
        assert_eq!(commit_offset(&mut client, producer, 3, version), 0, "{version}");
    }
    assert_eq!(offset(&mut client, false), Ok(-1));
    assert_eq!(offset(&mut client, true), Err(code(ErrorCode::UnstableOffsetCommit)));
    producer = end(&mut client, producer, true, NEW.end).1;
    assert_eq!(offset(&mut client, true), Ok(3));

    assert_eq!(commit_offset(&mut client, producer, 9, NEW.offsets), 0, "a commit adds the group by itself");
    producer = end(&mut client, producer, false, NEW.end).1;
    assert_eq!(offset(&mut client, true), Ok(3));
    let stale = Producer { epoch: producer.epoch - 1, ..producer };
    let refused = commit_offset(&mut client, stale, 11, NEW.offsets);
    assert_eq!(refused, code(ErrorCode::InvalidProducerEpoch));
}

#[test]
fn a_transaction_that_runs_out_of_time_is_aborted_and_its_producer_fenced() {
    let directory = tempfile::tempdir().unwrap();
    let soon = [("transaction.abort.timed.out.transaction.cleanup.interval.ms", "20")];
    let (_node, mut client) = node(directory.path(), &soon);
    let (error, producer) = init(&mut client, 100, NEW.init);
    assert_eq!(error, 0);
    assert_eq!(send(&mut client, producer, 0, "too slow", NEW.produce).error, 0);
    let deadline = Instant::now() + Duration::from_secs(20);
    while state(&mut client) != "CompleteAbort" {
        assert!(Instant::now() < deadline, "{}", state(&mut client));
        std::thread::yield_now();
    }
    assert_eq!(committed(&mut client), [] as [&str; 0]);
    assert_eq!(send(&mut client, producer, 1, "x", NEW.produce).error, code(ErrorCode::InvalidProducerEpoch));
    assert_eq!(end(&mut client, producer, true, NEW.end).0, code(ErrorCode::ProducerFenced));
    assert_eq!(init(&mut client, 900_001, NEW.init).0, code(ErrorCode::InvalidTransactionTimeout));
    assert_eq!(init(&mut client, 0, NEW.init).0, code(ErrorCode::InvalidTransactionTimeout));
}

#[test]
fn whoever_begins_anew_ends_what_was_open() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut client) = node(directory.path(), &[]);
    let producer = begin(&mut client, NEW.init);
    assert_eq!(send(&mut client, producer, 0, "left open", NEW.produce).error, 0);
    node.stop();

    // A restart in the middle loses nothing of it.
    let node = start(directory.path(), &[]);
    let mut client = node.connect();
    assert_eq!(state_once_loaded(&mut client), "Ongoing");
    assert_eq!(send(&mut client, producer, 1, "and on", NEW.produce).error, 0);
    let (error, _) = init(&mut client, 60_000, NEW.init);
    assert_eq!(error, code(ErrorCode::ConcurrentTransactions));
    let next = begin(&mut client, NEW.init);
    assert!(next.epoch > producer.epoch + 1, "{next:?}");
    assert_eq!(committed(&mut client), [] as [&str; 0]);
    assert_eq!(send(&mut client, next, 0, "new", NEW.produce).error, 0);
    assert_eq!(end(&mut client, next, true, NEW.end).0, 0);
    assert_eq!(committed(&mut client), ["new"]);
}

fn state_once_loaded(client: &mut Client) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let request = DescribeTransactionsRequest { transactional_ids: vec![ID.into()].into() };
        let body = client.ask(&request, 0);
        let said = DescribeTransactionsResponse::decode(&body, 0).unwrap();
        let state = said.transaction_states.iter().next().unwrap();
        if state.error_code == 0 {
            return state.transaction_state.into_owned();
        }
        assert_eq!(state.error_code, code(ErrorCode::CoordinatorLoadInProgress));
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
}

/// Puts a record behind the last of `__transaction_state`, as if the node had died right after it.
fn decide_and_die(directory: &Path, to: TransactionState) {
    let log = directory.join("__transaction_state-0");
    let segment = log.join("00000000000000000000.log");
    let mut bytes = fs::read(&segment).unwrap();
    let last = Batches::new(&bytes).last().unwrap();
    let record = Records::new(last.payload(), last.header.count).last().unwrap().unwrap();
    let mut record = TransactionRecord::decode(record.key.unwrap(), record.value).unwrap().unwrap();
    let value = record.value.as_mut().unwrap();
    value.transaction_status = to.id();
    value.producer_epoch += 1;
    let (mut key, mut encoded) = (Vec::new(), Vec::new());
    assert!(record.encode(&mut key, &mut encoded).unwrap());
    let mut builder =
        BatchBuilder::new(BatchOptions { leader_epoch: last.header.leader_epoch, ..BatchOptions::default() });
    builder.push(last.header.max_timestamp, Some(&key), Some(&encoded), &[]);
    let mut batch = builder.finish_uncompressed();
    protocol::records::batch::set_base_offset(&mut batch, last.header.next_offset());
    bytes.extend_from_slice(&batch);
    fs::write(&segment, bytes).unwrap();
    for trace in [directory.join(".kafka_cleanshutdown"), directory.join("recovery-point-offset-checkpoint")]
    {
        fs::remove_file(trace).unwrap();
    }
}

#[test]
fn markers_are_written_after_a_death_between_the_decision_and_them() {
    for (to, complete, expected) in [
        (TransactionState::PrepareCommit, "CompleteCommit", (vec!["open".to_owned(), "next".into()], 5)),
        (TransactionState::PrepareAbort, "CompleteAbort", (vec!["next".into()], -1)),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (node, mut client) = node(directory.path(), &[]);
        let producer = begin(&mut client, NEW.init);
        assert_eq!(send(&mut client, producer, 0, "open", NEW.produce).error, 0);
        assert_eq!(commit_offset(&mut client, producer, 5, NEW.offsets), 0);
        node.stop();
        decide_and_die(directory.path(), to);

        let node = start(directory.path(), &[]);
        let mut client = node.connect();
        let deadline = Instant::now() + Duration::from_secs(20);
        while state_once_loaded(&mut client) != complete {
            assert!(Instant::now() < deadline, "{}", state(&mut client));
        }
        // The producer's next transaction has nothing of the one before in it.
        let next = begin(&mut client, NEW.init);
        assert_eq!(send(&mut client, next, 0, "next", NEW.produce).error, 0);
        assert_eq!(end(&mut client, next, true, NEW.end).0, 0);
        assert_eq!((committed(&mut client), offset(&mut client, true).unwrap()), expected);
    }
}

/// Whoever is asked for its partition meanwhile has none by that name: that says nothing of whether it is gone for good.
#[test]
fn a_marker_waits_for_a_partition_whose_directory_is_away() {
    let temp = tempfile::tempdir().unwrap();
    let [a, b, away] = ["a", "b", "away"].map(|name| temp.path().join(name));
    fs::create_dir(&b).unwrap();
    start(&a, &[]).stop();
    let properties = fs::read_to_string(a.join("meta.properties")).unwrap();
    let cluster = properties.lines().find_map(|line| line.strip_prefix("cluster.id=")).unwrap();
    storage::log_dirs::format(&storage::RealDisk, &b, (cluster, NodeId(1)), Timestamp(1)).unwrap();
    let both = format!("{},{}", a.display(), b.display());
    let cordoned = |directory: &Path| {
        let cordoned = ("cordoned.log.dirs", directory.to_str().unwrap().to_owned());
        [("log.dirs", both.clone()), cordoned]
    };
    // The topic lies in the one, what the coordinators write in the other.
    let settings = cordoned(&a);
    let first = start(&a, &settings.each_ref().map(|(key, value)| (*key, value.as_str())));
    let mut client = first.connect();
    client.create(&["t"]);
    assert_eq!(client.produce("t", 0, raw::batch::batch(&["first"])).error, 0);
    first.stop();
    let settings = cordoned(&b);
    let settings = settings.each_ref().map(|(key, value)| (*key, value.as_str()));
    let (second, mut client) = node(&a, &settings);
    let producer = begin(&mut client, NEW.init);
    assert_eq!(send(&mut client, producer, 0, "open", NEW.produce).error, 0);
    second.stop();
    decide_and_die(&a, TransactionState::PrepareAbort);

    fs::rename(&b, &away).unwrap();
    let one_left = [("log.dirs", both.as_str()), ("transaction.state.log.num.partitions", "1")];
    let without = start(&a, &one_left);
    let mut client = without.connect();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        assert_eq!(state_once_loaded(&mut client), "PrepareAbort");
    }
    without.stop();

    fs::rename(&away, &b).unwrap();
    let with = start(&a, &one_left);
    let mut client = with.connect();
    let deadline = Instant::now() + Duration::from_secs(20);
    while state_once_loaded(&mut client) != "CompleteAbort" {
        assert!(Instant::now() < deadline, "{}", state(&mut client));
    }
    assert_eq!(committed(&mut client), ["first"]);
}

#[test]
fn a_transaction_that_nobody_coordinates_is_found_and_ended_by_hand() {
    let directory = tempfile::tempdir().unwrap();
    let (_node, mut client) =
        node(directory.path(), &[("transaction.partition.verification.enable", "false")]);
    let producer = begin(&mut client, OLD.init);
    assert_eq!(send(&mut client, producer, 0, "hangs", OLD.produce).error, 0, "nobody was asked");
    let described = |client: &mut Client| {
        let topic = TopicRequest { name: "t".into(), partition_indexes: vec![0].into() };
        let body = client.ask(&DescribeProducersRequest { topics: vec![topic].into() }, 0);
        let said = DescribeProducersResponse::decode(&body, 0).unwrap();
        let topic = said.topics.iter().next().unwrap();
        let partition = topic.partitions.iter().next().unwrap();
        let known = partition.active_producers.iter().next().unwrap();
        (known.producer_id, known.producer_epoch, known.current_txn_start_offset)
    };
    assert_eq!(described(&mut client), (producer.id, i32::from(producer.epoch), 0));
    let body = client.ask(&ListTransactionsRequest { duration_filter: -1, ..Default::default() }, 2);
    let listed = ListTransactionsResponse::decode(&body, 2).unwrap();
    let listed = listed.transaction_states.iter().next().unwrap();
    assert_eq!((&*listed.transactional_id, &*listed.transaction_state), (ID, "Empty"));
    client.produce("t", 0, raw::batch::batch(&["held back"]));
    assert_eq!(committed(&mut client), [] as [&str; 0]);

    for version in 0..=2 {
        let topics = ["t", "nowhere"]
            .map(|name| WritableTxnMarkerTopic { name: name.into(), partition_indexes: vec![0].into() });
        let marker = WritableTxnMarker {
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            transaction_result: false,
            topics: topics.to_vec().into(),
            coordinator_epoch: 0,
            transaction_version: 0,
        };
        let body = client.ask(&WriteTxnMarkersRequest { markers: vec![marker].into() }, version);
        let said = WriteTxnMarkersResponse::decode(&body, version).unwrap();
        let said = said.markers.iter().next().unwrap();
        let errors: Vec<_> = said
            .topics
            .iter()
            .map(|topic| (topic.name.into_owned(), topic.partitions.iter().next().unwrap().error_code))
            .collect();
        let absent = code(ErrorCode::UnknownTopicOrPartition);
        assert_eq!(errors, [("nowhere".to_owned(), absent), ("t".to_owned(), 0)], "{version}");
    }
    assert_eq!(described(&mut client).2, -1);
    assert_eq!(committed(&mut client), ["held back"]);
}

#[test]
fn a_partition_that_is_deleted_holds_no_transaction_open() {
    let directory = tempfile::tempdir().unwrap();
    let (_node, mut client) = node(directory.path(), &[]);
    client.create(&["gone"]);
    let producer = begin(&mut client, NEW.init);
    assert_eq!(send(&mut client, producer, 0, "stays", NEW.produce).error, 0);
    let mut request = produce_request("gone", 0, -1, transactional(producer, 0, "goes"));
    request.transactional_id = Some(ID.into());
    assert_eq!(produced(&client.ask(&request, NEW.produce), NEW.produce).error, 0);
    let delete = DeleteTopicsRequest {
        topic_names: vec!["gone".into()].into(),
        timeout_ms: 10_000,
        ..DeleteTopicsRequest::default()
    };
    client.ask(&delete, 4);
    assert_eq!(end(&mut client, producer, true, NEW.end).0, 0);
    assert_eq!(
        (state(&mut client).as_str(), committed(&mut client)),
        ("CompleteCommit", vec!["stays".into()])
    );
}

fn create_wide(client: &mut Client, partitions: i32) {
    let wide = CreatableTopic {
        name: "wide".into(),
        num_partitions: partitions,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![wide].into(),
        timeout_ms: 60_000,
        ..CreateTopicsRequest::default()
    };
    client.ask(&request, 5);
}

#[test]
fn a_transaction_over_very_many_partitions_ends() {
    let directory = tempfile::tempdir().unwrap();
    let (_node, mut client) = node(directory.path(), &[("headwater.durability", "fsync")]);
    create_wide(&mut client, 250);
    let producer = begin(&mut client, OLD.init);
    let topic = AddPartitionsToTxnTopic { name: "wide".into(), partitions: (0..250).collect() };
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: ID.into(),
        v3_and_below_producer_id: producer.id,
        v3_and_below_producer_epoch: producer.epoch,
        v3_and_below_topics: vec![topic].into(),
        ..AddPartitionsToTxnRequest::default()
    };
    client.ask(&request, 3);
    assert_eq!(end(&mut client, producer, true, OLD.end).0, 0);
    assert_eq!(state(&mut client), "CompleteCommit");
}

/// The disk of a directory does not bring anything to stable storage until what is handed back is dropped.
fn hold_the_disk(replica: &Replica) -> Sender<()> {
    let (free, held) = channel();
    let hold = move |_| assert!(held.recv().is_err(), "nothing is sent");
    replica.log().unwrap().commit(Box::new(hold));
    free
}

fn replica(node: &TestNode, topic: &str, index: i32) -> Arc<Replica> {
    let topic = node.node().broker().partitions.by_name(topic).unwrap();
    topic.get(PartitionIndex(index)).unwrap().clone()
}

#[test]
fn an_end_that_was_answered_by_an_error_is_looked_for_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [("headwater.durability", "fsync"), ("request.timeout.ms", "1000")];
    let (node, mut client) = node(directory.path(), &settings);
    let producer = begin(&mut client, NEW.init);
    assert_eq!(send(&mut client, producer, 0, "open", NEW.produce).error, 0);
    let held = hold_the_disk(&replica(&node, "__transaction_state", 0));
    assert_eq!(end(&mut client, producer, true, NEW.end).0, code(ErrorCode::CoordinatorNotAvailable));
    drop(held);
    // The decision lies in the log, and nobody but the task that comes back to such ends knows of it.
    let begun = Instant::now();
    while state_once_loaded(&mut client) != "CompleteCommit" {
        assert!(begun.elapsed() < Duration::from_secs(5), "{}", state_once_loaded(&mut client));
    }
    assert_eq!(committed(&mut client), ["open"]);
}

#[test]
fn markers_of_one_request_are_brought_to_stable_storage_together() {
    let directory = tempfile::tempdir().unwrap();
    let (node, mut client) = node(directory.path(), &[("headwater.durability", "fsync")]);
    let partitions = 50;
    create_wide(&mut client, partitions);
    let held = hold_the_disk(&replica(&node, "wide", 0));
    let topic = WritableTxnMarkerTopic { name: "wide".into(), partition_indexes: (0..partitions).collect() };
    let marker =
        WritableTxnMarker { producer_id: 7, topics: vec![topic].into(), ..WritableTxnMarker::default() };
    let request = WriteTxnMarkersRequest { markers: vec![marker].into() };
    let frame = client.frame(&request, 1);
    client.send(&frame);
    let begun = Instant::now();
    let stands = |index| replica(&node, "wide", index).log().unwrap().partition().watermarks().log_end.0 == 1;
    while !(0..partitions).all(stands) {
        assert!(begun.elapsed() < Duration::from_secs(20), "one waits for another");
        std::thread::yield_now();
    }
    drop(held);
    let body = client.answer::<WriteTxnMarkersRequest<'_>>(1);
    let response = WriteTxnMarkersResponse::decode(&body, 1).unwrap();
    let topic = response.markers.iter().next().unwrap().topics.iter().next().unwrap();
    assert!(topic.partitions.iter().all(|partition| partition.error_code == 0), "{topic:?}");
    assert_eq!(topic.partitions.len(), 50);
}

#[test]
fn two_phase_commit_is_behind_its_settings() {
    let ask = |client: &mut Client| {
        let request = InitProducerIdRequest {
            transactional_id: Some(ID.into()),
            transaction_timeout_ms: 1,
            enable2_pc: true,
            ..InitProducerIdRequest::default()
        };
        let body = client.ask(&request, 6);
        InitProducerIdResponse::decode(&body, 6).unwrap().error_code
    };
    let unstable = ("unstable.api.versions.enable", "true");
    let two_phase = ("transaction.two.phase.commit.enable", "true");
    for (settings, expected) in [
        (&[unstable][..], ErrorCode::TransactionalIdAuthorizationFailed),
        (&[unstable, two_phase], ErrorCode::None),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (_node, mut client) = node(directory.path(), settings);
        assert_eq!(ask(&mut client), code(expected));
    }
    let directory = tempfile::tempdir().unwrap();
    let (_node, mut client) = node(directory.path(), &[two_phase]);
    let frame = client.frame(&InitProducerIdRequest::default(), 6);
    client.send(&frame);
    client.assert_closed();
}

#[test]
fn bad_input_is_refused_and_moves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (_node, mut client) = node(directory.path(), &[]);
    let producer = begin(&mut client, NEW.init);
    let stranger = Producer { id: producer.id + 1000, ..producer };
    assert_eq!(add(&mut client, stranger, "t", 3), code(ErrorCode::InvalidProducerIdMapping));
    assert_eq!(end(&mut client, stranger, true, NEW.end).0, code(ErrorCode::InvalidProducerIdMapping));
    assert_eq!(add(&mut client, producer, "nowhere", 3), code(ErrorCode::UnknownTopicOrPartition));
    let ahead = Producer { epoch: producer.epoch + 5, ..producer };
    assert_eq!(add(&mut client, ahead, "t", 3), code(ErrorCode::ProducerFenced));
    assert_eq!(
        send(&mut client, stranger, 0, "x", NEW.produce).error,
        code(ErrorCode::InvalidProducerIdMapping)
    );
    assert_eq!(
        commit_offset(&mut client, stranger, 3, NEW.offsets),
        code(ErrorCode::InvalidProducerIdMapping)
    );

    // A request for two producers is refused as a whole; one without a name for its transaction, too.
    let mut request = produce_request("t", 0, -1, transactional(producer, 0, "x"));
    let said = produced(&client.ask(&request, 12), 12);
    assert_eq!(said.error, code(ErrorCode::TransactionalIdAuthorizationFailed));
    request.transactional_id = Some("nobody".into());
    let said = produced(&client.ask(&request, 12), 12);
    assert_eq!(said.error, code(ErrorCode::InvalidProducerIdMapping));
    assert_eq!(state(&mut client), "Empty");
    assert_eq!(fetched(&client.ask(&fetch_request("t", 0, 0, 0), 11), 11), (0, 0, vec![]));

    let request = InitProducerIdRequest {
        transactional_id: Some("".into()),
        transaction_timeout_ms: 1000,
        ..InitProducerIdRequest::default()
    };
    let body = client.ask(&request, 4);
    let said = InitProducerIdResponse::decode(&body, 4).unwrap();
    assert_eq!(said.error_code, code(ErrorCode::InvalidRequest));
    let request = ListTransactionsRequest {
        transactional_id_pattern: Some("(".into()),
        duration_filter: -1,
        ..ListTransactionsRequest::default()
    };
    let body = client.ask(&request, 2);
    let said = ListTransactionsResponse::decode(&body, 2).unwrap();
    assert_eq!(said.error_code, code(ErrorCode::InvalidRegularExpression));
}
