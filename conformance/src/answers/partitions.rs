//! CreatePartitions, DeleteRecords, ElectLeaders, and reassignments.

use protocol::api_key::ApiKey::{
    AlterPartitionReassignments, CreatePartitions, DeleteRecords, ElectLeaders, ListOffsets,
    ListPartitionReassignments, Metadata,
};
use protocol::error_code::ErrorCode::{
    ElectionNotNeeded, InvalidPartitions, InvalidReplicaAssignment, InvalidReplicationFactor, InvalidRequest,
    NoReassignmentInProgress, OffsetOutOfRange, PolicyViolation, RequestTimedOut, UnknownTopicOrPartition,
};
use serde_json::{Value, json};

use super::batches::plain;
use super::case::{Case, case};
use super::scene::Scene;

fn grow(topic: &str, count: i32, assignments: &Value) -> Value {
    json!({"Topics": [{"Name": topic, "Count": count, "Assignments": assignments}], "TimeoutMs": 10_000})
}

fn delete(topic: &str, partition: i32, offset: i64) -> Value {
    json!({"Topics": [{"Name": topic, "Partitions": [{"PartitionIndex": partition, "Offset": offset}]}],
        "TimeoutMs": 10_000})
}

/// The table.
pub fn cases() -> Vec<Case> {
    [create_partitions(), delete_records(), elect_leaders(), reassignments()].into_iter().flatten().collect()
}

fn create_partitions() -> Vec<Case> {
    let described = |s: &Scene| json!({"Topics": [{"Name": s.topic}], "AllowAutoTopicCreation": false});
    let to = |count: i32| move |s: &Scene| grow(&s.topic, count, &Value::Null);
    let with = |count: i32, assignments: Value| move |s: &Scene| grow(&s.topic, count, &assignments);
    let on = |brokers: &[i32]| json!({"BrokerIds": brokers});
    vec![
        case(CreatePartitions, "two more").topic(1).fresh().ask(to(3)).then(Metadata, 9, described),
        case(CreatePartitions, "with an assignment")
            .topic(1)
            .fresh()
            .ask(with(3, json!([on(&[1]), on(&[1])])))
            .then(Metadata, 9, described),
        case(CreatePartitions, "only to validate")
            .topic(1)
            .ask(|s| {
                json!({"Topics": [{"Name": s.topic, "Count": 2, "Assignments": null}], "TimeoutMs": 10_000, "ValidateOnly": true})
            })
            .then(Metadata, 9, described),
        case(CreatePartitions, "as many as there are").topic(2).errors(&[InvalidPartitions]).ask(to(2)),
        case(CreatePartitions, "fewer than there are").topic(2).errors(&[InvalidPartitions]).ask(to(1)),
        case(CreatePartitions, "none").topic(2).errors(&[InvalidPartitions]).ask(to(0)),
        case(CreatePartitions, "an unknown topic").errors(&[UnknownTopicOrPartition]).ask(to(2)),
        case(CreatePartitions, "an illegal name")
            .errors(&[UnknownTopicOrPartition])
            .ask(|_| grow("no/slash", 2, &Value::Null)),
        case(CreatePartitions, "the same topic twice").topic(1).errors(&[InvalidRequest]).ask(|s| {
            json!({"Topics": [{"Name": s.topic, "Count": 2, "Assignments": null},
                {"Name": s.topic, "Count": 3, "Assignments": null}]})
        }),
        case(CreatePartitions, "too few assignments")
            .topic(1)
            .errors(&[InvalidReplicaAssignment])
            .ask(with(3, json!([on(&[1])]))),
        case(CreatePartitions, "an assignment to an unknown broker")
            .topic(1)
            .errors(&[InvalidReplicaAssignment])
            .ask(with(2, json!([on(&[77])]))),
        case(CreatePartitions, "an assignment to a broker twice")
            .topic(1)
            .errors(&[InvalidReplicaAssignment])
            .ask(with(2, json!([on(&[1, 1])]))),
        case(CreatePartitions, "an assignment to no broker")
            .topic(1)
            .errors(&[InvalidReplicaAssignment, InvalidReplicationFactor])
            .ask(with(2, json!([on(&[])]))),
        case(CreatePartitions, "a negative count").topic(2).errors(&[InvalidPartitions]).ask(to(-1)),
        case(CreatePartitions, "more than a request may bring")
            .topic(1)
            .errors(&[InvalidPartitions, PolicyViolation])
            .ask(to(20_000)),
        case(CreatePartitions, "too many assignments")
            .topic(1)
            .errors(&[InvalidReplicaAssignment])
            .ask(with(2, json!([on(&[1]), on(&[1])]))),
        case(CreatePartitions, "a negative timeout").topic(1).fresh().errors(&[RequestTimedOut]).ask(|s| {
            let mut request = grow(&s.topic, 2, &Value::Null);
            request["TimeoutMs"] = json!(-1);
            request
        }),
        case(CreatePartitions, "one good, one unknown")
            .topic(1)
            .fresh()
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| {
                json!({"Topics": [{"Name": s.topic, "Count": 2, "Assignments": null},
                    {"Name": format!("{}-nowhere", s.topic), "Count": 2, "Assignments": null}],
                    "TimeoutMs": 10_000})
            })
            .then(Metadata, 9, described),
        case(CreatePartitions, "nothing").ask(|_| json!({"Topics": []})),
    ]
}

fn delete_records() -> Vec<Case> {
    let ends = |s: &Scene| {
        json!({"ReplicaId": -1, "Topics": [{"Name": s.topic,
            "Partitions": [{"PartitionIndex": 0, "Timestamp": -2}]}]})
    };
    let of = |offset: i64| move |s: &Scene| delete(&s.topic, 0, offset);
    let filled = |what| case(DeleteRecords, what).topic(1).batch(plain()).batch(plain()).fresh();
    vec![
        filled("up to an offset").ask(of(2)).then(ListOffsets, 5, ends),
        filled("up to the high watermark").ask(of(-1)).then(ListOffsets, 5, ends),
        filled("up to the log end").ask(of(6)).then(ListOffsets, 5, ends),
        filled("up to where the log starts").ask(of(0)).then(ListOffsets, 5, ends),
        filled("beyond the high watermark").errors(&[OffsetOutOfRange]).ask(of(7)),
        filled("a negative offset").errors(&[OffsetOutOfRange]).ask(of(-2)),
        case(DeleteRecords, "an unknown topic").errors(&[UnknownTopicOrPartition]).ask(of(0)),
        case(DeleteRecords, "an unknown partition")
            .topic(1)
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| delete(&s.topic, 9, 0)),
        case(DeleteRecords, "a compacted topic")
            .topic_with(1, &[("cleanup.policy", "compact")])
            .batch(plain())
            .errors(&[PolicyViolation])
            .ask(of(1)),
        filled("with a negative timeout").ask(|s| {
            let mut request = delete(&s.topic, 0, 2);
            request["TimeoutMs"] = json!(-1);
            request
        }),
        case(DeleteRecords, "a negative partition")
            .topic(1)
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| delete(&s.topic, -1, 0)),
        filled("the same partition twice").ask(|s| {
            let one = |offset: i64| json!({"PartitionIndex": 0, "Offset": offset});
            json!({"Topics": [{"Name": s.topic, "Partitions": [one(1), one(2)]}], "TimeoutMs": 10_000})
        }),
        filled("a topic without partitions")
            .ask(|s| json!({"Topics": [{"Name": s.topic, "Partitions": []}], "TimeoutMs": 10_000})),
        filled("one partition good, one unknown").errors(&[UnknownTopicOrPartition]).ask(|s| {
            json!({"Topics": [{"Name": s.topic, "Partitions": [{"PartitionIndex": 0, "Offset": 1},
                {"PartitionIndex": 9, "Offset": 1}]}], "TimeoutMs": 10_000})
        }),
        case(DeleteRecords, "a compacted topic that deletes too")
            .topic_with(1, &[("cleanup.policy", "compact,delete")])
            .batch(plain())
            .fresh()
            .ask(of(1)),
        case(DeleteRecords, "nothing").ask(|_| json!({"Topics": [], "TimeoutMs": 1000})),
    ]
}

fn elect_leaders() -> Vec<Case> {
    let elect = |kind: i8, partition: i32| move |s: &Scene| json!({"ElectionType": kind, "TopicPartitions": [{"Topic": s.topic, "Partitions": [partition]}]});
    vec![
        case(ElectLeaders, "the preferred leader, who leads")
            .topic(1)
            .errors(&[ElectionNotNeeded])
            .ask(elect(0, 0)),
        case(ElectLeaders, "an unclean leader where there is one")
            .versions(1, 2)
            .topic(1)
            .errors(&[ElectionNotNeeded])
            .ask(elect(1, 0)),
        case(ElectLeaders, "an unknown topic").errors(&[UnknownTopicOrPartition]).ask(elect(0, 0)),
        case(ElectLeaders, "an unknown partition")
            .topic(1)
            .errors(&[UnknownTopicOrPartition])
            .ask(elect(0, 9)),
        case(ElectLeaders, "an unknown kind of election")
            .versions(1, 2)
            .topic(1)
            .errors(&[InvalidRequest])
            .ask(elect(9, 0)),
        case(ElectLeaders, "an unclean leader of an unknown topic")
            .versions(1, 2)
            .errors(&[UnknownTopicOrPartition])
            .ask(elect(1, 0)),
        case(ElectLeaders, "a negative partition")
            .topic(1)
            .errors(&[UnknownTopicOrPartition])
            .ask(elect(0, -1)),
        case(ElectLeaders, "the same partition twice").topic(1).errors(&[ElectionNotNeeded]).ask(
            |s| json!({"ElectionType": 0, "TopicPartitions": [{"Topic": s.topic, "Partitions": [0, 0]}]}),
        ),
        case(ElectLeaders, "every partition").ask(|_| json!({"TopicPartitions": null})),
        case(ElectLeaders, "nothing").ask(|_| json!({"TopicPartitions": []})),
    ]
}

fn reassignments() -> Vec<Case> {
    let alter = |partition: i32, replicas: Value| {
        move |s: &Scene| {
            json!({"TimeoutMs": 10_000, "Topics": [{"Name": s.topic,
            "Partitions": [{"PartitionIndex": partition, "Replicas": replicas}]}]})
        }
    };
    let refused = |what: &'static str, replicas: Value| {
        case(AlterPartitionReassignments, what)
            .topic(1)
            .errors(&[InvalidReplicaAssignment])
            .ask(alter(0, replicas))
    };
    vec![
        case(AlterPartitionReassignments, "the replicas that are there").topic(1).ask(alter(0, json!([1]))),
        refused("no replicas", json!([])),
        refused("an unknown broker", json!([9])),
        refused("the same broker twice", json!([1, 1])),
        case(AlterPartitionReassignments, "none to call off")
            .topic(1)
            .errors(&[NoReassignmentInProgress])
            .ask(alter(0, Value::Null)),
        case(AlterPartitionReassignments, "an unknown partition")
            .topic(1)
            .errors(&[UnknownTopicOrPartition])
            .ask(alter(9, json!([1]))),
        case(AlterPartitionReassignments, "an unknown topic")
            .errors(&[UnknownTopicOrPartition])
            .ask(alter(0, json!([1]))),
        case(AlterPartitionReassignments, "nothing").ask(|_| json!({"Topics": []})),
        case(AlterPartitionReassignments, "no time left").topic(1).errors(&[RequestTimedOut]).ask(
            |s| json!({"TimeoutMs": 0, "Topics": [{"Name": s.topic, "Partitions": [{"PartitionIndex": 0, "Replicas": [1]}]}]}),
        ),
        case(ListPartitionReassignments, "all").ask(|_| json!({"Topics": null})),
        case(ListPartitionReassignments, "of a topic and of none")
            .topic(1)
            .ask(|s| json!({"Topics": [{"Name": s.topic, "PartitionIndexes": [0, 9]},
            {"Name": "there-is-none", "PartitionIndexes": [0]}]})),
        case(ListPartitionReassignments, "nothing").ask(|_| json!({"Topics": []})),
        case(ListPartitionReassignments, "no time left").ask(|_| json!({"TimeoutMs": 0, "Topics": null})),
    ]
}
