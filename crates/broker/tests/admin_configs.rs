//! DescribeConfigs, AlterConfigs, IncrementalAlterConfigs and ListConfigResources against a node, held to the codes
//! with which Apache Kafka 4.4.0 answers the same requests.

#![expect(clippy::unwrap_used, reason = "tests")]

mod admin;
mod raw;

use admin::{NODE, TestNode};
use protocol::ErrorCode;
use protocol::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use protocol::messages::list_config_resources::ListConfigResourcesRequest;
use protocol::messages::{AlterConfigsRequest, IncrementalAlterConfigsRequest};
use protocol::messages::{alter_configs, incremental_alter_configs};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOGGER: i8 = 8;
const METRICS: i8 = 16;
const GROUP: i8 = 32;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// Keys with their values.
type Values<'a> = &'a [(&'a str, Option<&'a str>)];
/// A key, what to do with it, and a value.
type Op<'a> = (&'a str, i8, Option<&'a str>);

fn code(error: ErrorCode) -> i16 {
    error.into()
}

fn incremental<'a>(
    resources: &[(i8, &'a str, &[Op<'a>])],
    validate_only: bool,
) -> IncrementalAlterConfigsRequest<'a> {
    use incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
    let resources = resources.iter().map(|(kind, name, ops)| {
        let configs = ops.iter().map(|(key, operation, value)| AlterableConfig {
            name: (*key).into(),
            config_operation: *operation,
            value: value.map(Into::into),
        });
        AlterConfigsResource {
            resource_type: *kind,
            resource_name: (*name).into(),
            configs: configs.collect(),
        }
    });
    IncrementalAlterConfigsRequest { resources: resources.collect(), validate_only }
}

fn change_all(node: &TestNode, resources: &[(i8, &str, &[Op<'_>])]) -> Vec<i16> {
    let request = incremental(resources, false);
    node.ask(&request, 1, |response| {
        let same_order = response.responses.iter().zip(&request.resources);
        let of = same_order.map(|(answer, asked)| {
            assert_eq!(
                (&answer.resource_name, answer.resource_type),
                (&asked.resource_name, asked.resource_type)
            );
            assert_eq!(answer.error_code == 0, answer.error_message.is_none(), "an error has a message");
            answer.error_code
        });
        of.collect()
    })
}

fn change(node: &TestNode, kind: i8, name: &str, ops: &[Op<'_>]) -> i16 {
    change_all(node, &[(kind, name, ops)])[0]
}

fn replace_all(node: &TestNode, version: i16, resources: &[(i8, &str, Values<'_>)]) -> Vec<i16> {
    use alter_configs::{AlterConfigsResource, AlterableConfig};
    let resources = resources.iter().map(|(kind, name, values)| {
        let configs = values
            .iter()
            .map(|(key, value)| AlterableConfig { name: (*key).into(), value: value.map(Into::into) });
        AlterConfigsResource {
            resource_type: *kind,
            resource_name: (*name).into(),
            configs: configs.collect(),
        }
    });
    let request = AlterConfigsRequest { resources: resources.collect(), validate_only: false };
    node.ask(&request, version, |response| response.responses.iter().map(|one| one.error_code).collect())
}

fn describe(
    node: &TestNode,
    version: i16,
    kind: i8,
    name: &str,
    keys: Option<&[&str]>,
) -> (i16, Vec<String>) {
    let resource = DescribeConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configuration_keys: keys.map(|keys| keys.iter().map(|key| (*key).into()).collect()),
    };
    let request =
        DescribeConfigsRequest { resources: [resource].into(), ..DescribeConfigsRequest::default() };
    node.ask(&request, version, |response| {
        let result = response.results.iter().next().unwrap();
        (result.error_code, result.configs.iter().map(|entry| entry.name.into_owned()).collect())
    })
}

#[test]
fn every_kind_of_resource_is_described_in_every_version() {
    let node = TestNode::start(&[]);
    node.create(&["a"]);
    for version in 1..=4 {
        for (kind, name, least) in
            [(TOPIC, "a", 30), (BROKER, "1", 250), (GROUP, "g", 10), (METRICS, "m", 3), (LOGGER, "1", 3)]
        {
            let (error, keys) = describe(&node, version, kind, name, None);
            assert_eq!(error, 0, "{kind} {name} {version}");
            assert!(keys.len() >= least, "{kind} {name} {version}: {}", keys.len());
        }
        assert_eq!(describe(&node, version, BROKER, "", None).0, 0);
    }
}

#[test]
fn only_the_keys_that_are_asked_for_and_exist_are_described() {
    let node = TestNode::start(&[]);
    node.create(&["a"]);
    let keys = ["retention.ms", "nope", "cleanup.policy", "retention.ms"];
    let expected = ["cleanup.policy", "retention.ms"].map(str::to_owned).to_vec();
    assert_eq!(describe(&node, 4, TOPIC, "a", Some(&keys)), (0, expected));
    assert!(describe(&node, 4, TOPIC, "a", Some(&[])).1.len() > 30, "no keys means all, as in Kafka");
}

#[test]
fn what_cannot_be_described_says_why() {
    let node = TestNode::start(&[]);
    for (kind, name, error) in [
        (TOPIC, "nope", ErrorCode::UnknownTopicOrPartition),
        (TOPIC, "", ErrorCode::InvalidTopicException),
        (TOPIC, "..", ErrorCode::InvalidTopicException),
        (BROKER, "99", ErrorCode::InvalidRequest),
        (BROKER, "-1", ErrorCode::InvalidRequest),
        (BROKER, "x", ErrorCode::InvalidRequest),
        (LOGGER, "99", ErrorCode::InvalidRequest),
        (LOGGER, "", ErrorCode::InvalidRequest),
        (GROUP, "", ErrorCode::InvalidRequest),
        (METRICS, "", ErrorCode::InvalidRequest),
        (0, "x", ErrorCode::InvalidRequest),
        (99, "x", ErrorCode::InvalidRequest),
        (-1, "x", ErrorCode::InvalidRequest),
    ] {
        assert_eq!(describe(&node, 4, kind, name, None), (code(error), Vec::new()), "{kind} {name}");
    }
}

#[test]
fn synonyms_and_documentation_come_when_asked_for() {
    let node = TestNode::start(&[("log.retention.hours", "5")]);
    node.create(&["a"]);
    assert_eq!(change(&node, TOPIC, "a", &[("retention.ms", SET, Some("7"))]), 0);
    assert_eq!(change(&node, BROKER, "", &[("log.retention.ms", SET, Some("600000"))]), 0);
    for wanted in [true, false] {
        let resource = DescribeConfigsResource {
            resource_type: TOPIC,
            resource_name: "a".into(),
            configuration_keys: Some(["retention.ms".into()].into()),
        };
        let request = DescribeConfigsRequest {
            resources: [resource].into(),
            include_synonyms: wanted,
            include_documentation: wanted,
        };
        node.ask(&request, 4, |response| {
            let result = response.results.iter().next().unwrap();
            assert_eq!(result.error_message.as_deref(), Some(""));
            let entry = result.configs.iter().next().unwrap();
            assert_eq!((entry.value.as_deref(), entry.config_source, entry.config_type), (Some("7"), 1, 5));
            assert_eq!(entry.documentation.is_some(), wanted);
            let synonyms: Vec<_> = entry
                .synonyms
                .iter()
                .map(|one| (one.name.into_owned(), one.value.unwrap().into_owned(), one.source))
                .collect();
            let all = [
                ("retention.ms", "7", 1),
                ("log.retention.ms", "600000", 3),
                ("log.retention.hours", "5", 4),
                ("log.retention.hours", "168", 5),
            ];
            let all = all.map(|(name, value, source)| (name.to_owned(), value.to_owned(), source));
            assert_eq!(synonyms, if wanted { all.to_vec() } else { Vec::new() });
        });
    }
}

#[test]
fn keys_are_set_deleted_appended_to_and_subtracted_from() {
    let node = TestNode::start(&[]);
    node.create(&["a"]);
    let policy = |node: &TestNode| node.setting(TOPIC, "a", "cleanup.policy");
    let some = |text: &str| Some(text.to_owned());
    for (op, value, expected) in [
        (APPEND, "compact", (some("delete,compact"), 1)),
        (APPEND, "compact", (some("delete,compact"), 1)),
        (SUBTRACT, "delete", (some("compact"), 1)),
        (SUBTRACT, "nope", (some("compact"), 1)),
        (SUBTRACT, "compact", (some(""), 1)),
        (SET, "compact", (some("compact"), 1)),
        (DELETE, "ignored", (some("delete"), 5)),
    ] {
        assert_eq!(change(&node, TOPIC, "a", &[("cleanup.policy", op, Some(value))]), 0);
        assert_eq!(policy(&node), expected, "{op} {value}");
    }
    assert_eq!(change(&node, TOPIC, "a", &[("flush.ms", DELETE, None), ("nope", DELETE, None)]), 0);
    assert_eq!(change(&node, TOPIC, "a", &[]), 0);
}

#[test]
fn alterations_are_refused_with_kafkas_codes_and_change_nothing() {
    use ErrorCode as E;
    let node = TestNode::start(&[]);
    node.create(&["a"]);
    let here = NODE.to_string();
    let twice: &[Op<'_>] = &[("retention.ms", SET, Some("1")), ("retention.ms", DELETE, None)];
    let half: &[Op<'_>] = &[("flush.ms", SET, Some("8")), ("retention.ms", SET, Some("x"))];
    let cases: &[(i8, &str, &[Op<'_>], E)] = &[
        (TOPIC, "a", &[("retention.ms", SET, Some("x"))], E::InvalidConfig),
        (TOPIC, "a", &[("nope", SET, Some("x"))], E::InvalidConfig),
        (TOPIC, "a", &[("", SET, Some("x"))], E::InvalidConfig),
        (TOPIC, "a", &[("retention.ms", SET, None)], E::InvalidRequest),
        (TOPIC, "a", &[("cleanup.policy", APPEND, None)], E::InvalidRequest),
        (TOPIC, "a", &[("cleanup.policy", APPEND, Some("nope"))], E::InvalidConfig),
        (TOPIC, "a", &[("retention.ms", APPEND, Some("5"))], E::InvalidConfig),
        (TOPIC, "a", &[("retention.ms", SUBTRACT, Some("5"))], E::InvalidConfig),
        (TOPIC, "a", &[("retention.ms", 7, Some("5"))], E::UnknownServerError),
        (TOPIC, "a", twice, E::InvalidRequest),
        (TOPIC, "a", half, E::InvalidConfig),
        (TOPIC, "nope", &[("retention.ms", SET, Some("5"))], E::UnknownTopicOrPartition),
        (TOPIC, "nope", &[("retention.ms", SET, Some("x"))], E::InvalidConfig),
        (TOPIC, "..", &[("retention.ms", SET, Some("5"))], E::InvalidTopicException),
        (TOPIC, "", &[("retention.ms", SET, Some("5"))], E::InvalidRequest),
        (BROKER, &here, &[("log.retention.hours", SET, Some("5"))], E::InvalidRequest),
        (BROKER, &here, &[("log.retention.ms", SET, Some("x"))], E::InvalidRequest),
        (BROKER, &here, &[("log.retention.ms", APPEND, Some("5"))], E::InvalidConfig),
        (BROKER, &here, &[("log.retention.ms", 7, Some("5"))], E::InvalidRequest),
        (BROKER, &here, &[("ssl.keystore.password", SET, Some("x"))], E::InvalidRequest),
        (BROKER, &here, &[("min.insync.replicas", SET, Some("2"))], E::InvalidConfig),
        (BROKER, "", &[("min.insync.replicas", DELETE, None)], E::InvalidConfig),
        (BROKER, "", &[("listeners", SET, Some("PLAINTEXT://:1"))], E::InvalidRequest),
        (BROKER, "99", &[("log.retention.ms", SET, Some("5"))], E::InvalidRequest),
        (BROKER, "x", &[("log.retention.ms", SET, Some("5"))], E::InvalidRequest),
        (LOGGER, &here, &[("kafka.server", SET, Some("INFO"))], E::InvalidConfig),
        (LOGGER, &here, &[("root", SET, Some("LOUD"))], E::InvalidConfig),
        (LOGGER, &here, &[("root", DELETE, None)], E::InvalidRequest),
        (LOGGER, &here, &[("root", APPEND, Some("INFO"))], E::InvalidRequest),
        (LOGGER, &here, &[("root", 7, Some("INFO"))], E::InvalidRequest),
        (LOGGER, &here, &[("root", SET, None)], E::InvalidRequest),
        (LOGGER, "99", &[("root", SET, Some("INFO"))], E::InvalidRequest),
        (LOGGER, "", &[("root", SET, Some("INFO"))], E::InvalidRequest),
        (GROUP, "g", &[("consumer.session.timeout.ms", SET, Some("1"))], E::InvalidConfig),
        (GROUP, "g", &[("nope", SET, Some("1"))], E::InvalidConfig),
        (GROUP, "", &[("consumer.session.timeout.ms", SET, Some("50000"))], E::InvalidRequest),
        (METRICS, "m", &[("interval.ms", SET, Some("1"))], E::InvalidRequest),
        (METRICS, "m", &[("match", SET, Some("foo"))], E::InvalidConfig),
        (METRICS, "m", &[("nope", SET, Some("1"))], E::InvalidRequest),
        (METRICS, "m", &[("metrics", APPEND, Some("a"))], E::InvalidConfig),
        (METRICS, "", &[("interval.ms", SET, Some("1000"))], E::InvalidRequest),
        (0, "x", &[("a", SET, Some("b"))], E::InvalidRequest),
        (99, "x", &[("a", SET, Some("b"))], E::InvalidRequest),
    ];
    for (kind, name, ops, error) in cases {
        assert_eq!(change(&node, *kind, name, ops), code(*error), "{kind} {name} {ops:?}");
    }
    assert_eq!(node.setting(TOPIC, "a", "flush.ms").1, 5, "a refused resource keeps its other keys too");
    let request = ListConfigResourcesRequest { resource_types: [GROUP, METRICS].into() };
    assert!(node.ask(&request, 1, |response| response.config_resources.is_empty()));
}

#[test]
fn each_resource_stands_for_itself_and_may_stand_once() {
    let node = TestNode::start(&[]);
    node.create(&["a", "b"]);
    let good: &[Op<'_>] = &[("retention.ms", SET, Some("77"))];
    let bad: &[Op<'_>] = &[("retention.ms", SET, Some("x"))];
    let invalid = code(ErrorCode::InvalidRequest);
    assert_eq!(
        change_all(&node, &[(TOPIC, "a", bad), (LOGGER, "1", &[]), (TOPIC, "b", good)]),
        [code(ErrorCode::InvalidConfig), 0, 0]
    );
    assert_eq!(
        change_all(&node, &[(TOPIC, "a", good), (TOPIC, "b", &[]), (TOPIC, "a", &[])]),
        [invalid, 0, invalid]
    );
    assert_eq!(node.setting(TOPIC, "a", "retention.ms").1, 5);
    assert_eq!(node.setting(TOPIC, "b", "retention.ms"), (Some("77".to_owned()), 1));
    // Kafka leaves the older API without an answer here.
    assert_eq!(replace_all(&node, 2, &[(TOPIC, "a", &[]), (TOPIC, "a", &[])]), [invalid, invalid]);
}

#[test]
fn replacing_a_configuration_drops_what_is_not_named() {
    let node = TestNode::start(&[]);
    node.create(&["a"]);
    for version in 0..=2 {
        assert_eq!(change(&node, TOPIC, "a", &[("cleanup.policy", SET, Some("compact"))]), 0);
        assert_eq!(replace_all(&node, version, &[(TOPIC, "a", &[("retention.ms", Some("9"))])]), [0]);
        assert_eq!(node.setting(TOPIC, "a", "retention.ms"), (Some("9".to_owned()), 1));
        assert_eq!(node.setting(TOPIC, "a", "cleanup.policy"), (Some("delete".to_owned()), 5));
    }
    use ErrorCode as E;
    let cases: &[(i8, &str, Values<'_>, E)] = &[
        (TOPIC, "a", &[("retention.ms", None)], E::InvalidRequest),
        (TOPIC, "a", &[("retention.ms", Some("x"))], E::InvalidConfig),
        (TOPIC, "a", &[("retention.ms", Some("1")), ("retention.ms", Some("2"))], E::InvalidRequest),
        (TOPIC, "nope", &[("retention.ms", Some("1"))], E::UnknownTopicOrPartition),
        (LOGGER, "1", &[("root", Some("INFO"))], E::InvalidRequest),
        (BROKER, "", &[("log.retention.ms", Some("5000000"))], E::InvalidConfig),
        (BROKER, "99", &[], E::InvalidRequest),
        (99, "x", &[], E::InvalidRequest),
    ];
    for (kind, name, values, error) in cases {
        assert_eq!(
            replace_all(&node, 2, &[(*kind, name, values)]),
            [code(*error)],
            "{kind} {name} {values:?}"
        );
    }
}

#[test]
fn validating_only_changes_nothing() {
    let node = TestNode::start(&[]);
    node.create(&["a"]);
    let request = incremental(&[(TOPIC, "a", &[("retention.ms", SET, Some("9"))])], true);
    assert_eq!(node.ask(&request, 1, |response| response.responses.iter().next().unwrap().error_code), 0);
    assert_eq!(node.setting(TOPIC, "a", "retention.ms").1, 5);
}

#[test]
fn settings_of_one_broker_beat_those_of_all_and_last() {
    let node = TestNode::start(&[]);
    let shown = |node: &TestNode| node.setting(BROKER, "1", "log.retention.ms");
    assert_eq!(shown(&node), (None, 5));
    assert_eq!(change(&node, BROKER, "", &[("log.retention.ms", SET, Some("600000"))]), 0);
    assert_eq!(shown(&node), (Some("600000".to_owned()), 3));
    assert_eq!(change(&node, BROKER, "1", &[("log.retention.ms", SET, Some("500000"))]), 0);
    assert_eq!(shown(&node), (Some("500000".to_owned()), 2));
    let node = node.restart(&[]);
    assert_eq!(shown(&node), (Some("500000".to_owned()), 2));
    assert_eq!(change(&node, BROKER, "1", &[("log.retention.ms", DELETE, None)]), 0);
    assert_eq!(shown(&node), (Some("600000".to_owned()), 3));
}

#[test]
fn changes_reach_the_logs() {
    let node = TestNode::start(&[]);
    node.create(&["a"]);
    let (id, _) = node.look_up("a").unwrap();
    let bytes_max = |node: &TestNode| {
        let topic = node.broker().partitions.by_id(id).unwrap();
        let replica = topic.get(protocol::id::PartitionIndex(0)).unwrap().clone();
        let log = replica.log().unwrap();
        log.config().append.max_message_bytes
    };
    let default = bytes_max(&node);
    assert_eq!(change(&node, BROKER, "1", &[("message.max.bytes", SET, Some("5000"))]), 0);
    assert_eq!(bytes_max(&node), 5000);
    assert_eq!(change(&node, TOPIC, "a", &[("max.message.bytes", SET, Some("6000"))]), 0);
    assert_eq!(bytes_max(&node), 6000);
    assert_eq!(change(&node, TOPIC, "a", &[("max.message.bytes", DELETE, None)]), 0);
    assert_eq!(change(&node, BROKER, "1", &[("message.max.bytes", DELETE, None)]), 0);
    assert_eq!(bytes_max(&node), default);
}

#[test]
fn changes_reach_the_listeners() {
    let node = TestNode::start(&[]);
    let mut first = node.client();
    let here = "127.0.0.1:1";
    assert_eq!(change(&node, BROKER, "1", &[("max.connections.per.ip.overrides", SET, Some(here))]), 0);
    let mut second = node.client();
    second.assert_closed();
    let deleted = incremental(&[(BROKER, "1", &[("max.connections.per.ip.overrides", DELETE, None)])], false);
    assert_eq!(first.ask(&deleted, 1).len(), 4 + 1 + 2 + 1 + 1 + 2 + 1 + 1, "one response, without an error");
    assert_eq!(node.setting(BROKER, "1", "max.connections.per.ip.overrides"), (Some(String::new()), 5));
}

#[test]
fn groups_and_subscriptions_are_listed_while_they_have_settings() {
    let node = TestNode::start(&[]);
    node.create(&["a"]);
    let group: &[Op<'_>] = &[("consumer.session.timeout.ms", SET, Some("50000"))];
    let metrics: &[Op<'_>] = &[("interval.ms", SET, Some("1000")), ("metrics", SET, Some("a,b"))];
    assert_eq!(change_all(&node, &[(GROUP, "g", group), (METRICS, "m", metrics)]), [0, 0]);
    assert_eq!(node.setting(GROUP, "g", "consumer.session.timeout.ms"), (Some("50000".to_owned()), 8));
    assert_eq!(node.setting(METRICS, "m", "metrics"), (Some("a,b".to_owned()), 7));
    let listed = |version: i16, kinds: &[i8]| {
        let request = ListConfigResourcesRequest { resource_types: kinds.to_vec().into() };
        node.ask(&request, version, |response| {
            let resources = response.config_resources.iter();
            let resources = resources.map(|one| (one.resource_name.into_owned(), one.resource_type));
            (response.error_code, resources.collect::<Vec<_>>())
        })
    };
    let named =
        |all: &[(&str, i8)]| (0, all.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect());
    assert_eq!(listed(0, &[]), named(&[("m", METRICS)]));
    assert_eq!(
        listed(1, &[]),
        named(&[("g", GROUP), ("m", METRICS), ("1", LOGGER), ("1", BROKER), ("a", TOPIC)])
    );
    assert_eq!(listed(1, &[TOPIC]), named(&[("a", TOPIC)]));
    assert_eq!(listed(1, &[TOPIC, 99]), (code(ErrorCode::UnsupportedVersion), Vec::new()));
    let gone: &[Op<'_>] = &[("consumer.session.timeout.ms", DELETE, None)];
    assert_eq!(change(&node, GROUP, "g", gone), 0);
    assert_eq!(listed(1, &[GROUP]), named(&[]));
}

#[test]
fn levels_of_loggers_change() {
    let node = TestNode::start(&[]);
    assert_eq!(change(&node, LOGGER, "1", &[("broker::handlers", SET, Some("DEBUG"))]), 0);
    assert_eq!(node.setting(LOGGER, "1", "broker::handlers"), (Some("DEBUG".to_owned()), 6));
    assert_eq!(change(&node, LOGGER, "1", &[("broker::handlers", DELETE, None)]), 0);
    assert_eq!(describe(&node, 4, LOGGER, "1", Some(&["broker::handlers"])), (0, Vec::new()));
}
