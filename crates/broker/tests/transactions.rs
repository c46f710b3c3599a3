//! Transactions through a whole node: both kinds of clients, fences, offsets, time-outs, bad input. How they end is in
//! `transaction_ends.rs`.

#![expect(clippy::unwrap_used, reason = "tests")]

mod raw;
mod transactional;

use std::fs;
use std::time::{Duration, Instant};

use protocol::ErrorCode;
use protocol::messages::describe_producers::TopicRequest;
use protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::offset_fetch::OffsetFetchRequestTopic;
use protocol::messages::write_txn_markers::{WritableTxnMarker, WritableTxnMarkerTopic};
use protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, DeleteTopicsRequest, DescribeProducersRequest,
    DescribeProducersResponse, InitProducerIdRequest, InitProducerIdResponse, ListOffsetsRequest,
    ListOffsetsResponse, ListTransactionsRequest, ListTransactionsResponse, Message, OffsetFetchRequest,
    OffsetFetchResponse, WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};
use raw::Client;
use raw::ask::{fetch_request, fetched, produce_request, produced};
use raw::node::start;
use transactional::{
    ID, NEW, OLD, Producer, Versions, add, begin, code, commit_offset, committed, end, init, node, offset,
    seen, send, state, state_once_loaded, transactional,
};

/// The error of the group's offset where it must be stable, in a version that names one group; of all topics or of one.
fn unstable(client: &mut Client, all: bool, version: i16) -> i16 {
    let topic = OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0].into() };
    let request = OffsetFetchRequest {
        group_id: "g".into(),
        topics: (!all).then(|| vec![topic].into()),
        require_stable: true,
        ..OffsetFetchRequest::default()
    };
    let body = client.ask(&request, version);
    let said = OffsetFetchResponse::decode(&body, version).unwrap();
    let topic = said.topics.iter().next().unwrap();
    topic.partitions.iter().next().unwrap().error_code
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
    // From the first version on that can ask for it, and of all topics as of one.
    let refused = code(ErrorCode::UnstableOffsetCommit);
    assert_eq!([false, true].map(|all| unstable(&mut client, all, 7)), [refused, refused]);
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
    let (node, mut client) = node(directory.path(), &soon);
    let timed_out = || {
        let text = broker::metrics::exposition::text(node.node().broker());
        text.lines()
            .find_map(|line| line.strip_prefix("headwater_transactions_timed_out_total "))
            .unwrap()
            .to_owned()
    };
    // One that whoever comes after ends has not run out of time.
    let left = begin(&mut client, NEW.init);
    assert_eq!(send(&mut client, left, 0, "left open", NEW.produce).error, 0);
    assert_eq!(init(&mut client, 100, NEW.init).0, code(ErrorCode::ConcurrentTransactions));
    let (error, producer) = init(&mut client, 100, NEW.init);
    assert_eq!((error, timed_out()), (0, "0".to_owned()));
    assert_eq!(send(&mut client, producer, 0, "too slow", NEW.produce).error, 0);
    let deadline = Instant::now() + Duration::from_secs(20);
    while state(&mut client) != "CompleteAbort" {
        assert!(Instant::now() < deadline, "{}", state(&mut client));
        std::thread::yield_now();
    }
    assert_eq!(committed(&mut client), [] as [&str; 0]);
    assert_eq!(send(&mut client, producer, 1, "x", NEW.produce).error, code(ErrorCode::InvalidProducerEpoch));
    assert_eq!(end(&mut client, producer, true, NEW.end).0, code(ErrorCode::ProducerFenced));
    assert_eq!(timed_out(), "1", "why it is fenced");
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

/// Its producer is told what has every client come again; who asks the coordinator itself is told to look for another.
#[test]
fn records_whose_transaction_nobody_can_be_asked_about_come_again() {
    let come_again = |client: &mut Client, producer, versions: Versions| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while end(client, producer, true, versions.end).0 != code(ErrorCode::NotCoordinator) {
            assert!(Instant::now() < deadline, "there is a coordinator");
            std::thread::yield_now();
        }
        let refused = send(client, producer, 0, "later", versions.produce);
        assert_eq!(refused.error, code(ErrorCode::NotEnoughReplicas), "{versions:?}");
        assert_eq!(seen(client, 0), Vec::<String>::new());
    };
    for versions in [OLD, NEW] {
        let directory = tempfile::tempdir().unwrap();
        let (first, mut client) = node(directory.path(), &[]);
        let producer = begin(&mut client, versions.init);
        assert_eq!(add(&mut client, producer, "t", 3), 0);
        first.stop();
        // What a coordinator cannot read it does not answer for.
        let log = directory.path().join("__transaction_state-0/00000000000000000000.log");
        let mut bytes = fs::read(&log).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&log, bytes).unwrap();
        let second = start(directory.path(), &[("transaction.state.log.num.partitions", "1")]);
        let mut client = second.connect();
        come_again(&mut client, producer, versions);
        let gone = DeleteTopicsRequest {
            topic_names: vec!["__transaction_state".into()].into(),
            timeout_ms: 10_000,
            ..DeleteTopicsRequest::default()
        };
        client.ask(&gone, 5);
        come_again(&mut client, producer, versions);
    }
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
