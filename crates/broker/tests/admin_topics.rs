//! CreateTopics, DeleteTopics, CreatePartitions and ElectLeaders against a node, held to the codes with which Apache
//! Kafka 4.4.0 answers the same requests.

#![expect(clippy::unwrap_used, reason = "tests")]

mod admin;
mod raw;

use admin::{NO_TOPIC, NODE, TestNode, topic, with_config};
use protocol::ErrorCode;
use protocol::id::Uuid;
use protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use protocol::messages::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use protocol::messages::create_topics::{CreatableReplicaAssignment, CreatableTopic, CreateTopicsRequest};
use protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use protocol::messages::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use protocol::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};

fn code(error: ErrorCode) -> i16 {
    error.into()
}

fn create(node: &TestNode, version: i16, topics: Vec<CreatableTopic<'static>>) -> Vec<(String, i16)> {
    let request = CreateTopicsRequest { topics: topics.into(), timeout_ms: 20_000, validate_only: false };
    node.ask(&request, version, |response| {
        let of = response.topics.iter().map(|topic| {
            assert_eq!(topic.error_code == 0, topic.error_message.is_none(), "an error has a message");
            (topic.name.into_owned(), topic.error_code)
        });
        of.collect()
    })
}

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic<'static> {
    let assignments = assignments.iter().map(|(partition_index, brokers)| CreatableReplicaAssignment {
        partition_index: *partition_index,
        broker_ids: brokers.to_vec().into(),
    });
    CreatableTopic { assignments: assignments.collect(), ..topic(name, -1, -1) }
}

#[test]
fn every_version_creates_and_the_later_ones_tell_what() {
    let node = TestNode::start(&[("num.partitions", "3")]);
    for version in 2..=7 {
        let name = format!("v{version}");
        let topics = [topic(&name, -1, -1)].into();
        let request = CreateTopicsRequest { topics, timeout_ms: 20_000, validate_only: false };
        node.ask(&request, version, |response| {
            let created = response.topics.iter().next().unwrap();
            assert_eq!((created.error_code, created.error_message.as_deref()), (0, None));
            if version >= 5 {
                assert_eq!((created.num_partitions, created.replication_factor), (3, 1));
                let configs = created.configs.unwrap();
                assert!(configs.len() > 30, "all settings of a topic are told");
                let retention = configs.iter().find(|config| config.name == "retention.ms").unwrap();
                assert_eq!((retention.value.as_deref(), retention.config_source), (Some("604800000"), 5));
            }
            assert_eq!(created.topic_id.is_zero(), version < 7);
        });
        assert_eq!(node.look_up(&name).unwrap().1, 3);
    }
}

#[test]
fn topics_are_refused_with_kafkas_codes_and_leave_nothing() {
    use ErrorCode as E;
    let node = TestNode::start(&[]);
    node.create(&["there.is"]);
    let long = "x".repeat(250);
    let cases = [
        (topic("", 1, 1), E::InvalidTopicException),
        (topic(".", 1, 1), E::InvalidTopicException),
        (topic("..", 1, 1), E::InvalidTopicException),
        (topic("a/b", 1, 1), E::InvalidTopicException),
        (topic("a b", 1, 1), E::InvalidTopicException),
        (topic("a\0b", 1, 1), E::InvalidTopicException),
        (topic("é", 1, 1), E::InvalidTopicException),
        (topic(&long, 1, 1), E::InvalidTopicException),
        (topic("there.is", 1, 1), E::TopicAlreadyExists),
        (topic("there_is", 1, 1), E::InvalidTopicException),
        (topic("__cluster_metadata", 1, 1), E::InvalidRequest),
        (topic("p", 0, 1), E::InvalidPartitions),
        (topic("p", -2, 1), E::InvalidPartitions),
        (topic("p", 10_001, 1), E::PolicyViolation),
        (topic("p", i32::MAX, 1), E::PolicyViolation),
        (topic("r", 1, 0), E::InvalidReplicationFactor),
        (topic("r", 1, -2), E::InvalidReplicationFactor),
        (topic("r", 1, 2), E::InvalidReplicationFactor),
        (topic("r", 1, i16::MAX), E::InvalidReplicationFactor),
        (CreatableTopic { num_partitions: 1, ..assigned("m", &[(0, &[NODE])]) }, E::InvalidRequest),
        (CreatableTopic { replication_factor: 1, ..assigned("m", &[(0, &[NODE])]) }, E::InvalidRequest),
        (assigned("m", &[(0, &[99])]), E::InvalidReplicaAssignment),
        (assigned("m", &[(0, &[-1])]), E::InvalidReplicaAssignment),
        (assigned("m", &[(0, &[])]), E::InvalidReplicaAssignment),
        (assigned("m", &[(0, &[NODE, NODE])]), E::InvalidReplicaAssignment),
        (assigned("m", &[(0, &[NODE]), (0, &[NODE])]), E::InvalidReplicaAssignment),
        (assigned("m", &[(0, &[NODE]), (2, &[NODE])]), E::InvalidReplicaAssignment),
        (assigned("m", &[(1, &[NODE])]), E::InvalidReplicaAssignment),
        (assigned("m", &[(-1, &[NODE])]), E::InvalidReplicaAssignment),
        (with_config(topic("c", 1, 1), "nope", Some("1")), E::InvalidConfig),
        (with_config(topic("c", 1, 1), "retention.ms", Some("x")), E::InvalidConfig),
        (with_config(topic("c", 1, 1), "retention.ms", Some("-2")), E::InvalidConfig),
        (with_config(topic("c", 1, 1), "retention.ms", None), E::InvalidConfig),
        (with_config(topic("c", 0, 0), "retention.ms", Some("x")), E::InvalidConfig),
    ];
    for (topic, error) in cases {
        let shown = format!("{topic:?}");
        let name = topic.name.to_string();
        assert_eq!(create(&node, 7, vec![topic]), [(name.clone(), code(error))], "{shown}");
        assert!(name == "there.is" || node.look_up(&name).is_none(), "{shown}");
    }
}

#[test]
fn each_topic_of_a_request_stands_for_itself() {
    let node = TestNode::start(&[]);
    let topics = ["a", "..", "twice", "b", "twice"].map(|name| topic(name, 1, 1)).to_vec();
    let mut answers = create(&node, 7, topics);
    answers.sort();
    let invalid = code(ErrorCode::InvalidTopicException);
    let expected = [("..", invalid), ("a", 0), ("b", 0), ("twice", code(ErrorCode::InvalidRequest))];
    assert_eq!(answers, expected.map(|(name, code)| (name.to_owned(), code)));
    assert!(node.look_up("a").is_some() && node.look_up("twice").is_none());
}

#[test]
fn validating_only_creates_nothing() {
    let node = TestNode::start(&[]);
    let request = CreateTopicsRequest {
        topics: [topic("a", 2, 1), topic("b", 0, 1)].into(),
        timeout_ms: 20_000,
        validate_only: true,
    };
    let codes = node.ask(&request, 7, |response| {
        response.topics.iter().map(|topic| (topic.error_code, topic.num_partitions)).collect::<Vec<_>>()
    });
    assert_eq!(codes, [(0, 2), (code(ErrorCode::InvalidPartitions), -1)]);
    assert!(node.look_up("a").is_none());
}

#[test]
fn assignments_by_hand_and_own_settings_are_kept() {
    let node = TestNode::start(&[]);
    let by_hand = assigned("m", &[(1, &[NODE]), (0, &[NODE])]);
    assert_eq!(create(&node, 7, vec![by_hand]), [("m".to_owned(), 0)]);
    assert_eq!(node.look_up("m").unwrap().1, 2);
    let compacted = with_config(topic("c", 1, 1), "cleanup.policy", Some("compact"));
    assert_eq!(create(&node, 7, vec![compacted]), [("c".to_owned(), 0)]);
    assert_eq!(node.setting(2, "c", "cleanup.policy"), (Some("compact".to_owned()), 1));
    assert_eq!(node.setting(2, "m", "cleanup.policy"), (Some("delete".to_owned()), 5));
}

#[test]
fn who_has_no_time_is_told_so_and_nothing_is_done() {
    let node = TestNode::start(&[]);
    node.create(&["there"]);
    for timeout_ms in [0, -1] {
        let request =
            CreateTopicsRequest { topics: [topic("a", 1, 1)].into(), timeout_ms, validate_only: false };
        let codes = node.ask(&request, 7, |response| {
            response.topics.iter().map(|topic| topic.error_code).collect::<Vec<_>>()
        });
        assert_eq!(codes, [code(ErrorCode::RequestTimedOut)]);
        let topics = [named("there")].into();
        let request = DeleteTopicsRequest { topics, timeout_ms, ..DeleteTopicsRequest::default() };
        assert_eq!(delete(&node, &request), [(Some("there".to_owned()), code(ErrorCode::RequestTimedOut))]);
    }
    assert!(node.look_up("a").is_none() && node.look_up("there").is_some());
}

fn named(name: &'static str) -> DeleteTopicState<'static> {
    DeleteTopicState { name: Some(name.into()), topic_id: Uuid::ZERO }
}

fn with_id(topic_id: Uuid) -> DeleteTopicState<'static> {
    DeleteTopicState { name: None, topic_id }
}

fn delete(node: &TestNode, request: &DeleteTopicsRequest<'static>) -> Vec<(Option<String>, i16)> {
    node.ask(request, 6, |response| {
        let of = |result: protocol::messages::delete_topics::DeletableTopicResult<'_>| {
            (result.name.map(|name| name.into_owned()), result.error_code)
        };
        response.responses.iter().map(of).collect()
    })
}

fn delete_all(node: &TestNode, topics: Vec<DeleteTopicState<'static>>) -> Vec<(Option<String>, i16)> {
    let request =
        DeleteTopicsRequest { topics: topics.into(), timeout_ms: 20_000, ..DeleteTopicsRequest::default() };
    delete(node, &request)
}

#[test]
fn topics_are_deleted_by_name_in_every_version_and_by_id_in_the_last() {
    let node = TestNode::start(&[]);
    for version in 1..=5 {
        node.create(&["a"]);
        let request = DeleteTopicsRequest {
            topic_names: ["a".into(), "nope".into()].into(),
            timeout_ms: 20_000,
            ..DeleteTopicsRequest::default()
        };
        let mut answers = node.ask(&request, version, |response| {
            let of = |result: protocol::messages::delete_topics::DeletableTopicResult<'_>| {
                (result.name.unwrap().into_owned(), result.error_code)
            };
            response.responses.iter().map(of).collect::<Vec<_>>()
        });
        answers.sort();
        assert_eq!(answers, [("a".to_owned(), 0), ("nope".to_owned(), 3)], "version {version}");
        assert!(node.look_up("a").is_none());
    }
    node.create(&["a", "b"]);
    let id = node.look_up("a").unwrap().0;
    let answers = delete_all(&node, vec![with_id(id), named("b")]);
    assert!(answers.contains(&(Some("a".to_owned()), 0)), "the name is told: {answers:?}");
    assert!(answers.contains(&(Some("b".to_owned()), 0)));
    assert!(node.look_up("a").is_none() && node.look_up("b").is_none());
    assert_eq!(delete_all(&node, vec![with_id(id)]), [(None, code(ErrorCode::UnknownTopicId))]);
}

#[test]
fn deletions_that_make_no_sense_delete_nothing() {
    let node = TestNode::start(&[]);
    node.create(&["a"]);
    let id = node.look_up("a").unwrap().0;
    let invalid = code(ErrorCode::InvalidRequest);
    let a = || Some("a".to_owned());
    let both = DeleteTopicState { name: Some("a".into()), topic_id: id };
    for (topics, expected) in [
        (vec![both], vec![(a(), invalid)]),
        (vec![with_id(Uuid::ZERO)], vec![(None, invalid)]),
        (vec![named("a"), named("a")], vec![(a(), invalid)]),
        (vec![with_id(id), with_id(id)], vec![(None, invalid)]),
        (vec![with_id(id), named("a")], vec![(a(), invalid)]),
        (vec![named("..")], vec![(Some("..".to_owned()), 3)]),
        (vec![named("__cluster_metadata")], vec![(Some("__cluster_metadata".to_owned()), 3)]),
        (vec![with_id(NO_TOPIC)], vec![(None, code(ErrorCode::UnknownTopicId))]),
        (vec![], vec![]),
    ] {
        assert_eq!(delete_all(&node, topics.clone()), expected, "{topics:?}");
        assert!(node.look_up("a").is_some(), "{topics:?}");
    }
}

#[test]
fn a_broker_that_deletes_no_topics_says_so() {
    let node = TestNode::start(&[("delete.topic.enable", "false")]);
    node.create(&["a"]);
    for version in 1..=5 {
        let request = DeleteTopicsRequest {
            topic_names: ["a".into()].into(),
            timeout_ms: 20_000,
            ..DeleteTopicsRequest::default()
        };
        let expected = if version < 3 { ErrorCode::InvalidRequest } else { ErrorCode::TopicDeletionDisabled };
        let answered =
            node.ask(&request, version, |response| response.responses.iter().next().unwrap().error_code);
        assert_eq!(answered, code(expected), "version {version}");
    }
    let disabled = code(ErrorCode::TopicDeletionDisabled);
    assert_eq!(delete_all(&node, vec![named("a")]), [(Some("a".to_owned()), disabled)]);
    assert!(node.look_up("a").is_some());
}

type Grow<'a> = (&'a str, i32, Option<Vec<Vec<i32>>>);

fn grow(node: &TestNode, version: i16, topics: &[Grow<'_>], validate_only: bool) -> Vec<(String, i16)> {
    let topics = topics.iter().map(|(name, count, assignments)| CreatePartitionsTopic {
        name: (*name).to_owned().into(),
        count: *count,
        assignments: assignments.as_ref().map(|assignments| {
            let brokers = assignments.iter().map(|brokers| brokers.clone().into());
            brokers.map(|broker_ids| CreatePartitionsAssignment { broker_ids }).collect()
        }),
    });
    let request = CreatePartitionsRequest { topics: topics.collect(), timeout_ms: 20_000, validate_only };
    node.ask(&request, version, |response| {
        response.results.iter().map(|result| (result.name.into_owned(), result.error_code)).collect()
    })
}

#[test]
fn topics_grow_and_never_shrink() {
    let node = TestNode::start(&[]);
    node.create(&["a", "b"]);
    for version in 0..=3 {
        let count = i32::from(version) + 2;
        assert_eq!(grow(&node, version, &[("a", count, None)], false), [("a".to_owned(), 0)]);
        assert_eq!(node.look_up("a").unwrap().1, count as usize);
    }
    assert_eq!(grow(&node, 3, &[("a", 9, None)], true), [("a".to_owned(), 0)]);
    let by_hand = Some(vec![vec![NODE], vec![NODE]]);
    assert_eq!(grow(&node, 3, &[("a", 7, by_hand)], false), [("a".to_owned(), 0)]);
    use ErrorCode as E;
    for (name, count, assignments, error) in [
        ("a", 7, None, E::InvalidPartitions),
        ("a", 7, Some(vec![]), E::InvalidPartitions),
        ("a", 6, None, E::InvalidPartitions),
        ("a", 0, None, E::InvalidPartitions),
        ("a", -1, None, E::InvalidPartitions),
        ("a", i32::MAX, None, E::PolicyViolation),
        ("nope", 3, None, E::UnknownTopicOrPartition),
        ("..", 3, None, E::UnknownTopicOrPartition),
        ("", 3, None, E::UnknownTopicOrPartition),
        ("a", 9, Some(vec![vec![NODE]]), E::InvalidReplicaAssignment),
        ("a", 8, Some(vec![]), E::InvalidReplicaAssignment),
        ("a", 8, Some(vec![vec![]]), E::InvalidReplicaAssignment),
        ("a", 8, Some(vec![vec![99]]), E::InvalidReplicaAssignment),
        ("a", 8, Some(vec![vec![NODE, NODE]]), E::InvalidReplicaAssignment),
    ] {
        let answers = grow(&node, 3, &[(name, count, assignments.clone())], false);
        assert_eq!(answers, [(name.to_owned(), code(error))], "{name} {count} {assignments:?}");
    }
    let mut answers = grow(&node, 3, &[("a", 8, None), ("b", 2, None), ("a", 9, None)], false);
    answers.sort();
    assert_eq!(answers, [("a".to_owned(), code(E::InvalidRequest)), ("b".to_owned(), 0)]);
    assert_eq!(node.look_up("a").unwrap().1, 7);
}

#[test]
fn elections_that_are_not_needed_or_not_possible_say_so() {
    let node = TestNode::start(&[]);
    node.create(&["a"]);
    let elect = |version: i16, election_type, topics: Option<Vec<(&'static str, Vec<i32>)>>| {
        let topics = topics.map(|topics| {
            let of = |(topic, partitions): (&'static str, Vec<i32>)| TopicPartitions {
                topic: topic.into(),
                partitions: partitions.into(),
            };
            topics.into_iter().map(of).collect()
        });
        let request = ElectLeadersRequest { election_type, topic_partitions: topics, timeout_ms: 20_000 };
        node.ask(&request, version, |response| {
            let results = response.replica_election_results.iter().map(|result| {
                let partitions = result.partition_result.iter();
                (
                    result.topic.into_owned(),
                    partitions.map(|one| (one.partition_id, one.error_code)).collect(),
                )
            });
            (response.error_code, results.collect::<Vec<(String, Vec<(i32, i16)>)>>())
        })
    };
    let not_needed = code(ErrorCode::ElectionNotNeeded);
    for version in 0..=2 {
        let answer = elect(version, 0, Some(vec![("a", vec![0, 7, 0]), ("nope", vec![1])]));
        let of_a = ("a".to_owned(), vec![(0, not_needed), (7, 3), (0, not_needed)]);
        assert_eq!(answer, (0, vec![of_a, ("nope".to_owned(), vec![(1, 3)])]), "version {version}");
        assert_eq!(elect(version, 0, None), (0, vec![("a".to_owned(), vec![])]), "no partition needs one");
    }
    assert_eq!(elect(2, 1, Some(vec![("a", vec![0])])).1[0].1, [(0, not_needed)]);
    let invalid = code(ErrorCode::InvalidRequest);
    let answer = elect(2, 2, Some(vec![("a", vec![0])]));
    assert_eq!(answer, (invalid, vec![("a".to_owned(), vec![(0, invalid)])]));
}

#[test]
fn reassignments_are_judged_and_over_at_once() {
    let node = TestNode::start(&[]);
    node.create(&["a"]);
    let alter = |version: i16, topic: &'static str, partitions: Vec<(i32, Option<Vec<i32>>)>| {
        let partitions = partitions.into_iter().map(|(partition_index, replicas)| ReassignablePartition {
            partition_index,
            replicas: replicas.map(Into::into),
        });
        let request = AlterPartitionReassignmentsRequest {
            timeout_ms: 20_000,
            allow_replication_factor_change: version == 0,
            topics: [ReassignableTopic { name: topic.into(), partitions: partitions.collect() }].into(),
        };
        node.ask(&request, version, |response| {
            assert_eq!((response.error_code, response.error_message), (0, None));
            let partitions: Vec<_> = response
                .responses
                .iter()
                .flat_map(|topic| {
                    topic
                        .partitions
                        .iter()
                        .map(|one| (one.partition_index, one.error_code))
                        .collect::<Vec<_>>()
                })
                .collect();
            partitions
        })
    };
    let bad = code(ErrorCode::InvalidReplicaAssignment);
    for version in 0..=1 {
        let of_a = vec![
            (0, Some(vec![1])),
            (0, Some(vec![])),
            (0, Some(vec![2])),
            (0, Some(vec![1, 1])),
            (0, None),
            (7, Some(vec![1])),
        ];
        let idle = code(ErrorCode::NoReassignmentInProgress);
        let expected = [(0, 0), (0, bad), (0, bad), (0, bad), (0, idle), (7, 3)];
        assert_eq!(alter(version, "a", of_a), expected, "version {version}");
        assert_eq!(alter(version, "nope", vec![(0, Some(vec![1]))]), [(0, 3)]);
    }
    let of_a = ListPartitionReassignmentsTopics { name: "a".into(), partition_indexes: vec![0, 9].into() };
    for topics in [None, Some([of_a].into())] {
        let request = ListPartitionReassignmentsRequest { timeout_ms: 20_000, topics };
        let listed = node.ask(&request, 0, |response| (response.error_code, response.topics.len()));
        assert_eq!(listed, (0, 0));
    }
}
