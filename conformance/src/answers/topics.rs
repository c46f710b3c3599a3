//! CreateTopics and DeleteTopics.

use protocol::api_key::ApiKey::{CreateTopics, DeleteTopics, Metadata};
use protocol::error_code::ErrorCode::{
    InvalidConfig, InvalidPartitions, InvalidReplicaAssignment, InvalidReplicationFactor, InvalidRequest,
    InvalidTopicException, PolicyViolation, RequestTimedOut, TopicAlreadyExists, TopicDeletionDisabled,
    UnknownTopicId, UnknownTopicOrPartition,
};
use serde_json::{Value, json};

use super::case::{Case, case};
use super::scene::Scene;

fn create(topic: Value) -> Value {
    json!({"Topics": [topic]})
}

fn sized(name: &str, partitions: i32, replicas: i16) -> Value {
    create(json!({"Name": name, "NumPartitions": partitions, "ReplicationFactor": replicas}))
}

fn configured(name: &str, key: &str, value: Option<&str>) -> Value {
    create(json!({"Name": name, "NumPartitions": 1, "ReplicationFactor": 1,
        "Configs": [{"Name": key, "Value": value}]}))
}

fn assigned(name: &str, assignments: &Value) -> Value {
    create(json!({"Name": name, "NumPartitions": -1, "ReplicationFactor": -1, "Assignments": assignments}))
}

fn described(s: &Scene) -> Value {
    json!({"Topics": [{"Name": s.topic}], "AllowAutoTopicCreation": false})
}

/// The table.
pub fn cases() -> Vec<Case> {
    [good(), names(), numbers(), timeouts(), assignments(), configs(), deletes()]
        .into_iter()
        .flatten()
        .collect()
}

fn good() -> Vec<Case> {
    vec![
        case(CreateTopics, "a topic").fresh().ask(|s| sized(&s.topic, 3, 1)).then(Metadata, 9, described),
        case(CreateTopics, "a topic of default size")
            .versions(4, 7)
            .fresh()
            .ask(|s| sized(&s.topic, -1, -1))
            .then(Metadata, 9, described),
        case(CreateTopics, "only to validate")
            .fresh()
            .ask(|s| {
                json!({"Topics": [{"Name": s.topic, "NumPartitions": 2, "ReplicationFactor": 1}],
                    "validateOnly": true})
            })
            .then(Metadata, 9, described),
        case(CreateTopics, "no topic").ask(|_| json!({"Topics": []})),
        case(CreateTopics, "one good, one bad").fresh().errors(&[InvalidPartitions]).ask(|s| {
            json!({"Topics": [{"Name": s.topic, "NumPartitions": 1, "ReplicationFactor": 1},
                {"Name": format!("{}-bad", s.topic), "NumPartitions": 0, "ReplicationFactor": 1}]})
        }),
    ]
}

fn names() -> Vec<Case> {
    let refused = |name: &'static str, what: &'static str| {
        case(CreateTopics, what).errors(&[InvalidTopicException]).ask(move |_| sized(name, 1, 1))
    };
    vec![
        refused("no/slash", "a slash in the name"),
        refused("..", "the name .."),
        refused(".", "the name ."),
        refused("", "no name"),
        refused("naïve", "a letter beyond ASCII in the name"),
        case(CreateTopics, "a name of 250 characters")
            .errors(&[InvalidTopicException])
            .ask(|_| sized(&"x".repeat(250), 1, 1)),
        case(CreateTopics, "a name that collides with another's metrics")
            .fresh()
            .errors(&[InvalidTopicException])
            .asked(CreateTopics, 5, |s| sized(&format!("{}.a", s.topic), 1, 1))
            .ask(|s| sized(&format!("{}_a", s.topic), 1, 1)),
        case(CreateTopics, "a topic that is there")
            .topic(1)
            .errors(&[TopicAlreadyExists])
            .ask(|s| sized(&s.topic, 1, 1)),
        case(CreateTopics, "the same topic twice in a request").errors(&[InvalidRequest]).ask(|s| {
            json!({"Topics": [{"Name": s.topic, "NumPartitions": 1, "ReplicationFactor": 1},
                {"Name": s.topic, "NumPartitions": 1, "ReplicationFactor": 1}]})
        }),
        case(CreateTopics, "an internal topic's name").errors(&[InvalidRequest, InvalidTopicException]).ask(|_| {
            json!({"Topics": [{"Name": "__cluster_metadata", "NumPartitions": 1, "ReplicationFactor": 1}]})
        }),
    ]
}

fn numbers() -> Vec<Case> {
    let refused = |what, partitions: i32, replicas: i16, errors| {
        case(CreateTopics, what).errors(errors).ask(move |s| sized(&s.topic, partitions, replicas))
    };
    vec![
        refused("no partitions", 0, 1, &[InvalidPartitions]),
        refused("minus two partitions", -2, 1, &[InvalidPartitions]),
        refused("no replicas", 1, 0, &[InvalidReplicationFactor]),
        refused("minus two replicas", 1, -2, &[InvalidReplicationFactor]),
        refused("three replicas on one node", 1, 3, &[InvalidReplicationFactor]),
        case(CreateTopics, "default size in versions that do not say so")
            .versions(2, 3)
            .fresh()
            .ask(|s| sized(&s.topic, -1, -1)),
    ]
}

/// Requests that leave no time. The topic must not differ afterwards: it is there, or it is not.
fn timeouts() -> Vec<Case> {
    let timed = |mut request: Value, key: &str, ms: i32| {
        request[key] = json!(ms);
        request
    };
    vec![
        case(CreateTopics, "a negative timeout")
            .fresh()
            .errors(&[RequestTimedOut])
            .ask(move |s| timed(sized(&s.topic, 1, 1), "timeoutMs", -1)),
        case(CreateTopics, "more partitions than a request may bring")
            .errors(&[PolicyViolation])
            .ask(|s| sized(&s.topic, 10_001, 1)),
        case(CreateTopics, "more partitions in all than a request may bring").errors(&[PolicyViolation]).ask(
            |s| {
                let one = |name: &str| json!({"Name": name, "NumPartitions": 6_000, "ReplicationFactor": 1});
                json!({"Topics": [one(&s.topic), one(&format!("{}-more", s.topic))]})
            },
        ),
        case(DeleteTopics, "a negative timeout")
            .versions(1, 5)
            .topic(1)
            .fresh()
            .errors(&[RequestTimedOut])
            .ask(move |s| timed(json!({"TopicNames": [s.topic]}), "TimeoutMs", -1)),
        case(DeleteTopics, "a negative timeout, by name in a struct")
            .versions(6, 6)
            .topic(1)
            .fresh()
            .errors(&[RequestTimedOut])
            .ask(move |s| timed(json!({"Topics": [{"Name": s.topic}]}), "TimeoutMs", -1)),
        case(DeleteTopics, "the name ..")
            .errors(&[UnknownTopicOrPartition])
            .ask(|_| json!({"TopicNames": [".."], "Topics": [{"Name": ".."}], "TimeoutMs": 10_000})),
        case(DeleteTopics, "the metadata log").errors(&[UnknownTopicOrPartition, InvalidRequest]).ask(|_| {
            json!({"TopicNames": ["__cluster_metadata"], "Topics": [{"Name": "__cluster_metadata"}],
                "TimeoutMs": 10_000})
        }),
        case(DeleteTopics, "an id of zero").versions(6, 6).errors(&[InvalidRequest, UnknownTopicId]).ask(
            |_| json!({"Topics": [{"Name": null, "TopicId": "AAAAAAAAAAAAAAAAAAAAAA"}], "TimeoutMs": 10_000}),
        ),
        case(DeleteTopics, "an unknown id twice")
            .versions(6, 6)
            .errors(&[InvalidRequest, UnknownTopicId])
            .ask(|_| {
                let one = json!({"Name": null, "TopicId": "AAAAAAAAAAAAAAAAAAAAZQ"});
                json!({"Topics": [one, one], "TimeoutMs": 10_000})
            }),
    ]
}

fn assignments() -> Vec<Case> {
    let refused = |what, assignments: Value, errors| {
        case(CreateTopics, what).errors(errors).ask(move |s| assigned(&s.topic, &assignments))
    };
    let one = |index: i32, brokers: &[i32]| json!({"PartitionIndex": index, "BrokerIds": brokers});
    vec![
        case(CreateTopics, "an assignment")
            .fresh()
            .ask(move |s| assigned(&s.topic, &json!([one(0, &[1]), one(1, &[1])])))
            .then(Metadata, 9, described),
        refused("an assignment to an unknown broker", json!([one(0, &[77])]), &[InvalidReplicaAssignment]),
        refused("an assignment to a broker twice", json!([one(0, &[1, 1])]), &[InvalidReplicaAssignment]),
        refused("an assignment to no broker", json!([one(0, &[])]), &[InvalidReplicaAssignment]),
        refused(
            "an assignment that begins at partition 1",
            json!([one(1, &[1])]),
            &[InvalidReplicaAssignment],
        ),
        refused(
            "an assignment of a partition twice",
            json!([one(0, &[1]), one(0, &[1])]),
            &[InvalidReplicaAssignment],
        ),
        refused("an assignment of a negative partition", json!([one(-1, &[1])]), &[InvalidReplicaAssignment]),
        case(CreateTopics, "an assignment and a size").errors(&[InvalidRequest]).ask(move |s| {
            create(json!({"Name": s.topic, "NumPartitions": 1, "ReplicationFactor": 1,
                "Assignments": [one(0, &[1])]}))
        }),
    ]
}

fn configs() -> Vec<Case> {
    let refused = |what, key: &'static str, value: Option<&'static str>, errors| {
        case(CreateTopics, what).errors(errors).ask(move |s| configured(&s.topic, key, value))
    };
    vec![
        case(CreateTopics, "with configs").fresh().ask(|s| {
            create(json!({"Name": s.topic, "NumPartitions": 1, "ReplicationFactor": 1, "Configs": [
                {"Name": "retention.ms", "Value": "3600000"}, {"Name": "cleanup.policy", "Value": "compact,delete"}]}))
        }),
        refused("an unknown config", "no.such.key", Some("1"), &[InvalidConfig]),
        refused("a config of the wrong type", "retention.ms", Some("soon"), &[InvalidConfig]),
        refused("a config out of bounds", "segment.bytes", Some("1"), &[InvalidConfig]),
        refused("a config with an unknown choice", "cleanup.policy", Some("burn"), &[InvalidConfig]),
        case(CreateTopics, "the same config twice").fresh().ask(|s| {
            create(json!({"Name": s.topic, "NumPartitions": 1, "ReplicationFactor": 1, "Configs": [
                {"Name": "retention.ms", "Value": "1000"}, {"Name": "retention.ms", "Value": "2000"}]}))
        }),
        refused("a config without a name", "", Some("1"), &[InvalidConfig]),
        refused("a list with a comma too many", "cleanup.policy", Some("delete,"), &[InvalidConfig]),
        refused("a fraction out of bounds", "min.cleanable.dirty.ratio", Some("1.5"), &[InvalidConfig]),
        refused("a config of null", "retention.ms", None, &[InvalidConfig]),
        refused("a broker's config", "log.dirs", Some("/elsewhere"), &[InvalidConfig]),
        refused("more in-sync replicas than replicas", "min.insync.replicas", Some("0"), &[InvalidConfig]),
        refused("tiered storage where there is none", "remote.storage.enable", Some("true"), &[InvalidConfig]),
        refused("a local retention above the whole", "local.retention.ms", Some("-3"), &[InvalidConfig]),
    ]
}

fn deletes() -> Vec<Case> {
    let by_name = |name: &str| json!({"TopicNames": [name], "Topics": [{"Name": name}], "TimeoutMs": 10_000});
    let by_id = |id: &str| json!({"Topics": [{"Name": null, "TopicId": id}], "TimeoutMs": 10_000});
    vec![
        case(DeleteTopics, "a topic by name")
            .topic(2)
            .fresh()
            .ask(move |s| by_name(&s.topic))
            .then(Metadata, 9, described),
        case(DeleteTopics, "a topic that may not be deleted")
            .versions(3, 6)
            .topic(1)
            .restart_with(&[("delete.topic.enable", "false")])
            .errors(&[TopicDeletionDisabled])
            .ask(move |s| by_name(&s.topic)),
        case(DeleteTopics, "a topic that may not be deleted, asked by an old client")
            .versions(0, 2)
            .topic(1)
            .restart_with(&[("delete.topic.enable", "false")])
            .errors(&[InvalidRequest])
            .ask(move |s| by_name(&s.topic)),
        case(DeleteTopics, "a topic by id").versions(6, 6).topic(2).fresh().ask(move |s| by_id(&s.topic_id)),
        case(DeleteTopics, "an unknown topic")
            .errors(&[UnknownTopicOrPartition])
            .ask(move |s| by_name(&s.topic)),
        case(DeleteTopics, "an illegal name")
            .errors(&[UnknownTopicOrPartition])
            .ask(move |_| by_name("no/slash")),
        case(DeleteTopics, "an unknown id")
            .versions(6, 6)
            .errors(&[UnknownTopicId])
            .ask(move |_| by_id("AAAAAAAAAAAAAAAAAAAAZQ")),
        case(DeleteTopics, "neither name nor id")
            .versions(6, 6)
            .errors(&[InvalidRequest])
            .ask(|_| json!({"Topics": [{"Name": null}]})),
        case(DeleteTopics, "name and id")
            .versions(6, 6)
            .topic(1)
            .errors(&[InvalidRequest])
            .ask(|s| json!({"Topics": [{"Name": s.topic, "TopicId": s.topic_id}]})),
        case(DeleteTopics, "the same name twice").topic(1).fresh().errors(&[InvalidRequest]).ask(|s| {
            json!({"TopicNames": [s.topic, s.topic], "Topics": [{"Name": s.topic}, {"Name": s.topic}],
                "TimeoutMs": 10_000})
        }),
        case(DeleteTopics, "the same topic by name and by id")
            .versions(6, 6)
            .topic(1)
            .fresh()
            .errors(&[InvalidRequest])
            .ask(|s| {
                json!({"Topics": [{"Name": s.topic}, {"Name": null, "TopicId": s.topic_id}],
                "TimeoutMs": 10_000})
            }),
        case(DeleteTopics, "nothing").ask(|_| json!({})),
    ]
}
