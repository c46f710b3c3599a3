//! Fetch: bounds, epochs and sessions (KIP-227).

use protocol::api_key::ApiKey::{Fetch, Produce};
use protocol::error_code::ErrorCode::{
    FencedLeaderEpoch, FetchSessionIdNotFound, FetchSessionTopicIdError, InconsistentTopicId,
    InvalidFetchSessionEpoch, InvalidRequest, NotLeaderOrFollower, OffsetOutOfRange, UnknownLeaderEpoch,
    UnknownServerError, UnknownTopicId, UnknownTopicOrPartition,
};
use protocol::records::compression::Codec;
use serde_json::{Value, json};

use super::batches::{compressed, large, plain};
use super::case::{Case, case};
use super::produce::produce;
use super::scene::Scene;

fn partition(index: i32, offset: i64) -> Value {
    json!({"Partition": index, "FetchOffset": offset, "PartitionMaxBytes": 1_000_000})
}

/// A fetch of one partition, whole.
fn fetch(s: &Scene, partition: &Value) -> Value {
    json!({"MaxWaitMs": 100, "MinBytes": 1, "MaxBytes": 10_000_000,
        "Topics": [{"Topic": s.topic, "TopicId": s.topic_id, "Partitions": [partition]}]})
}

/// A fetch with other things said at the top.
fn fetch_with(s: &Scene, more: &Value) -> Value {
    let mut request = fetch(s, &partition(0, 0));
    for (name, value) in more.as_object().into_iter().flatten() {
        request[name] = value.clone();
    }
    request
}

/// Two batches of three records in a topic.
fn filled(what: &'static str) -> Case {
    case(Fetch, what).topic(1).batch(plain()).batch(compressed(Codec::Lz4))
}

/// The table.
pub fn cases() -> Vec<Case> {
    [good(), bounded(), odd(), refused(), epochs(), restarted(), sessions(), running_sessions()]
        .into_iter()
        .flatten()
        .collect()
}

fn good() -> Vec<Case> {
    let bounded = |bytes: i32| {
        move |s: &Scene| fetch(s, &json!({"Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": bytes}))
    };
    vec![
        filled("from the beginning").ask(|s| fetch(s, &partition(0, 0))),
        filled("from the middle of a batch").ask(|s| fetch(s, &partition(0, 4))),
        filled("from the end").ask(|s| fetch(s, &partition(0, 6))),
        filled("from the end with no wait").ask(|s| {
            let mut request = fetch(s, &partition(0, 6));
            request["MaxWaitMs"] = json!(0);
            request
        }),
        filled("with a bound that one batch fits").ask(bounded(110)),
        filled("with a bound that no batch fits").ask(bounded(1)),
        filled("with a bound of nothing").ask(bounded(0)),
        filled("with a bound on the whole answer").ask(|s| fetch_with(s, &json!({"MaxBytes": 1}))),
        filled("with more bytes wanted than there are").ask(|s| fetch_with(s, &json!({"MinBytes": 100_000}))),
        filled("only what is committed").ask(|s| fetch_with(s, &json!({"IsolationLevel": 1}))),
        filled("an unknown isolation level")
            .errors(&[UnknownServerError])
            .ask(|s| fetch_with(s, &json!({"IsolationLevel": 7}))),
        filled("with a rack").versions(11, 18).ask(|s| fetch_with(s, &json!({"RackId": "rack-1"}))),
        case(Fetch, "a first batch over every bound").topic(1).batch(large(5000)).ask(|s| {
            let mut request = fetch(s, &json!({"Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": 100}));
            request["MaxBytes"] = json!(100);
            request
        }),
        case(Fetch, "two partitions, one empty").topic(2).batch(plain()).ask(|s| {
            json!({"MaxWaitMs": 100, "MinBytes": 1, "MaxBytes": 10_000_000, "Topics": [{"Topic": s.topic,
                "TopicId": s.topic_id, "Partitions": [partition(0, 0), partition(1, 0)]}]})
        }),
        case(Fetch, "nothing").ask(|_| json!({"MaxWaitMs": 0, "MinBytes": 0, "Topics": []})),
        filled("the same partition twice").ask(|s| {
            json!({"MaxWaitMs": 100, "MinBytes": 1, "MaxBytes": 10_000_000, "Topics": [{"Topic": s.topic,
                "TopicId": s.topic_id, "Partitions": [partition(0, 0), partition(0, 3)]}]})
        }),
    ]
}

/// Three partitions with a batch each, of which not all may come.
fn bounded() -> Vec<Case> {
    const BYTES: usize = 4000;
    let filled = |what| {
        [1, 2].into_iter().fold(case(Fetch, what).topic(3).batch(large(BYTES)), |case, index| {
            case.asked(Produce, 9, move |s| produce(s, index, -1, &json!(large(BYTES))))
        })
    };
    let batch = i32::try_from(large(BYTES).len() / 2).expect("a small batch");
    let asked = |most: i32, each: i32| {
        move |s: &Scene| {
            let partitions = [0, 1, 2]
                .map(|index| json!({"Partition": index, "FetchOffset": 0, "PartitionMaxBytes": each}));
            json!({"MaxWaitMs": 100, "MinBytes": 1, "MaxBytes": most,
                "Topics": [{"Topic": s.topic, "TopicId": s.topic_id, "Partitions": partitions}]})
        }
    };
    vec![
        filled("three partitions, of which one fits").ask(asked(batch, i32::MAX)),
        filled("three partitions, of which one fits and some").ask(asked(batch + 100, i32::MAX)),
        filled("three partitions, of which two fit").ask(asked(2 * batch, i32::MAX)),
        filled("three partitions, of which each fits").ask(asked(i32::MAX, batch)),
        filled("three partitions, of which none fits").ask(asked(100, 100)),
        filled("three partitions, each with nothing allowed").ask(asked(i32::MAX, 0)),
    ]
}

/// Numbers that mean little, and are taken all the same.
fn odd() -> Vec<Case> {
    vec![
        filled("with a wait of almost for ever, and enough there")
            .ask(|s| fetch_with(s, &json!({"MaxWaitMs": i32::MAX}))),
        filled("with a negative wait").ask(|s| fetch_with(s, &json!({"MaxWaitMs": -5, "MinBytes": 100_000}))),
        filled("with more wanted than may come")
            .ask(|s| fetch_with(s, &json!({"MinBytes": i32::MAX, "MaxBytes": 100}))),
        filled("with less than nothing wanted").ask(|s| fetch_with(s, &json!({"MinBytes": -1}))),
        filled("with less than nothing allowed")
            .errors(&[UnknownServerError])
            .ask(|s| fetch_with(s, &json!({"MaxBytes": -1}))),
        filled("with less than nothing allowed of the partition")
            .errors(&[UnknownServerError])
            .ask(|s| fetch(s, &json!({"Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": -1}))),
        filled("with everything allowed").ask(|s| {
            let mut request =
                fetch(s, &json!({"Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": i32::MAX}));
            request["MaxBytes"] = json!(i32::MAX);
            request
        }),
        filled("a topic without partitions").ask(|s| {
            json!({"MaxWaitMs": 0, "MinBytes": 0, "Topics":
                [{"Topic": s.topic, "TopicId": s.topic_id, "Partitions": []}]})
        }),
        filled("of another cluster")
            .versions(12, 18)
            .ask(|s| fetch_with(s, &json!({"ClusterId": "elsewhere"}))),
    ]
}

/// A log with two epochs: three records before the brokers were killed, three since.
fn restarted() -> Vec<Case> {
    let aged = |what| case(Fetch, what).topic(1).batch(plain()).restart().batch(plain());
    let with = |what: Value| {
        move |s: &Scene| {
            let mut partition = partition(0, 0);
            for (name, value) in what.as_object().into_iter().flatten() {
                partition[name] = value.clone();
            }
            fetch(s, &partition)
        }
    };
    vec![
        aged("everything, since a restart").ask(with(json!({}))),
        aged("an earlier epoch than the leader's")
            .versions(9, 18)
            .errors(&[FencedLeaderEpoch])
            .ask(with(json!({"CurrentLeaderEpoch": 0}))),
        aged("an earlier epoch, and an offset beyond the end")
            .versions(9, 18)
            .errors(&[FencedLeaderEpoch])
            .ask(with(json!({"CurrentLeaderEpoch": 0, "FetchOffset": 100}))),
        aged("a later epoch than the leader's, since a restart")
            .versions(9, 18)
            .errors(&[UnknownLeaderEpoch])
            .ask(with(json!({"CurrentLeaderEpoch": 100}))),
        aged("a last fetched epoch that ended before")
            .versions(12, 18)
            .ask(with(json!({"LastFetchedEpoch": 0, "FetchOffset": 5}))),
        aged("a last fetched epoch that ended there")
            .versions(12, 18)
            .ask(with(json!({"LastFetchedEpoch": 0, "FetchOffset": 3}))),
    ]
}

fn refused() -> Vec<Case> {
    vec![
        filled("beyond the end").errors(&[OffsetOutOfRange]).ask(|s| fetch(s, &partition(0, 7))),
        filled("a negative offset").errors(&[OffsetOutOfRange]).ask(|s| fetch(s, &partition(0, -5))),
        filled("below the log start")
            .fresh()
            .asked(protocol::api_key::ApiKey::DeleteRecords, 2, |s| {
                json!({"Topics": [{"Name": s.topic, "Partitions": [{"PartitionIndex": 0, "Offset": 3}]}],
                    "TimeoutMs": 10_000})
            })
            .errors(&[OffsetOutOfRange])
            .ask(|s| fetch(s, &partition(0, 1))),
        case(Fetch, "an unknown topic")
            .errors(&[UnknownTopicOrPartition, UnknownTopicId])
            .ask(|s| fetch(s, &partition(0, 0))),
        case(Fetch, "an unknown topic id")
            .versions(13, 18)
            .errors(&[UnknownTopicId, InconsistentTopicId])
            .ask(|_| {
                json!({"MaxWaitMs": 0, "MinBytes": 0, "Topics":
                [{"TopicId": "AAAAAAAAAAAAAAAAAAAAZQ", "Partitions": [partition(0, 0)]}]})
            }),
        filled("an unknown partition").errors(&[UnknownTopicOrPartition]).ask(|s| fetch(s, &partition(9, 0))),
        filled("a negative partition")
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| fetch(s, &partition(-1, 0))),
        filled("as a replica that is none").errors(&[NotLeaderOrFollower, UnknownTopicOrPartition]).ask(
            |s| {
                fetch_with(
                    s,
                    &json!({"ReplicaId": 77, "ReplicaState": {"ReplicaId": 77, "ReplicaEpoch": -1}}),
                )
            },
        ),
    ]
}

fn epochs() -> Vec<Case> {
    let at = |epoch: i32| {
        move |s: &Scene| {
            fetch(
                s,
                &json!({"Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": 1_000_000,
                "CurrentLeaderEpoch": epoch}),
            )
        }
    };
    let last = |epoch: i32, offset: i64| {
        move |s: &Scene| {
            fetch(
                s,
                &json!({"Partition": 0, "FetchOffset": offset, "PartitionMaxBytes": 1_000_000,
                "LastFetchedEpoch": epoch}),
            )
        }
    };
    vec![
        filled("the leader's epoch").versions(9, 18).ask(at(0)),
        filled("a later epoch than the leader's").versions(9, 18).errors(&[UnknownLeaderEpoch]).ask(at(5)),
        filled("a negative epoch").versions(9, 18).ask(at(-2)),
        filled("a last fetched epoch that fits").versions(12, 18).ask(last(0, 3)),
        filled("a last fetched epoch that is to come")
            .versions(12, 18)
            .errors(&[UnknownLeaderEpoch, OffsetOutOfRange])
            .ask(last(5, 3)),
    ]
}

fn sessions() -> Vec<Case> {
    let session = |id: i32, epoch: i32| {
        move |s: &Scene| fetch_with(s, &json!({"SessionId": id, "SessionEpoch": epoch}))
    };
    let only = |what| filled(what).versions(7, 18);
    vec![
        only("a new session").ask(session(0, 0)),
        only("no session").ask(session(0, -1)),
        only("a session that is not there").errors(&[FetchSessionIdNotFound]).ask(session(12_345, 1)),
        only("a session that is not there, to be closed").ask(session(12_345, -1)),
        only("an epoch without a session")
            .errors(&[InvalidFetchSessionEpoch, FetchSessionIdNotFound])
            .ask(session(0, 5)),
        only("a negative epoch")
            .errors(&[InvalidFetchSessionEpoch, FetchSessionIdNotFound, InvalidRequest])
            .ask(session(12_345, -7)),
    ]
}

/// A session that was begun, by name, at partition 0 of a topic with three records.
fn running_sessions() -> Vec<Case> {
    let running = |what| case(Fetch, what).topic(2).batch(plain()).session().versions(7, 12).fresh();
    let of = |epoch: i32, topics: fn(&Scene) -> Value, forgotten: fn(&Scene) -> Value| {
        move |s: &Scene| {
            json!({"MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": 1_000_000, "SessionId": s.session_id,
                "SessionEpoch": epoch, "Topics": topics(s), "ForgottenTopicsData": forgotten(s)})
        }
    };
    let none: fn(&Scene) -> Value = |_| json!([]);
    let first: fn(&Scene) -> Value =
        |s| json!([{"Topic": s.topic, "TopicId": s.topic_id, "Partitions": [0]}]);
    let end: fn(&Scene) -> Value =
        |s| json!([{"Topic": s.topic, "TopicId": s.topic_id, "Partitions": [partition(0, 3)]}]);
    let both: fn(&Scene) -> Value = |s| json!([{"Topic": s.topic, "TopicId": s.topic_id, "Partitions": [partition(0, 0), partition(1, 0)]}]);
    let unknown: fn(&Scene) -> Value =
        |s| json!([{"Topic": s.topic, "TopicId": s.topic_id, "Partitions": [partition(9, 0)]}]);
    vec![
        running("its next epoch").ask(of(1, none, none)),
        running("its next epoch, at the end").ask(of(1, end, none)),
        running("its next epoch, with one partition more").ask(of(1, both, none)),
        running("its next epoch, with a partition that is not there")
            .errors(&[UnknownTopicOrPartition])
            .ask(of(1, unknown, none)),
        running("its next epoch, with nothing left").ask(of(1, none, first)),
        running("an epoch that is to come").errors(&[InvalidFetchSessionEpoch]).ask(of(2, none, none)),
        running("its last epoch again")
            .errors(&[InvalidFetchSessionEpoch, FetchSessionIdNotFound])
            .ask(of(-7, none, none)),
        running("its end").ask(of(-1, both, none)),
        running("anew").ask(of(0, both, none)),
        running("by id, begun by name")
            .versions(13, 18)
            .errors(&[FetchSessionTopicIdError])
            .ask(of(1, end, none)),
    ]
}
