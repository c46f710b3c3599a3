//! Metadata and DescribeTopicPartitions: what clients learn of topics.

use protocol::api_key::ApiKey::{DescribeTopicPartitions, Metadata};
use protocol::error_code::ErrorCode::{
    InvalidRequest, InvalidTopicException, LeaderNotAvailable, UnknownServerError, UnknownTopicId,
    UnknownTopicOrPartition,
};
use serde_json::{Value, json};

use super::case::{Case, case};

/// An id that no topic has.
const NOBODYS_ID: &str = "AAAAAAAAAAAAAAAAAAAAZQ";

fn by_name(name: &str) -> Value {
    json!({"Topics": [{"Name": name}], "AllowAutoTopicCreation": false})
}

/// The table.
pub fn cases() -> Vec<Case> {
    let mut cases = metadata();
    cases.extend(odd_names());
    cases.extend(describe_topic_partitions());
    cases
}

fn metadata() -> Vec<Case> {
    vec![
        case(Metadata, "a topic by name").topic(3).ask(|s| by_name(&s.topic)),
        case(Metadata, "a topic by id")
            .versions(12, 13)
            .topic(2)
            .ask(|s| json!({"Topics": [{"Name": null, "TopicId": s.topic_id}], "AllowAutoTopicCreation": false})),
        case(Metadata, "a topic by name and id").versions(12, 13).topic(2).ask(|s| {
            json!({"Topics": [{"Name": s.topic, "TopicId": s.topic_id}], "AllowAutoTopicCreation": false})
        }),
        case(Metadata, "by id in a version that has none to take")
            .versions(10, 11)
            .topic(1)
            .errors(&[InvalidRequest])
            .ask(|s| json!({"Topics": [{"Name": null, "TopicId": s.topic_id}], "AllowAutoTopicCreation": false})),
        case(Metadata, "no topic").ask(|_| json!({"Topics": [], "AllowAutoTopicCreation": false})).versions(1, 13),
        case(Metadata, "with the operations allowed").versions(8, 13).topic(1).ask(|s| {
            json!({"Topics": [{"Name": s.topic}], "AllowAutoTopicCreation": false,
                "IncludeClusterAuthorizedOperations": true, "IncludeTopicAuthorizedOperations": true})
        }),
        case(Metadata, "the same topic twice")
            .topic(1)
            .ask(|s| json!({"Topics": [{"Name": s.topic}, {"Name": s.topic}], "AllowAutoTopicCreation": false})),
        case(Metadata, "an unknown topic, not to be created")
            .versions(4, 13)
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| by_name(&s.topic)),
        case(Metadata, "an unknown topic, to be created")
            .fresh()
            .errors(&[UnknownTopicOrPartition, LeaderNotAvailable])
            .ask(|s| json!({"Topics": [{"Name": s.topic}], "AllowAutoTopicCreation": true}))
            .then(Metadata, 9, |s| by_name(&s.topic)),
        case(Metadata, "an unknown id")
            .versions(12, 13)
            .errors(&[UnknownTopicId])
            .ask(|_| json!({"Topics": [{"Name": null, "TopicId": NOBODYS_ID}], "AllowAutoTopicCreation": false})),
        case(Metadata, "a known and an unknown topic")
            .versions(4, 13)
            .topic(1)
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| {
                json!({"Topics": [{"Name": s.topic}, {"Name": format!("{}-nowhere", s.topic)}],
                    "AllowAutoTopicCreation": false})
            }),
        case(Metadata, "an illegal name")
            .errors(&[InvalidTopicException])
            .ask(|_| json!({"Topics": [{"Name": "no/slash"}], "AllowAutoTopicCreation": true})),
        case(Metadata, "an illegal name, not to be created")
            .versions(4, 13)
            .errors(&[InvalidTopicException, UnknownTopicOrPartition])
            .ask(|_| by_name("no/slash")),
        case(Metadata, "the name ..")
            .errors(&[InvalidTopicException])
            .ask(|_| json!({"Topics": [{"Name": ".."}], "AllowAutoTopicCreation": true})),
        case(Metadata, "an empty name")
            .errors(&[InvalidTopicException])
            .ask(|_| json!({"Topics": [{"Name": ""}], "AllowAutoTopicCreation": true})),
        case(Metadata, "a name of 250 characters")
            .errors(&[InvalidTopicException])
            .ask(|_| json!({"Topics": [{"Name": "x".repeat(250)}], "AllowAutoTopicCreation": true})),
    ]
}

/// Topics that are named as none can be, or by name and id at once.
fn odd_names() -> Vec<Case> {
    vec![
        case(Metadata, "a name that collides with another's metrics, to be created")
            .fresh()
            .asked(protocol::api_key::ApiKey::CreateTopics, 5, |s| {
                json!({"Topics": [{"Name": format!("{}.a", s.topic), "NumPartitions": 1, "ReplicationFactor": 1}]})
            })
            .errors(&[InvalidTopicException, UnknownTopicOrPartition])
            .ask(|s| json!({"Topics": [{"Name": format!("{}_a", s.topic)}], "AllowAutoTopicCreation": true})),
        case(Metadata, "the metadata log, to be created")
            .errors(&[InvalidTopicException, UnknownTopicOrPartition])
            .ask(|_| json!({"Topics": [{"Name": "__cluster_metadata"}], "AllowAutoTopicCreation": true})),
        case(Metadata, "neither name nor id")
            .versions(12, 13)
            .errors(&[UnknownServerError])
            .ask(|_| json!({"Topics": [{"Name": null}], "AllowAutoTopicCreation": false})),
        case(Metadata, "no name where ids are not taken")
            .versions(10, 11)
            .errors(&[InvalidRequest])
            .ask(|_| json!({"Topics": [{"Name": null}], "AllowAutoTopicCreation": false})),
        case(Metadata, "an id twice")
            .versions(12, 13)
            .topic(1)
            .ask(|s| {
                let one = json!({"Name": null, "TopicId": s.topic_id});
                json!({"Topics": [one, one], "AllowAutoTopicCreation": false})
            }),
        case(Metadata, "by name and by id")
            .versions(12, 13)
            .topic(1)
            .ask(|s| {
                json!({"Topics": [{"Name": null, "TopicId": s.topic_id}, {"Name": s.topic}],
                    "AllowAutoTopicCreation": false})
            }),
    ]
}

fn describe_topic_partitions() -> Vec<Case> {
    vec![
        case(DescribeTopicPartitions, "a topic").topic(3).ask(|s| json!({"Topics": [{"Name": s.topic}]})),
        case(DescribeTopicPartitions, "two partitions at a time")
            .topic(5)
            .ask(|s| json!({"Topics": [{"Name": s.topic}], "ResponsePartitionLimit": 2})),
        case(DescribeTopicPartitions, "from a cursor on").topic(5).ask(|s| {
            json!({"Topics": [{"Name": s.topic}], "ResponsePartitionLimit": 2,
                "Cursor": {"TopicName": s.topic, "PartitionIndex": 2}})
        }),
        case(DescribeTopicPartitions, "from a cursor behind the last partition").topic(2).ask(|s| {
            json!({"Topics": [{"Name": s.topic}], "Cursor": {"TopicName": s.topic, "PartitionIndex": 9}})
        }),
        case(DescribeTopicPartitions, "from a cursor at another topic").topic(2).errors(&[InvalidRequest]).ask(|s| {
            json!({"Topics": [{"Name": s.topic}],
                "Cursor": {"TopicName": format!("{}-later", s.topic), "PartitionIndex": 0}})
        }),
        case(DescribeTopicPartitions, "a negative cursor")
            .topic(2)
            .errors(&[InvalidRequest])
            .ask(|s| json!({"Topics": [{"Name": s.topic}], "Cursor": {"TopicName": s.topic, "PartitionIndex": -1}})),
        case(DescribeTopicPartitions, "no partition at a time")
            .topic(2)
            .ask(|s| json!({"Topics": [{"Name": s.topic}], "ResponsePartitionLimit": 0})),
        case(DescribeTopicPartitions, "a negative number of partitions at a time")
            .topic(2)
            .ask(|s| json!({"Topics": [{"Name": s.topic}], "ResponsePartitionLimit": -5})),
        case(DescribeTopicPartitions, "the name ..")
            .errors(&[InvalidTopicException])
            .ask(|_| json!({"Topics": [{"Name": ".."}]})),
        case(DescribeTopicPartitions, "no name").errors(&[UnknownServerError]).ask(|_| json!({"Topics": [{"Name": ""}]})),
        case(DescribeTopicPartitions, "an unknown topic")
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| json!({"Topics": [{"Name": s.topic}]})),
        case(DescribeTopicPartitions, "an illegal name")
            .errors(&[InvalidTopicException])
            .ask(|_| json!({"Topics": [{"Name": "no/slash"}]})),
        case(DescribeTopicPartitions, "the same topic twice")
            .topic(1)
            .ask(|s| json!({"Topics": [{"Name": s.topic}, {"Name": s.topic}]})),
    ]
}
