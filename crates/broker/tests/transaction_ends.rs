//! How transactions end through a whole node: a death between the decision and its markers, partitions that are away, deleted or
//! very many, and what waits for the disk.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;
mod transactional;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use broker::runtime::partitions::Replica;
use coordinator::transaction::{TransactionRecord, TransactionState};
use protocol::ErrorCode;
use protocol::id::{NodeId, PartitionIndex, Timestamp};
use protocol::messages::add_partitions_to_txn::AddPartitionsToTxnTopic;
use protocol::messages::create_topics::CreatableTopic;
use protocol::messages::write_txn_markers::{WritableTxnMarker, WritableTxnMarkerTopic};
use protocol::messages::{
    AddPartitionsToTxnRequest, CreateTopicsRequest, DeleteTopicsRequest, Message, WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
};
use protocol::records::batches::Batches;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::record::Records;
use raw::Client;
use raw::ask::{produce_request, produced};
use raw::node::{TestNode, start};
use transactional::{
    ID, NEW, OLD, begin, code, commit_offset, committed, end, init, node, offset, send, state,
    state_once_loaded, transactional,
};

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
        // Its producer begins no other while this one may still have records that count for open.
        assert_eq!(init(&mut client, 60_000, NEW.init).0, code(ErrorCode::ConcurrentTransactions));
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
    // Nor does its next commit take in what was aborted.
    let next = begin(&mut client, NEW.init);
    assert_eq!(next.id, producer.id);
    assert_eq!(send(&mut client, next, 0, "next", NEW.produce).error, 0);
    assert_eq!(end(&mut client, next, true, NEW.end).0, 0);
    assert_eq!(committed(&mut client), ["first", "next"]);
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
