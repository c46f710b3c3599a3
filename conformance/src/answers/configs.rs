//! DescribeConfigs, AlterConfigs, IncrementalAlterConfigs and ListConfigResources.

use protocol::api_key::ApiKey::{
    AlterConfigs, DescribeConfigs, IncrementalAlterConfigs, ListConfigResources,
};
use protocol::error_code::ErrorCode::{
    InvalidConfig, InvalidRequest, InvalidTopicException, UnknownServerError, UnknownTopicOrPartition,
    UnsupportedVersion,
};
use serde_json::{Value, json};

use super::case::{Case, case};
use super::scene::Scene;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn describe(kind: i8, name: &str, keys: &Value) -> Value {
    json!({"Resources": [{"ResourceType": kind, "ResourceName": name, "ConfigurationKeys": keys}],
        "IncludeSynonyms": true, "IncludeDocumentation": true})
}

fn alter(kind: i8, name: &str, key: &str, value: &Value) -> Value {
    json!({"Resources": [{"ResourceType": kind, "ResourceName": name, "Configs": [{"Name": key, "Value": value}]}]})
}

fn change(kind: i8, name: &str, key: &str, operation: i8, value: &Value) -> Value {
    json!({"Resources": [{"ResourceType": kind, "ResourceName": name,
        "Configs": [{"Name": key, "ConfigOperation": operation, "Value": value}]}]})
}

fn topic_configs(s: &Scene) -> Value {
    describe(
        TOPIC,
        &s.topic,
        &json!(["retention.ms", "cleanup.policy", "max.message.bytes", "segment.bytes"]),
    )
}

/// The table.
pub fn cases() -> Vec<Case> {
    [describes(), broker_describes(), alters(), increments(), increment_refusals(), others(), lists()]
        .into_iter()
        .flatten()
        .collect()
}

fn describes() -> Vec<Case> {
    let all = Value::Null;
    let refused = |what, kind: i8, name: &'static str, errors| {
        case(DescribeConfigs, what).errors(errors).ask(move |_| describe(kind, name, &Value::Null))
    };
    vec![
        case(DescribeConfigs, "every config of a topic").topic(1).ask(move |s| describe(TOPIC, &s.topic, &all)),
        case(DescribeConfigs, "a topic with configs of its own")
            .topic_with(1, &[("retention.ms", "3600000"), ("cleanup.policy", "compact,delete")])
            .ask(topic_configs),
        case(DescribeConfigs, "without synonyms and documentation").topic(1).ask(|s| {
            json!({"Resources": [{"ResourceType": TOPIC, "ResourceName": s.topic, "ConfigurationKeys": null}]})
        }),
        case(DescribeConfigs, "no key").topic(1).ask(|s| describe(TOPIC, &s.topic, &json!([]))),
        case(DescribeConfigs, "an unknown key").topic(1).ask(|s| describe(TOPIC, &s.topic, &json!(["no.such.key"]))),
        case(DescribeConfigs, "the same topic twice").topic(1).ask(|s| {
            let one = json!({"ResourceType": TOPIC, "ResourceName": s.topic, "ConfigurationKeys": ["retention.ms"]});
            json!({"Resources": [one, one]})
        }),
        refused("an unknown topic", TOPIC, "nowhere", &[UnknownTopicOrPartition]),
        refused("an illegal topic name", TOPIC, "no/slash", &[InvalidTopicException]),
        refused("another broker", BROKER, "77", &[InvalidRequest]),
        refused("a broker whose id is no number", BROKER, "one", &[InvalidRequest]),
        refused("an unknown type", 77, "x", &[InvalidRequest, UnknownServerError]),
        refused("client metrics nobody has configured", CLIENT_METRICS, "metrics", &[]),
        refused("client metrics without a name", CLIENT_METRICS, "", &[InvalidRequest]),
        refused("a group nobody has configured", GROUP, "group", &[]),
        refused("a group without a name", GROUP, "", &[InvalidRequest]),
        refused("loggers of another broker", BROKER_LOGGER, "77", &[InvalidRequest]),
    ]
}

fn broker_describes() -> Vec<Case> {
    let of = |keys: &'static [&'static str]| move |_: &Scene| describe(BROKER, "1", &json!(keys));
    vec![
        case(DescribeConfigs, "sizes and times of the broker").ask(of(&[
            "message.max.bytes",
            "log.retention.hours",
            "log.retention.ms",
            "log.segment.bytes",
            "num.partitions",
            "log.cleanup.policy",
            "socket.request.max.bytes",
        ])),
        case(DescribeConfigs, "what the broker's file says")
            .ask(of(&["node.id", "offsets.topic.replication.factor"])),
        case(DescribeConfigs, "sensitive keys of the broker")
            .ask(of(&["ssl.key.password", "ssl.keystore.password"])),
        case(DescribeConfigs, "every key of the broker but where it is")
            .ask(|_| describe(BROKER, "1", &Value::Null)),
        case(DescribeConfigs, "the default of all brokers").ask(|_| describe(BROKER, "", &Value::Null)),
        case(IncrementalAlterConfigs, "the default of all brokers")
            .fresh()
            .ask(|_| change(BROKER, "", "log.cleaner.threads", SET, &json!("2")))
            .then(DescribeConfigs, 4, |_| describe(BROKER, "", &Value::Null))
            .then(DescribeConfigs, 4, |_| describe(BROKER, "1", &json!(["log.cleaner.threads"])))
            .then(IncrementalAlterConfigs, 1, |_| {
                change(BROKER, "", "log.cleaner.threads", DELETE, &Value::Null)
            })
            .then(DescribeConfigs, 4, |_| describe(BROKER, "1", &json!(["log.cleaner.threads"]))),
    ]
}

fn alters() -> Vec<Case> {
    let refused = |what, kind: i8, name: &'static str, key: &'static str, value: Value, errors| {
        case(AlterConfigs, what).errors(errors).ask(move |_| alter(kind, name, key, &value))
    };
    let of_topic = |what, key: &'static str, value: Value, errors| {
        case(AlterConfigs, what).topic(1).errors(errors).ask(move |s| alter(TOPIC, &s.topic, key, &value))
    };
    vec![
        case(AlterConfigs, "a topic, replacing what was set")
            .topic_with(1, &[("cleanup.policy", "compact")])
            .fresh()
            .ask(|s| alter(TOPIC, &s.topic, "retention.ms", &json!("3600000")))
            .then(DescribeConfigs, 4, topic_configs),
        case(AlterConfigs, "only to validate")
            .topic(1)
            .ask(|s| {
                json!({"Resources": [{"ResourceType": TOPIC, "ResourceName": s.topic,
                    "Configs": [{"Name": "retention.ms", "Value": "1"}]}], "ValidateOnly": true})
            })
            .then(DescribeConfigs, 4, topic_configs),
        of_topic("an unknown key", "no.such.key", json!("1"), &[InvalidConfig]),
        of_topic("a value of the wrong type", "retention.ms", json!("soon"), &[InvalidConfig]),
        of_topic("a value of null", "retention.ms", Value::Null, &[InvalidConfig, InvalidRequest]),
        refused("an unknown topic", TOPIC, "nowhere", "retention.ms", json!("1"), &[UnknownTopicOrPartition]),
        refused("another broker", BROKER, "77", "log.cleaner.threads", json!("1"), &[InvalidRequest]),
        refused("an unknown type", 77, "x", "a", json!("1"), &[InvalidRequest]),
        case(AlterConfigs, "the same topic twice").topic(1).unanswered().errors(&[InvalidRequest]).ask(|s| {
            let one = json!({"ResourceType": TOPIC, "ResourceName": s.topic, "Configs": []});
            json!({"Resources": [one, one]})
        }),
        case(AlterConfigs, "nothing").ask(|_| json!({"Resources": []})),
    ]
}

fn increments() -> Vec<Case> {
    let topic = |what, key: &'static str, operation: i8, value: Value| {
        case(IncrementalAlterConfigs, what)
            .topic_with(1, &[("cleanup.policy", "compact"), ("retention.ms", "7200000")])
            .fresh()
            .ask(move |s| change(TOPIC, &s.topic, key, operation, &value))
            .then(DescribeConfigs, 4, topic_configs)
    };
    vec![
        topic("set", "retention.ms", SET, json!("3600000")),
        topic("delete", "retention.ms", DELETE, Value::Null),
        topic("delete what is not set", "segment.bytes", DELETE, Value::Null),
        topic("append", "cleanup.policy", APPEND, json!("delete")),
        topic("append what is there", "cleanup.policy", APPEND, json!("compact")),
        topic("subtract what is not there", "cleanup.policy", SUBTRACT, json!("delete")),
        topic("set to what it is", "retention.ms", SET, json!("7200000")),
        case(IncrementalAlterConfigs, "only to validate")
            .topic(1)
            .ask(|s| {
                json!({"Resources": [{"ResourceType": TOPIC, "ResourceName": s.topic, "Configs":
                    [{"Name": "retention.ms", "ConfigOperation": SET, "Value": "1"}]}], "ValidateOnly": true})
            })
            .then(DescribeConfigs, 4, topic_configs),
        case(IncrementalAlterConfigs, "one topic good, one unknown")
            .topic(1)
            .fresh()
            .errors(&[UnknownTopicOrPartition])
            .ask(|s| {
                let of = |name: &str| {
                    json!({"ResourceType": TOPIC, "ResourceName": name, "Configs":
                        [{"Name": "retention.ms", "ConfigOperation": SET, "Value": "3600000"}]})
                };
                json!({"Resources": [of(&s.topic), of("nowhere")]})
            })
            .then(DescribeConfigs, 4, topic_configs),
        case(IncrementalAlterConfigs, "a broker")
            .fresh()
            .ask(|_| change(BROKER, "1", "log.cleaner.threads", SET, &json!("2")))
            .then(DescribeConfigs, 4, |_| describe(BROKER, "1", &json!(["log.cleaner.threads"])))
            .then(IncrementalAlterConfigs, 1, |_| {
                change(BROKER, "1", "log.cleaner.threads", DELETE, &Value::Null)
            }),
        case(IncrementalAlterConfigs, "nothing").ask(|_| json!({"Resources": []})),
    ]
}

fn increment_refusals() -> Vec<Case> {
    let topic = |what, key: &'static str, operation: i8, value: Value, errors| {
        case(IncrementalAlterConfigs, what)
            .topic(1)
            .errors(errors)
            .ask(move |s| change(TOPIC, &s.topic, key, operation, &value))
    };
    let other = |what, kind: i8, name: &'static str, key: &'static str, value: &'static str, errors| {
        case(IncrementalAlterConfigs, what)
            .errors(errors)
            .ask(move |_| change(kind, name, key, SET, &json!(value)))
    };
    vec![
        topic("an unknown key", "no.such.key", SET, json!("1"), &[InvalidConfig]),
        topic("a value of the wrong type", "retention.ms", SET, json!("soon"), &[InvalidConfig]),
        topic("a value out of bounds", "segment.bytes", SET, json!("1"), &[InvalidConfig]),
        topic("an unknown choice", "compression.type", SET, json!("brotli"), &[InvalidConfig]),
        topic("set to null", "retention.ms", SET, Value::Null, &[InvalidRequest]),
        topic("append to what is no list", "retention.ms", APPEND, json!("1"), &[InvalidConfig]),
        topic("subtract from what is no list", "retention.ms", SUBTRACT, json!("1"), &[InvalidConfig]),
        topic("an unknown operation", "retention.ms", 9, json!("1"), &[UnknownServerError]),
        topic("subtract the only choice", "cleanup.policy", SUBTRACT, json!("delete"), &[]),
        case(IncrementalAlterConfigs, "the same key twice").topic(1).errors(&[InvalidRequest]).ask(|s| {
            let one = json!({"Name": "retention.ms", "ConfigOperation": SET, "Value": "1"});
            json!({"Resources": [{"ResourceType": TOPIC, "ResourceName": s.topic, "Configs": [one, one]}]})
        }),
        case(IncrementalAlterConfigs, "the same topic twice").topic(1).errors(&[InvalidRequest]).ask(|s| {
            let one = json!({"ResourceType": TOPIC, "ResourceName": s.topic, "Configs": []});
            json!({"Resources": [one, one]})
        }),
        other("an unknown topic", TOPIC, "nowhere", "retention.ms", "1", &[UnknownTopicOrPartition]),
        other(
            "an illegal topic name",
            TOPIC,
            "no/slash",
            "retention.ms",
            "1",
            &[InvalidTopicException, InvalidRequest],
        ),
        other("another broker", BROKER, "77", "log.cleaner.threads", "1", &[InvalidRequest]),
        other("a broker whose id is no number", BROKER, "one", "log.cleaner.threads", "1", &[InvalidRequest]),
        other("a read-only key of a broker", BROKER, "1", "node.id", "2", &[InvalidRequest, InvalidConfig]),
        other("an unknown key of a broker", BROKER, "1", "no.such.key", "2", &[]),
        other(
            "a wrong value of a broker",
            BROKER,
            "1",
            "log.cleaner.threads",
            "many",
            &[InvalidRequest, InvalidConfig],
        ),
        other("an unknown type", 77, "x", "a", "1", &[InvalidRequest]),
    ]
}

/// Settings of groups, of subscriptions to client metrics, and of loggers.
fn others() -> Vec<Case> {
    let set = |what, kind: i8, key: &'static str, operation: i8, value: Value| {
        case(IncrementalAlterConfigs, what)
            .fresh()
            .ask(move |s| change(kind, &s.topic, key, operation, &value))
            .then(DescribeConfigs, 4, move |s| describe(kind, &s.topic, &json!([key])))
    };
    let logger = |what, name: &'static str, operation: i8, value: Value| {
        case(IncrementalAlterConfigs, what).ask(move |_| change(BROKER_LOGGER, "1", name, operation, &value))
    };
    let root = "org.apache.kafka";
    let wrong: &[_] = &[InvalidConfig, InvalidRequest];
    vec![
        set("a group", GROUP, "consumer.session.timeout.ms", SET, json!("50000")),
        set("a group back to its default", GROUP, "consumer.session.timeout.ms", DELETE, Value::Null),
        set("a group out of bounds", GROUP, "consumer.session.timeout.ms", SET, json!("1")).errors(wrong),
        set("an unknown key of a group", GROUP, "no.such.key", SET, json!("1")).errors(wrong),
        set("a wrong value of a group", GROUP, "consumer.session.timeout.ms", SET, json!("soon"))
            .errors(wrong),
        set("client metrics", CLIENT_METRICS, "interval.ms", SET, json!("5000")),
        set("client metrics that match", CLIENT_METRICS, "match", SET, json!("client_software_name=a")),
        set("client metrics that match nothing sensible", CLIENT_METRICS, "match", SET, json!("moon=full"))
            .errors(wrong),
        set("client metrics too often", CLIENT_METRICS, "interval.ms", SET, json!("1")).errors(wrong),
        set("an unknown key of client metrics", CLIENT_METRICS, "no.such.key", SET, json!("1")).errors(wrong),
        case(AlterConfigs, "a group")
            .fresh()
            .ask(|s| alter(GROUP, &s.topic, "consumer.session.timeout.ms", &json!("50000"))),
        case(AlterConfigs, "client metrics")
            .fresh()
            .ask(|s| alter(CLIENT_METRICS, &s.topic, "interval.ms", &json!("5000"))),
        case(AlterConfigs, "a logger")
            .errors(&[InvalidRequest])
            .ask(move |_| alter(BROKER_LOGGER, "1", root, &json!("INFO"))),
        case(AlterConfigs, "a group without a name")
            .errors(&[InvalidRequest, InvalidConfig])
            .ask(|_| alter(GROUP, "", "consumer.session.timeout.ms", &json!("50000"))),
        case(IncrementalAlterConfigs, "a group without a name")
            .errors(&[InvalidRequest, InvalidConfig])
            .ask(|_| change(GROUP, "", "consumer.session.timeout.ms", SET, &json!("50000"))),
        case(IncrementalAlterConfigs, "client metrics without a name")
            .errors(&[InvalidRequest, InvalidConfig])
            .ask(|_| change(CLIENT_METRICS, "", "interval.ms", SET, &json!("5000"))),
        logger("a level of a logger", "root", SET, json!("INFO")),
        logger("a level that is none", "root", SET, json!("LOUD")).errors(wrong),
        logger("a logger that is not there", "no.such.logger", SET, json!("INFO")).errors(wrong),
        logger("a level appended", "root", APPEND, json!("INFO")).errors(wrong),
        case(IncrementalAlterConfigs, "a logger of another broker")
            .errors(&[InvalidRequest])
            .ask(|_| change(BROKER_LOGGER, "77", "kafka", SET, &json!("INFO"))),
        case(IncrementalAlterConfigs, "a key without a name")
            .topic(1)
            .errors(wrong)
            .ask(|s| change(TOPIC, &s.topic, "", SET, &json!("1"))),
        case(DescribeConfigs, "a topic without a name")
            .errors(&[InvalidTopicException, UnknownTopicOrPartition, InvalidRequest])
            .ask(|_| describe(TOPIC, "", &Value::Null)),
        case(DescribeConfigs, "nothing").ask(|_| json!({"Resources": []})),
    ]
}

fn lists() -> Vec<Case> {
    let of = |kinds: Value| move |_: &Scene| json!({"ResourceTypes": kinds});
    vec![
        case(ListConfigResources, "client metrics").versions(0, 0).ask(|_| json!({})),
        case(ListConfigResources, "groups and client metrics")
            .versions(1, 1)
            .ask(of(json!([GROUP, CLIENT_METRICS]))),
        case(ListConfigResources, "a kind twice").versions(1, 1).ask(of(json!([BROKER, BROKER]))),
        case(ListConfigResources, "a negative kind")
            .versions(1, 1)
            .errors(&[UnsupportedVersion])
            .ask(of(json!([-1]))),
        case(ListConfigResources, "brokers").versions(1, 1).ask(of(json!([BROKER]))),
        case(ListConfigResources, "loggers").versions(1, 1).ask(of(json!([BROKER_LOGGER]))),
        case(ListConfigResources, "an unknown type")
            .versions(1, 1)
            .errors(&[UnsupportedVersion])
            .ask(of(json!([77]))),
    ]
}
