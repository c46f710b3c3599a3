//! Transactions: InitProducerId to EndTxn, the markers, and what tells of them; offsets in them are in `txn_offsets`. A case's transactional id and group are
//! called as its topic.

use protocol::api_key::ApiKey::{
    AddOffsetsToTxn, AddPartitionsToTxn, DescribeProducers, DescribeTransactions, EndTxn, Fetch,
    FindCoordinator, InitProducerId, ListOffsets, ListTransactions, Produce, WriteTxnMarkers,
};
use protocol::error_code::ErrorCode::{
    ConcurrentTransactions, InvalidProducerEpoch, InvalidProducerIdMapping, InvalidRegularExpression,
    InvalidRequest, InvalidTransactionTimeout, InvalidTxnState, OperationNotAttempted,
    OutOfOrderSequenceNumber, ProducerFenced, TransactionAbortable, TransactionCoordinatorFenced,
    TransactionalIdNotFound, UnknownTopicOrPartition,
};
use serde_json::{Value, json};

use super::batches::{plain, transactional, transactional_of};
use super::case::{Case, case};
use super::produce::produce;
use super::scene::Scene;

/// The table.
pub fn cases() -> Vec<Case> {
    [
        begins(),
        goes_on(),
        adds(),
        adds_refused(),
        batched(),
        verifies(),
        offsets(),
        ends(),
        ends_again(),
        ends_refused(),
        tells(),
        lists(),
        produces(),
        reads(),
        markers(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A request of a transactional id to begin.
pub fn init(s: &Scene) -> Value {
    json!({"TransactionalId": s.topic, "TransactionTimeoutMs": 60_000, "ProducerId": -1, "ProducerEpoch": -1})
}

/// A request to end the scene's transaction.
pub fn end(s: &Scene, committed: bool) -> Value {
    json!({"TransactionalId": s.topic, "ProducerId": s.producer_id.0, "ProducerEpoch": s.producer_epoch.0,
        "Committed": committed})
}

/// A request to add partitions of the scene's topic, as clients ask.
pub fn add(s: &Scene, partitions: &[i32]) -> Value {
    json!({"V3AndBelowTransactionalId": s.topic, "V3AndBelowProducerId": s.producer_id.0,
        "V3AndBelowProducerEpoch": s.producer_epoch.0,
        "V3AndBelowTopics": [{"Name": s.topic, "Partitions": partitions}]})
}

/// The same as brokers ask.
fn transaction(s: &Scene, verify_only: bool, partitions: &[i32]) -> Value {
    json!({"TransactionalId": s.topic, "ProducerId": s.producer_id.0, "ProducerEpoch": s.producer_epoch.0,
        "VerifyOnly": verify_only, "Topics": [{"Name": s.topic, "Partitions": partitions}]})
}

pub fn describe(s: &Scene) -> Value {
    json!({"TransactionalIds": [s.topic]})
}

pub fn with(mut request: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        request[name] = value.clone();
    }
    request
}

/// With a transaction that has partition 0 of the scene's topic.
fn open(case: Case) -> Case {
    case.topic(2).transactional().asked(AddPartitionsToTxn, 3, |s| add(s, &[0]))
}

fn begins() -> Vec<Case> {
    let changed = |more: Value| move |s: &Scene| with(init(s), &more);
    vec![
        case(FindCoordinator, "a transactional id")
            .versions(1, 3)
            .ask(|s| json!({"Key": s.topic, "KeyType": 1})),
        case(FindCoordinator, "two transactional ids")
            .versions(4, 6)
            .ask(|s| json!({"CoordinatorKeys": [s.topic, "another"], "KeyType": 1})),
        case(InitProducerId, "a transactional id").versions(0, 5).fresh().ask(init).then(
            DescribeTransactions,
            0,
            describe,
        ),
        case(InitProducerId, "a transactional id again")
            .versions(0, 5)
            .fresh()
            .transactional()
            .ask(init)
            .then(DescribeTransactions, 0, describe),
        case(InitProducerId, "a transactional id with no time")
            .versions(0, 5)
            .errors(&[InvalidTransactionTimeout])
            .ask(changed(json!({"TransactionTimeoutMs": 0}))),
        case(InitProducerId, "a transactional id with a negative time")
            .versions(0, 5)
            .errors(&[InvalidTransactionTimeout])
            .ask(changed(json!({"TransactionTimeoutMs": -1}))),
        case(InitProducerId, "a transactional id with more time than there is")
            .versions(0, 5)
            .errors(&[InvalidTransactionTimeout])
            .ask(changed(json!({"TransactionTimeoutMs": 900_001}))),
        case(InitProducerId, "a transactional id with all the time there is")
            .versions(0, 5)
            .fresh()
            .ask(changed(json!({"TransactionTimeoutMs": 900_000}))),
        open(case(InitProducerId, "a transactional id with a transaction open"))
            .versions(0, 5)
            .fresh()
            .errors(&[ConcurrentTransactions])
            .ask(init)
            .then(DescribeTransactions, 0, describe),
        case(InitProducerId, "a transactional id after a commit")
            .versions(0, 5)
            .fresh()
            .topic(1)
            .transactional()
            .asked(AddPartitionsToTxn, 3, |s| add(s, &[0]))
            .ended(true)
            .ask(init)
            .then(DescribeTransactions, 0, describe),
    ]
}

fn goes_on() -> Vec<Case> {
    let from = |id: i64, epoch: i16| {
        move |s: &Scene| {
            let (id, epoch) = (s.producer_id.0 + id, s.producer_epoch.0 + epoch);
            with(init(s), &json!({"ProducerId": id, "ProducerEpoch": epoch}))
        }
    };
    let fenced = &[ProducerFenced, InvalidProducerEpoch];
    vec![
        case(InitProducerId, "a producer that goes on")
            .versions(3, 5)
            .fresh()
            .transactional()
            .ask(from(0, 0))
            .then(DescribeTransactions, 0, describe),
        case(InitProducerId, "a producer that goes on and did not hear so")
            .versions(3, 5)
            .fresh()
            .transactional()
            .asked(InitProducerId, 4, from(0, 0))
            .ask(from(0, 0))
            .then(DescribeTransactions, 0, describe),
        case(InitProducerId, "a producer that was replaced")
            .versions(3, 5)
            .transactional()
            .asked(InitProducerId, 4, init)
            .errors(fenced)
            .ask(from(0, 0)),
        case(InitProducerId, "a producer of a later epoch")
            .versions(3, 5)
            .transactional()
            .errors(fenced)
            .ask(from(0, 1)),
        case(InitProducerId, "another's producer id")
            .versions(3, 5)
            .transactional()
            .errors(fenced)
            .ask(from(100_000, 0)),
        case(InitProducerId, "a producer of an id that nobody has")
            .versions(3, 5)
            .fresh()
            .ask(|s| with(init(s), &json!({"ProducerId": 5, "ProducerEpoch": 7}))),
        open(case(InitProducerId, "a producer that goes on with a transaction open"))
            .versions(3, 5)
            .fresh()
            .errors(&[ConcurrentTransactions])
            .ask(from(0, 0))
            .then(DescribeTransactions, 0, describe),
    ]
}

fn adds() -> Vec<Case> {
    let added = |what| case(AddPartitionsToTxn, what).versions(0, 3).fresh().topic(3).transactional();
    vec![
        added("a partition").ask(|s| add(s, &[0])).then(DescribeTransactions, 0, describe),
        added("two partitions, one of them twice").ask(|s| add(s, &[2, 0, 2])).then(
            DescribeTransactions,
            0,
            describe,
        ),
        added("no partition").ask(|s| add(s, &[])).then(DescribeTransactions, 0, describe),
        added("a partition more").asked(AddPartitionsToTxn, 3, |s| add(s, &[1])).ask(|s| add(s, &[0])).then(
            DescribeTransactions,
            0,
            describe,
        ),
        added("a partition again").asked(AddPartitionsToTxn, 3, |s| add(s, &[1])).ask(|s| add(s, &[1])),
        added("a partition after a commit")
            .asked(AddPartitionsToTxn, 3, |s| add(s, &[1]))
            .ended(true)
            .ask(|s| add(s, &[0]))
            .then(DescribeTransactions, 0, describe),
    ]
}

fn adds_refused() -> Vec<Case> {
    let added = |what| case(AddPartitionsToTxn, what).versions(0, 3).topic(1).transactional();
    let changed = |field: &'static str, value: Value| {
        move |s: &Scene| {
            let mut request = add(s, &[0]);
            request[field] = value.clone();
            request
        }
    };
    vec![
        added("a partition that is not there, beside one that is")
            .errors(&[UnknownTopicOrPartition, OperationNotAttempted])
            .ask(|s| add(s, &[0, 7]))
            .then(DescribeTransactions, 0, describe),
        added("a topic that is not there").errors(&[UnknownTopicOrPartition]).ask(|s| {
            with(add(s, &[0]), &json!({"V3AndBelowTopics": [{"Name": "nowhere", "Partitions": [0]}]}))
        }),
        added("a negative partition").errors(&[UnknownTopicOrPartition]).ask(|s| add(s, &[-1])),
        added("a transactional id that nobody has")
            .errors(&[InvalidProducerIdMapping])
            .ask(changed("V3AndBelowTransactionalId", json!("nobody"))),
        added("an empty transactional id")
            .errors(&[InvalidRequest])
            .ask(changed("V3AndBelowTransactionalId", json!(""))),
        added("another's producer id")
            .errors(&[InvalidProducerIdMapping])
            .ask(changed("V3AndBelowProducerId", json!(987_654_321))),
        added("a producer id of -1")
            .errors(&[InvalidProducerIdMapping])
            .ask(changed("V3AndBelowProducerId", json!(-1))),
        added("a later epoch")
            .errors(&[ProducerFenced, InvalidProducerEpoch])
            .ask(changed("V3AndBelowProducerEpoch", json!(1))),
        added("an epoch of -1")
            .errors(&[ProducerFenced, InvalidProducerEpoch])
            .ask(changed("V3AndBelowProducerEpoch", json!(-1))),
    ]
}

fn batched() -> Vec<Case> {
    let added = |what| case(AddPartitionsToTxn, what).versions(4, 5).fresh().topic(2).transactional();
    let one =
        |more: Value| move |s: &Scene| json!({"Transactions": [with(transaction(s, false, &[0]), &more)]});
    vec![
        added("a transaction's partitions").ask(one(json!({}))).then(DescribeTransactions, 0, describe),
        added("two transactions, one of nobody").errors(&[InvalidProducerIdMapping]).ask(|s| {
            json!({"Transactions": [transaction(s, false, &[0, 1]),
                with(transaction(s, false, &[0]), &json!({"TransactionalId": "nobody"}))]})
        }),
        added("a transaction's partition twice")
            .ask(|s| json!({"Transactions": [transaction(s, false, &[1, 0, 1])]}))
            .then(DescribeTransactions, 0, describe),
        added("a transaction's topic without partitions")
            .ask(|s| json!({"Transactions": [transaction(s, false, &[])]}))
            .then(DescribeTransactions, 0, describe),
        added("no transaction").unanswered().ask(|_| json!({"Transactions": []})),
        added("a transaction's later epoch").errors(&[ProducerFenced]).ask(one(json!({"ProducerEpoch": 9}))),
        added("a transaction's empty id").errors(&[InvalidRequest]).ask(one(json!({"TransactionalId": ""}))),
        added("a transaction's partition that is not there")
            .errors(&[UnknownTopicOrPartition, OperationNotAttempted])
            .ask(|s| json!({"Transactions": [transaction(s, false, &[0, 7])]})),
    ]
}

fn verifies() -> Vec<Case> {
    let asked = |what| open(case(AddPartitionsToTxn, what)).versions(4, 5);
    let one = |partitions: &'static [i32], more: Value| move |s: &Scene| json!({"Transactions": [with(transaction(s, true, partitions), &more)]});
    vec![
        asked("whether a partition is in").ask(one(&[0], json!({}))),
        asked("whether partitions are in, and one is not")
            .errors(&[TransactionAbortable])
            .ask(one(&[0, 1], json!({}))),
        asked("whether a partition is in, twice, and whether none is")
            .ask(|s| json!({"Transactions": [transaction(s, true, &[0, 0])]})),
        asked("whether a partition is in a later epoch's")
            .errors(&[ProducerFenced])
            .ask(one(&[0], json!({"ProducerEpoch": 1}))),
        asked("whether a partition is in another producer's")
            .errors(&[InvalidProducerIdMapping])
            .ask(one(&[0], json!({"ProducerId": 987_654_321}))),
        asked("whether a partition is in nobody's")
            .errors(&[InvalidProducerIdMapping])
            .ask(one(&[0], json!({"TransactionalId": "nobody"}))),
        case(AddPartitionsToTxn, "whether a partition is in what has not begun")
            .versions(4, 5)
            .topic(1)
            .transactional()
            .errors(&[TransactionAbortable])
            .ask(one(&[0], json!({}))),
    ]
}

fn offsets() -> Vec<Case> {
    let added = |what| case(AddOffsetsToTxn, what).fresh().transactional();
    let request = |more: Value| {
        move |s: &Scene| {
            let request = json!({"TransactionalId": s.topic, "ProducerId": s.producer_id.0,
                "ProducerEpoch": s.producer_epoch.0, "GroupId": s.topic});
            with(request, &more)
        }
    };
    vec![
        added("a group").ask(request(json!({}))).then(DescribeTransactions, 0, describe),
        added("a later epoch")
            .errors(&[ProducerFenced, InvalidProducerEpoch])
            .ask(request(json!({"ProducerEpoch": 1}))),
        added("another's producer id")
            .errors(&[InvalidProducerIdMapping])
            .ask(request(json!({"ProducerId": 987_654_321}))),
        added("a transactional id that nobody has")
            .errors(&[InvalidProducerIdMapping])
            .ask(request(json!({"TransactionalId": "nobody"}))),
        added("an empty transactional id")
            .errors(&[InvalidRequest])
            .ask(request(json!({"TransactionalId": ""}))),
        added("a group without a name").ask(request(json!({"GroupId": ""}))).then(
            DescribeTransactions,
            0,
            describe,
        ),
    ]
}

fn ends() -> Vec<Case> {
    let ended = |what| open(case(EndTxn, what)).fresh();
    let nothing = |what| case(EndTxn, what).fresh().transactional();
    vec![
        ended("a commit").ask(|s| end(s, true)).then(DescribeTransactions, 0, describe).then(
            DescribeProducers,
            0,
            |s| json!({"Topics": [{"Name": s.topic, "PartitionIndexes": [0]}]}),
        ),
        ended("an abort").ask(|s| end(s, false)).then(DescribeTransactions, 0, describe),
        nothing("an abort of what never began").versions(5, 5).ask(|s| end(s, false)).then(
            DescribeTransactions,
            0,
            describe,
        ),
        nothing("an abort of what never began, by the old rules")
            .versions(0, 4)
            .errors(&[InvalidTxnState])
            .ask(|s| end(s, false))
            .then(DescribeTransactions, 0, describe),
        nothing("a commit of what never began").errors(&[InvalidTxnState]).ask(|s| end(s, true)).then(
            DescribeTransactions,
            0,
            describe,
        ),
        ended("an abort after a commit").versions(5, 5).ended(true).ask(|s| end(s, false)).then(
            DescribeTransactions,
            0,
            describe,
        ),
    ]
}

fn ends_again() -> Vec<Case> {
    let before = |s: &Scene, committed: bool| {
        with(end(s, committed), &json!({"ProducerEpoch": s.producer_epoch.0 - 1}))
    };
    // After an end by the newest rules; asked again, the epoch is that of before.
    let again = |what, done: bool, committed: bool| {
        open(case(EndTxn, what)).versions(5, 5).fresh().ended(done).ask(move |s| before(s, committed)).then(
            DescribeTransactions,
            0,
            describe,
        )
    };
    let old = |what, done: bool, committed: bool| {
        open(case(EndTxn, what)).versions(0, 4).fresh().ended_old(done).ask(move |s| end(s, committed))
    };
    vec![
        again("a commit again", true, true),
        again("an abort again", false, false),
        again("an abort of what was committed", true, false).errors(&[InvalidTxnState]),
        again("a commit of what was aborted", false, true).errors(&[InvalidTxnState]),
        old("a commit again, by the old rules", true, true),
        old("an abort again, by the old rules", false, false),
        old("an abort of what was committed, by the old rules", true, false).errors(&[InvalidTxnState]),
        old("a commit of what was aborted, by the old rules", false, true).errors(&[InvalidTxnState]),
    ]
}

fn ends_refused() -> Vec<Case> {
    let ended = |what| open(case(EndTxn, what));
    let changed = |more: Value| move |s: &Scene| with(end(s, true), &more);
    let fenced = &[ProducerFenced, InvalidProducerEpoch];
    vec![
        ended("a later epoch").errors(fenced).ask(changed(json!({"ProducerEpoch": 1}))),
        ended("an epoch of -1").errors(fenced).ask(changed(json!({"ProducerEpoch": -1}))),
        ended("the last epoch").errors(fenced).ask(changed(json!({"ProducerEpoch": 32_766}))),
        ended("another's producer id")
            .errors(&[InvalidProducerIdMapping])
            .ask(changed(json!({"ProducerId": 987_654_321}))),
        ended("a transactional id that nobody has")
            .errors(&[InvalidProducerIdMapping])
            .ask(changed(json!({"TransactionalId": "nobody"}))),
        ended("an empty transactional id")
            .errors(&[InvalidRequest])
            .ask(changed(json!({"TransactionalId": ""}))),
        open(case(EndTxn, "an epoch that was replaced"))
            .errors(fenced)
            .ended(true)
            .asked(InitProducerId, 4, init)
            .ask(|s| end(s, true)),
    ]
}

fn tells() -> Vec<Case> {
    vec![
        case(DescribeTransactions, "one that has not begun").transactional().ask(describe),
        open(case(DescribeTransactions, "one that is open")).ask(describe),
        case(DescribeTransactions, "one that nobody has").errors(&[TransactionalIdNotFound]).ask(describe),
        case(DescribeTransactions, "one without a name")
            .errors(&[InvalidRequest])
            .ask(|_| json!({"TransactionalIds": [""]})),
        case(DescribeTransactions, "none").ask(|_| json!({"TransactionalIds": []})),
    ]
}

fn lists() -> Vec<Case> {
    let own = |more: Value| {
        move |s: &Scene| {
            let request = json!({"StateFilters": [], "ProducerIdFilters": [s.producer_id.0], "DurationFilter": -1,
                "TransactionalIdPattern": null});
            with(request, &more)
        }
    };
    let listed = |what| open(case(ListTransactions, what));
    vec![
        listed("those of a producer").ask(own(json!({}))),
        listed("those at a state").ask(own(json!({"StateFilters": ["Ongoing", "Empty"]}))),
        listed("those at another state").ask(own(json!({"StateFilters": ["CompleteCommit"]}))),
        listed("those at a state that there is not").ask(own(json!({"StateFilters": ["Ongoing", "Odd"]}))),
        listed("those at no state that there is").ask(own(json!({"StateFilters": ["Odd", "ongoing"]}))),
        // A million bytes that would be a hundred times as much where each name is kept.
        listed("more elements than a request may have")
            .ask(own(json!({"StateFilters": vec!["Odd"; 600_000]}))),
        listed("those that are dead").ask(own(json!({"StateFilters": ["Dead", "PrepareEpochFence"]}))),
        listed("those that run for an hour").versions(1, 2).ask(own(json!({"DurationFilter": 3_600_000}))),
        listed("those of any duration").versions(1, 2).ask(own(json!({"DurationFilter": -5}))),
        listed("those of a pattern")
            .versions(2, 2)
            .ask(move |s| own(json!({"TransactionalIdPattern": format!("{}.*", s.topic)}))(s)),
        listed("those of a pattern that takes a part")
            .versions(2, 2)
            .ask(own(json!({"TransactionalIdPattern": "answers"}))),
        listed("those of the empty pattern").versions(2, 2).ask(own(json!({"TransactionalIdPattern": ""}))),
        listed("those of a pattern that is none")
            .versions(2, 2)
            .errors(&[InvalidRegularExpression])
            .ask(own(json!({"TransactionalIdPattern": "(("}))),
    ]
}

/// A Produce in the scene's transaction.
fn produced(s: &Scene, partition: i32, records: &str) -> Value {
    with(produce(s, partition, -1, &json!(records)), &json!({"TransactionalId": s.topic}))
}

fn stored(s: &Scene) -> Value {
    json!({"MaxWaitMs": 100, "MinBytes": 1, "MaxBytes": 1_000_000, "IsolationLevel": 1, "Topics": [{"Topic": s.topic,
        "TopicId": s.topic_id, "Partitions": [{"Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": 1_000_000}]}]})
}

fn produces() -> Vec<Case> {
    let begun = |what| open(case(Produce, what)).fresh();
    vec![
        begun("a transaction's first batch")
            .versions(3, 13)
            .ask(|s| produced(s, 0, &transactional(s)))
            .then(Fetch, 12, stored)
            .then(DescribeProducers, 0, |s| json!({"Topics": [{"Name": s.topic, "PartitionIndexes": [0]}]})),
        begun("a partition that is not in the transaction")
            .versions(3, 11)
            .errors(&[InvalidTxnState, TransactionAbortable])
            .ask(|s| produced(s, 1, &transactional(s)))
            .then(DescribeTransactions, 0, describe),
        begun("a partition that comes into the transaction by this")
            .versions(12, 13)
            .ask(|s| produced(s, 1, &transactional(s)))
            .then(DescribeTransactions, 0, describe),
        begun("a transaction's later epoch")
            .versions(3, 13)
            .errors(&[InvalidProducerEpoch])
            .ask(|s| produced(s, 0, &transactional_of(s.producer_id.0, s.producer_epoch.0 + 1, 0))),
        begun("a transaction of another's producer id")
            .versions(3, 13)
            .errors(&[InvalidProducerIdMapping])
            .ask(|s| produced(s, 0, &transactional_of(987_654_321, 0, 0))),
        begun("a transaction's batch after a gap")
            .versions(3, 13)
            .errors(&[OutOfOrderSequenceNumber])
            .asked(Produce, 9, |s| produced(s, 0, &transactional(s)))
            .ask(|s| produced(s, 0, &transactional_of(s.producer_id.0, s.producer_epoch.0, 5))),
        case(Produce, "a transaction that has not begun, in a partition that is not in it")
            .versions(3, 11)
            .fresh()
            .topic(1)
            .transactional()
            .errors(&[InvalidTxnState, TransactionAbortable])
            .ask(|s| produced(s, 0, &transactional(s))),
        case(Produce, "a transaction that begins by this")
            .versions(12, 13)
            .fresh()
            .topic(1)
            .transactional()
            .ask(|s| produced(s, 0, &transactional(s)))
            .then(DescribeTransactions, 0, describe),
    ]
}

fn reads() -> Vec<Case> {
    let written = |what| open(case(Fetch, what)).asked(Produce, 9, |s| produced(s, 0, &transactional(s)));
    let latest = |level: i32| {
        move |s: &Scene| {
            json!({"ReplicaId": -1, "IsolationLevel": level, "Topics": [{"Name": s.topic,
                "Partitions": [{"PartitionIndex": 0, "Timestamp": -1}]}]})
        }
    };
    let all = |s: &Scene| with(stored(s), &json!({"IsolationLevel": 0}));
    vec![
        written("what is committed of a transaction that is open").versions(4, 18).ask(stored),
        written("all of a transaction that is open").versions(4, 18).ask(all),
        written("what is committed after a commit").versions(4, 18).ended(true).ask(stored),
        written("what is committed after an abort").versions(4, 18).ended(false).batch(plain()).ask(stored),
        written("all after an abort").versions(4, 18).ended(false).batch(plain()).ask(all),
        open(case(ListOffsets, "the end of what is committed, with a transaction open"))
            .versions(2, 11)
            .asked(Produce, 9, |s| produced(s, 0, &transactional(s)))
            .ask(latest(1)),
        open(case(ListOffsets, "the end of all, with a transaction open"))
            .versions(2, 11)
            .asked(Produce, 9, |s| produced(s, 0, &transactional(s)))
            .ask(latest(0)),
    ]
}

fn markers() -> Vec<Case> {
    let marked = |what| {
        open(case(WriteTxnMarkers, what)).fresh().asked(Produce, 9, |s| produced(s, 0, &transactional(s)))
    };
    let marker = |more: Value| {
        move |s: &Scene| {
            let marker = json!({"ProducerId": s.producer_id.0, "ProducerEpoch": s.producer_epoch.0,
                "TransactionResult": true, "CoordinatorEpoch": 0, "TransactionVersion": 0,
                "Topics": [{"Name": s.topic, "PartitionIndexes": [0]}]});
            json!({"Markers": [with(marker, &more)]})
        }
    };
    vec![
        marked("a commit").ask(marker(json!({}))).then(Fetch, 12, stored),
        marked("an abort").ask(marker(json!({"TransactionResult": false}))).then(Fetch, 12, stored),
        open(case(WriteTxnMarkers, "an older epoch").transactional())
            .fresh()
            .asked(Produce, 9, |s| produced(s, 0, &transactional(s)))
            .errors(&[InvalidProducerEpoch])
            .ask(move |s| marker(json!({"ProducerEpoch": s.producer_epoch.0 - 1}))(s))
            .then(Fetch, 12, stored),
        marked("the epoch of the records, by the newest rules")
            .versions(2, 2)
            .errors(&[InvalidProducerEpoch])
            .ask(marker(json!({"TransactionVersion": 2})))
            .then(Fetch, 12, stored),
        marked("a later epoch, by the newest rules")
            .versions(2, 2)
            .ask(marker(json!({"TransactionVersion": 2, "ProducerEpoch": 1})))
            .then(Fetch, 12, stored),
        marked("an older coordinator")
            .errors(&[TransactionCoordinatorFenced])
            .asked(WriteTxnMarkers, 1, marker(json!({"CoordinatorEpoch": 5})))
            .ask(marker(json!({})))
            .then(Fetch, 12, stored),
        marked("a partition that is not there, beside one that is")
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| {
                json!({"Markers": [{"ProducerId": s.producer_id.0, "ProducerEpoch": s.producer_epoch.0,
                    "TransactionResult": true, "CoordinatorEpoch": 0, "Topics": [
                        {"Name": s.topic, "PartitionIndexes": [0, 7]}, {"Name": "nowhere", "PartitionIndexes": [0]}]}]})
            })
            .then(Fetch, 12, stored),
        marked("a producer that has not written").ask(marker(json!({"ProducerId": 987_654_321}))).then(
            Fetch,
            12,
            stored,
        ),
        marked("no marker").ask(|_| json!({"Markers": []})),
    ]
}
