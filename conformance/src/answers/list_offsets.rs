//! ListOffsets and OffsetForLeaderEpoch: where things are in a log.

use protocol::api_key::ApiKey::{ListOffsets, OffsetForLeaderEpoch};
use protocol::error_code::ErrorCode::{
    FencedLeaderEpoch, InvalidRequest, InvalidTopicException, UnknownLeaderEpoch, UnknownServerError,
    UnknownTopicOrPartition, UnsupportedVersion,
};
use protocol::records::compression::Codec;
use serde_json::{Value, json};

use super::batches::{TIME, at_times, compressed, plain};
use super::case::{Case, case};
use super::scene::Scene;

fn list(s: &Scene, partition: &Value) -> Value {
    json!({"ReplicaId": -1, "TimeoutMs": 10_000, "Topics": [{"Name": s.topic, "Partitions": [partition]}]})
}

/// Three records, then three in lz4, then three whose times are not in order.
fn filled(what: &'static str) -> Case {
    case(ListOffsets, what).topic(1).batch(plain()).batch(compressed(Codec::Lz4)).batch(at_times(&[
        TIME.0 + 100,
        TIME.0 + 300,
        TIME.0 + 200,
    ]))
}

fn at(what: &'static str, time: i64) -> Case {
    filled(what).ask(move |s| list(s, &json!({"PartitionIndex": 0, "Timestamp": time})))
}

/// The table.
pub fn cases() -> Vec<Case> {
    [good(), refused(), epochs(), restarted()].into_iter().flatten().collect()
}

fn good() -> Vec<Case> {
    vec![
        at("the latest", -1),
        at("the earliest", -2),
        at("the largest timestamp", -3).versions(7, 11),
        at("the earliest local", -4).versions(8, 11),
        at("the latest tiered", -5).versions(9, 11),
        at("the earliest to be tiered", -6).versions(11, 11),
        at("the time of the first record", TIME.0),
        at("the time of a record within a compressed batch", TIME.0 + 2),
        at("a time between records", TIME.0 + 50),
        at("a time that a later record reaches first", TIME.0 + 150),
        at("a time before all", 0),
        at("a time after all", TIME.0 + 10_000),
        case(ListOffsets, "the largest timestamp of an empty log")
            .versions(7, 11)
            .topic(1)
            .ask(|s| list(s, &json!({"PartitionIndex": 0, "Timestamp": -3}))),
        case(ListOffsets, "a time in an empty log")
            .topic(1)
            .ask(|s| list(s, &json!({"PartitionIndex": 0, "Timestamp": 1}))),
        filled("the latest that is committed").versions(2, 11).ask(|s| {
            json!({"ReplicaId": -1, "IsolationLevel": 1, "Topics": [{"Name": s.topic,
                "Partitions": [{"PartitionIndex": 0, "Timestamp": -1}]}]})
        }),
        filled("with the leader's epoch")
            .versions(4, 11)
            .ask(|s| list(s, &json!({"PartitionIndex": 0, "Timestamp": -1, "CurrentLeaderEpoch": 0}))),
        case(ListOffsets, "nothing").ask(|_| json!({"ReplicaId": -1, "Topics": []})),
    ]
}

fn refused() -> Vec<Case> {
    let partition = |index: i32| move |s: &Scene| list(s, &json!({"PartitionIndex": index, "Timestamp": -1}));
    let epoch = |epoch: i32| {
        move |s: &Scene| list(s, &json!({"PartitionIndex": 0, "Timestamp": -1, "CurrentLeaderEpoch": epoch}))
    };
    vec![
        case(ListOffsets, "an unknown topic").errors(&[UnknownTopicOrPartition]).ask(partition(0)),
        filled("an unknown partition").errors(&[UnknownTopicOrPartition]).ask(partition(9)),
        filled("a negative partition").errors(&[UnknownTopicOrPartition]).ask(partition(-1)),
        filled("the same partition twice").errors(&[InvalidRequest]).ask(|s| {
            let one = json!({"PartitionIndex": 0, "Timestamp": -1});
            json!({"ReplicaId": -1, "Topics": [{"Name": s.topic, "Partitions": [one, one]}]})
        }),
        filled("a later epoch than the leader's").versions(4, 11).errors(&[UnknownLeaderEpoch]).ask(epoch(5)),
        filled("an earlier epoch than the leader's")
            .versions(4, 11)
            .errors(&[FencedLeaderEpoch])
            .ask(epoch(-2)),
        at("a negative time that means nothing", -99).errors(&[UnsupportedVersion]),
        at("the largest timestamp in a version before it", -3).versions(1, 6).errors(&[UnsupportedVersion]),
        at("the earliest local in a version before it", -4).versions(1, 7).errors(&[UnsupportedVersion]),
        at("the latest tiered in a version before it", -5).versions(1, 8).errors(&[UnsupportedVersion]),
        filled("an unknown isolation level")
            .versions(2, 11)
            .errors(&[UnknownServerError, InvalidRequest])
            .ask(|s| {
                json!({"ReplicaId": -1, "IsolationLevel": 7, "Topics": [{"Name": s.topic,
                "Partitions": [{"PartitionIndex": 0, "Timestamp": -1}]}]})
            }),
        filled("a negative timeout").versions(10, 11).ask(|s| {
            let mut request = list(s, &json!({"PartitionIndex": 0, "Timestamp": -1}));
            request["TimeoutMs"] = json!(-1);
            request
        }),
        filled("a timeout of nothing").versions(10, 11).ask(|s| {
            let mut request = list(s, &json!({"PartitionIndex": 0, "Timestamp": -1}));
            request["TimeoutMs"] = json!(0);
            request
        }),
        filled("the same topic twice").errors(&[InvalidRequest]).ask(|s| {
            let one = json!({"Name": s.topic, "Partitions": [{"PartitionIndex": 0, "Timestamp": -1}]});
            json!({"ReplicaId": -1, "Topics": [one, one]})
        }),
        filled("a topic without partitions")
            .ask(|s| json!({"ReplicaId": -1, "Topics": [{"Name": s.topic, "Partitions": []}]})),
        case(ListOffsets, "an illegal name").errors(&[UnknownTopicOrPartition, InvalidTopicException]).ask(
            |_| {
                json!({"ReplicaId": -1, "Topics": [{"Name": "..",
                "Partitions": [{"PartitionIndex": 0, "Timestamp": -1}]}]})
            },
        ),
        filled("as a replica that is none").ask(|s| {
            json!({"ReplicaId": 77, "Topics": [{"Name": s.topic,
                    "Partitions": [{"PartitionIndex": 0, "Timestamp": -1}]}]})
        }),
    ]
}

fn epochs() -> Vec<Case> {
    let ask = |index: i32, current: i32, epoch: i32| {
        move |s: &Scene| {
            json!({"ReplicaId": -1, "Topics": [{"Topic": s.topic, "Partitions":
                [{"Partition": index, "CurrentLeaderEpoch": current, "LeaderEpoch": epoch}]}]})
        }
    };
    let filled = |what| case(OffsetForLeaderEpoch, what).topic(1).batch(plain());
    vec![
        filled("the only epoch").ask(ask(0, -1, 0)),
        filled("the only epoch, and the leader's").ask(ask(0, 0, 0)),
        filled("an epoch to come").ask(ask(0, -1, 5)),
        filled("a negative epoch").ask(ask(0, -1, -1)),
        filled("a later epoch than the leader's").errors(&[UnknownLeaderEpoch]).ask(ask(0, 5, 0)),
        filled("an earlier epoch than the leader's").errors(&[FencedLeaderEpoch]).ask(ask(0, -2, 0)),
        filled("an unknown partition").errors(&[UnknownTopicOrPartition]).ask(ask(9, -1, 0)),
        case(OffsetForLeaderEpoch, "an unknown topic").errors(&[UnknownTopicOrPartition]).ask(ask(0, -1, 0)),
        case(OffsetForLeaderEpoch, "an empty log").topic(1).ask(ask(0, -1, 0)),
        case(OffsetForLeaderEpoch, "nothing").ask(|_| json!({"ReplicaId": -1, "Topics": []})),
    ]
}

/// A log with two epochs: three records before the brokers were killed, three since.
fn restarted() -> Vec<Case> {
    let aged = |api, what| case(api, what).topic(1).batch(plain()).restart().batch(plain());
    let list_at = |epoch: i32, time: i64| {
        move |s: &Scene| {
            list(s, &json!({"PartitionIndex": 0, "Timestamp": time, "CurrentLeaderEpoch": epoch}))
        }
    };
    let ask = |current: i32, epoch: i32| {
        move |s: &Scene| {
            json!({"ReplicaId": -1, "Topics": [{"Topic": s.topic, "Partitions":
                [{"Partition": 0, "CurrentLeaderEpoch": current, "LeaderEpoch": epoch}]}]})
        }
    };
    vec![
        aged(ListOffsets, "the latest, since a restart").ask(list_at(-1, -1)),
        aged(ListOffsets, "the earliest, since a restart").ask(list_at(-1, -2)),
        aged(ListOffsets, "a time, since a restart").ask(list_at(-1, TIME.0 + 1)),
        aged(ListOffsets, "an epoch before the restart")
            .versions(4, 11)
            .errors(&[FencedLeaderEpoch])
            .ask(list_at(0, -1)),
        aged(ListOffsets, "an epoch to come, since a restart")
            .versions(4, 11)
            .errors(&[UnknownLeaderEpoch])
            .ask(list_at(100, -1)),
        aged(OffsetForLeaderEpoch, "the epoch before the restart").ask(ask(-1, 0)),
        aged(OffsetForLeaderEpoch, "the epoch after it").ask(ask(-1, 1)),
        aged(OffsetForLeaderEpoch, "a late epoch").ask(ask(-1, 100)),
        aged(OffsetForLeaderEpoch, "asked with an epoch before the restart")
            .errors(&[FencedLeaderEpoch])
            .ask(ask(0, 0)),
        aged(OffsetForLeaderEpoch, "asked with an epoch to come")
            .errors(&[UnknownLeaderEpoch])
            .ask(ask(100, 0)),
    ]
}
