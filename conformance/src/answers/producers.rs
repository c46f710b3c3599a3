//! InitProducerId, idempotent produce and DescribeProducers.

use protocol::api_key::ApiKey::{DescribeProducers, InitProducerId, Produce};
use protocol::error_code::ErrorCode::{
    DuplicateSequenceNumber, InvalidProducerEpoch, InvalidRecord, InvalidRequest, InvalidTopicException,
    OutOfOrderSequenceNumber, TransactionalIdAuthorizationFailed, UnknownTopicOrPartition,
};
use serde_json::{Value, json};

use super::batches::{of_epoch, of_producer, of_stranger, transactional};
use super::case::{Case, case};
use super::produce::produce;
use super::scene::Scene;

fn described(s: &Scene) -> Value {
    json!({"Topics": [{"Name": s.topic, "PartitionIndexes": [0]}]})
}

/// A batch of a producer that has sent `sent` batches of two records.
fn after(sent: i32, what: &'static str, records: impl Fn(&Scene) -> String + 'static) -> Case {
    let mut case = case(Produce, what).topic(1).producer().fresh();
    for number in 0..sent {
        case = case.batch_of(move |s| of_producer(s, number * 2, 2));
    }
    case.ask(move |s| produce(s, 0, -1, &json!(records(s)))).then(DescribeProducers, 0, described)
}

/// The table.
pub fn cases() -> Vec<Case> {
    [ids(), sequences(), describes()].into_iter().flatten().collect()
}

fn ids() -> Vec<Case> {
    let ask = |id: i64, epoch: i16| move |_: &Scene| json!({"TransactionalId": null, "TransactionTimeoutMs": 60_000, "ProducerId": id, "ProducerEpoch": epoch});
    vec![
        case(InitProducerId, "a new id").versions(0, 5).ask(ask(-1, -1)),
        case(InitProducerId, "a timeout of nothing")
            .versions(0, 5)
            .ask(|_| json!({"TransactionalId": null, "TransactionTimeoutMs": 0})),
        case(InitProducerId, "an empty transactional id")
            .versions(0, 5)
            .errors(&[InvalidRequest])
            .ask(|_| json!({"TransactionalId": "", "TransactionTimeoutMs": 60_000})),
        case(InitProducerId, "an id without an epoch")
            .versions(3, 5)
            .errors(&[InvalidRequest])
            .ask(ask(5, -1)),
        case(InitProducerId, "an epoch without an id")
            .versions(3, 5)
            .errors(&[InvalidRequest])
            .ask(ask(-1, 5)),
        case(InitProducerId, "a negative timeout")
            .versions(0, 5)
            .ask(|_| json!({"TransactionalId": null, "TransactionTimeoutMs": -1})),
        case(InitProducerId, "negative id and epoch").versions(3, 5).ask(ask(-5, -5)),
        case(InitProducerId, "an id and its epoch without a transactional id").versions(3, 5).ask(ask(5, 5)),
    ]
}

fn sequences() -> Vec<Case> {
    vec![
        after(0, "the first batch of a producer", |s| of_producer(s, 0, 2)),
        after(0, "a first batch that begins at sequence 5", |s| of_producer(s, 5, 2)),
        after(2, "the next batch", |s| of_producer(s, 4, 2)),
        after(2, "the last batch again", |s| of_producer(s, 2, 2)),
        after(5, "the first of five batches again", |s| of_producer(s, 0, 2)),
        after(6, "the first of six batches again", |s| of_producer(s, 0, 2))
            .errors(&[DuplicateSequenceNumber, OutOfOrderSequenceNumber]),
        after(2, "half of the last batch again", |s| of_producer(s, 3, 1))
            .errors(&[OutOfOrderSequenceNumber, DuplicateSequenceNumber]),
        after(2, "a batch after a gap", |s| of_producer(s, 6, 2)).errors(&[OutOfOrderSequenceNumber]),
        after(1, "an older epoch", |s| of_epoch(s, s.producer_epoch.0 - 1, 2, 2))
            .errors(&[InvalidProducerEpoch, InvalidRecord]),
        after(1, "a newer epoch from its beginning", |s| of_epoch(s, s.producer_epoch.0 + 1, 0, 2)),
        after(1, "a newer epoch after its beginning", |s| of_epoch(s, s.producer_epoch.0 + 1, 2, 2))
            .errors(&[OutOfOrderSequenceNumber]),
        after(0, "an id that nobody gave out", |_| of_stranger(987_654_321, 0, 0)),
        after(0, "a sequence that wraps", |s| of_producer(s, i32::MAX - 1, 4)),
        after(1, "a negative sequence", |s| of_producer(s, -7, 2)).errors(&[InvalidRecord]),
        after(1, "an epoch of -1", |s| of_epoch(s, -1, 2, 2)).errors(&[InvalidProducerEpoch]),
        after(1, "a batch of one more record, begun alike", |s| of_producer(s, 0, 3))
            .errors(&[OutOfOrderSequenceNumber, DuplicateSequenceNumber]),
        after(0, "an id without a sequence", |_| of_stranger(987_654_322, 0, -1)).errors(&[InvalidRecord]),
        after(0, "an id without an epoch", |_| of_stranger(987_654_323, -1, 0)),
        after(0, "a transactional batch without a transaction", transactional)
            .errors(&[TransactionalIdAuthorizationFailed]),
    ]
}

fn describes() -> Vec<Case> {
    vec![
        case(DescribeProducers, "a partition without producers").topic(1).ask(described),
        case(DescribeProducers, "a partition with a producer")
            .topic(1)
            .producer()
            .batch_of(|s| of_producer(s, 0, 2))
            .ask(described),
        case(DescribeProducers, "an unknown topic").errors(&[UnknownTopicOrPartition]).ask(described),
        case(DescribeProducers, "an unknown partition")
            .topic(1)
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| json!({"Topics": [{"Name": s.topic, "PartitionIndexes": [7]}]})),
        case(DescribeProducers, "an illegal name")
            .errors(&[UnknownTopicOrPartition, InvalidTopicException])
            .ask(|_| json!({"Topics": [{"Name": "..", "PartitionIndexes": [0]}]})),
        case(DescribeProducers, "a negative partition, and the same twice")
            .topic(1)
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| json!({"Topics": [{"Name": s.topic, "PartitionIndexes": [-1, 0, 0]}]})),
        case(DescribeProducers, "nothing").ask(|_| json!({"Topics": []})),
    ]
}
