//! DescribeCluster, DescribeQuorum, DescribeLogDirs and UpdateFeatures against a node, held to the codes with which
//! Apache Kafka 4.4.0 answers the same requests, and requests of very many elements to all administrative APIs.

#![expect(clippy::unwrap_used, reason = "tests")]

mod admin;
mod raw;

use admin::{NODE, TestNode, topic};
use protocol::ErrorCode;
use protocol::messages::create_topics::CreateTopicsRequest;
use protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use protocol::messages::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest};
use protocol::messages::describe_quorum::{RequestPartitionData, RequestTopicData};
use protocol::messages::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use protocol::messages::incremental_alter_configs::{AlterConfigsResource, IncrementalAlterConfigsRequest};
use protocol::messages::update_features::{FeatureUpdateKey, UpdateFeaturesRequest};
use protocol::messages::{DescribeClusterRequest, DescribeQuorumRequest};

fn code(error: ErrorCode) -> i16 {
    error.into()
}

#[test]
fn the_cluster_is_described_in_every_version() {
    let node = TestNode::start(&[("broker.rack", "r1")]);
    for version in 0..=2 {
        for asked in [false, true] {
            let request = DescribeClusterRequest {
                include_cluster_authorized_operations: asked,
                ..DescribeClusterRequest::default()
            };
            node.ask(&request, version, |response| {
                assert_eq!(
                    (response.error_code, response.error_message, response.endpoint_type),
                    (0, None, 1)
                );
                assert_eq!(response.controller_id, NODE);
                assert_eq!(response.cluster_id.len(), 22);
                let operations = if asked { 8096 } else { i32::MIN };
                assert_eq!(response.cluster_authorized_operations, operations);
                let broker = response.brokers.iter().next().unwrap();
                assert_eq!((broker.broker_id, &*broker.host, broker.is_fenced), (NODE, "127.0.0.1", false));
                assert_eq!(broker.rack.as_deref(), Some("r1"));
                assert!(broker.port > 0, "the port that was really taken");
            });
        }
    }
    let controllers = ErrorCode::MismatchedEndpointType;
    let unknown = ErrorCode::UnsupportedEndpointType;
    for (endpoint_type, error) in [(2, controllers), (0, unknown), (3, unknown), (-1, unknown)] {
        let request = DescribeClusterRequest { endpoint_type, ..DescribeClusterRequest::default() };
        for version in 1..=2 {
            node.ask(&request, version, |response| {
                assert_eq!((response.error_code, response.controller_id), (code(error), -1));
                assert!(response.brokers.is_empty() && response.cluster_id.is_empty());
            });
        }
    }
}

#[test]
fn the_quorum_is_described_in_every_version() {
    let node = TestNode::start(&[]);
    let request = |topic: &'static str, partition_index| DescribeQuorumRequest {
        topics: [RequestTopicData {
            topic_name: topic.into(),
            partitions: [RequestPartitionData { partition_index }].into(),
        }]
        .into(),
    };
    for version in 0..=2 {
        node.ask(&request("__cluster_metadata", 0), version, |response| {
            assert_eq!(response.error_code, 0);
            let topic = response.topics.iter().next().unwrap();
            let partition = topic.partitions.iter().next().unwrap();
            assert_eq!((partition.error_code, partition.leader_id), (0, NODE));
            assert!(partition.leader_epoch > 0 && partition.high_watermark > 0);
            let voter = partition.current_voters.iter().next().unwrap();
            assert_eq!(voter.replica_id, NODE);
            assert_eq!(voter.log_end_offset, partition.high_watermark);
            assert_eq!(voter.last_fetch_timestamp > 0, version >= 1);
            assert_eq!(voter.replica_directory_id.is_zero(), version < 2);
            let listeners: Vec<_> = response
                .nodes
                .iter()
                .flat_map(|node| node.listeners.into_vec())
                .map(|listener| (listener.name.into_owned(), listener.host.into_owned()))
                .collect();
            let expected = [("CONTROLLER".to_owned(), "127.0.0.1".to_owned())];
            assert_eq!(listeners, if version < 2 { &[][..] } else { &expected[..] });
        });
        for other in [request("__cluster_metadata", 1), request("a", 0)] {
            node.ask(&other, version, |response| {
                let topic = response.topics.iter().next().unwrap();
                let partition = topic.partitions.iter().next().unwrap();
                assert_eq!((response.error_code, partition.error_code), (0, 3));
            });
        }
    }
}

#[test]
fn log_directories_are_described_in_every_version() {
    let node = TestNode::start(&[]);
    node.create(&["a", "b"]);
    let describe = |version: i16, topics: Option<Vec<(&'static str, Vec<i32>)>>| {
        let topics = topics.map(|topics| {
            let of = |(topic, partitions): (&'static str, Vec<i32>)| DescribableLogDirTopic {
                topic: topic.into(),
                partitions: partitions.into(),
            };
            topics.into_iter().map(of).collect()
        });
        node.ask(&DescribeLogDirsRequest { topics }, version, |response| {
            assert_eq!((response.error_code, response.results.len()), (0, 1));
            let result = response.results.iter().next().unwrap();
            assert_eq!((result.error_code, result.is_cordoned), (0, false));
            assert_eq!(std::path::Path::new(&*result.log_dir), node.directory());
            assert_eq!(result.total_bytes > 0 && result.usable_bytes > 0, version >= 4);
            let topics = result.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter();
                let partitions =
                    partitions.map(|one| (one.partition_index, one.offset_lag, one.is_future_key));
                (topic.name.into_owned(), partitions.collect::<Vec<_>>())
            });
            topics.collect::<Vec<_>>()
        })
    };
    let of = |name: &str| (name.to_owned(), vec![(0, 0, false)]);
    for version in 1..=5 {
        assert_eq!(describe(version, None), [of("a"), of("b")], "version {version}");
        assert_eq!(describe(version, Some(vec![("b", vec![0, 7, -1]), ("nope", vec![0])])), [of("b")]);
        assert!(describe(version, Some(vec![("a", vec![])])).is_empty());
        assert!(describe(version, Some(vec![])).is_empty());
    }
}

#[test]
fn features_move_all_together_or_not_at_all() {
    let node = TestNode::start(&[]);
    let update = |version: i16, validate_only, updates: &[(&'static str, i16, i8)]| {
        let updates = updates.iter().map(|(feature, level, upgrade_type)| FeatureUpdateKey {
            feature: (*feature).into(),
            max_version_level: *level,
            allow_downgrade: version == 0 && *upgrade_type == 2,
            upgrade_type: if version == 0 { 1 } else { *upgrade_type },
        });
        let request =
            UpdateFeaturesRequest { timeout_ms: 20_000, feature_updates: updates.collect(), validate_only };
        node.ask(&request, version, |response| {
            let results =
                response.results.iter().map(|result| (result.feature.into_owned(), result.error_code));
            (response.error_code, results.collect::<Vec<_>>())
        })
    };
    let refused = (code(ErrorCode::InvalidUpdateVersion), Vec::new());
    let fine = |version: i16| {
        let results = if version < 2 { vec![("group.version".to_owned(), 0)] } else { Vec::new() };
        (0, results)
    };
    for version in 0..=2 {
        let validate = version > 0;
        assert_eq!(update(version, validate, &[("group.version", 1, 1)]), fine(version));
        for updates in [
            &[("nope", 1, 1)][..],
            &[("group.version", 2, 1)],
            &[("group.version", -1, 1)],
            &[("group.version", 0, 1)],
            &[("metadata.version", 1, 2)],
            &[("metadata.version", 99, 1)],
            &[("metadata.version", 30, 2)],
            &[("kraft.version", 0, 2)],
            &[("kraft.version", 2, 1)],
            &[("group.version", 1, 1), ("nope", 1, 1)],
        ] {
            assert_eq!(update(version, validate, updates), refused, "{version} {updates:?}");
        }
    }
    for upgrade_type in [0, 4, 9] {
        assert_eq!(update(2, true, &[("group.version", 1, upgrade_type)]), refused, "{upgrade_type}");
    }
    assert_eq!(update(2, false, &[("kraft.version", 1, 1)]).0, 0, "the level it has");
    let level = || node.broker().image().feature("group.version");
    assert_eq!(update(1, true, &[("group.version", 0, 2)]).0, 0);
    assert_eq!(level(), 1, "validating changes nothing");
    assert_eq!(update(1, false, &[("group.version", 0, 2), ("nope", 1, 1)]), refused);
    assert_eq!(level(), 1, "one refusal keeps all");
    assert_eq!(update(0, false, &[("group.version", 0, 2)]).0, 0);
    assert_eq!(level(), 0);
    assert_eq!(update(2, false, &[("group.version", 1, 1)]).0, 0);
    assert_eq!(level(), 1);
    let request = UpdateFeaturesRequest::default();
    let none = UpdateFeaturesRequest { timeout_ms: 0, ..request };
    assert_eq!(node.ask(&none, 2, |response| response.error_code), code(ErrorCode::RequestTimedOut));
}

/// What costs the square of the elements takes minutes here: 300,000 pairs of names cost Kafka that.
#[test]
fn requests_of_very_many_elements_are_answered_in_full() {
    const MANY: i32 = 100_000;
    let node = TestNode::start(&[]);
    let topics = (0..MANY).map(|number| topic(&format!("t{}", number / 2), 0, 1)).collect();
    let request = CreateTopicsRequest { topics, timeout_ms: 60_000, validate_only: false };
    assert_eq!(node.ask(&request, 7, |response| response.topics.len()), 50_000);
    let topics = (0..MANY).map(|number| topic(&format!("t{number}"), 1, 1)).collect();
    let request = CreateTopicsRequest { topics, timeout_ms: 60_000, validate_only: false };
    node.ask(&request, 7, |response| {
        assert_eq!(response.topics.len(), 100_000);
        let violation = code(ErrorCode::PolicyViolation);
        assert!(response.topics.iter().all(|topic| topic.error_code == violation));
    });
    let named =
        |number| DeleteTopicState { name: Some(format!("t{number}").into()), ..DeleteTopicState::default() };
    let request = DeleteTopicsRequest {
        topics: (0..MANY).map(named).collect(),
        timeout_ms: 60_000,
        ..DeleteTopicsRequest::default()
    };
    assert_eq!(node.ask(&request, 6, |response| response.responses.len()), 100_000);
    let of_one = TopicPartitions { topic: "x".repeat(30_000).into(), partitions: (0..MANY).collect() };
    let request =
        ElectLeadersRequest { topic_partitions: Some([of_one].into()), timeout_ms: 60_000, election_type: 0 };
    let body = node.client().ask(&request, 2);
    assert!(
        body.len() < 12_000_000,
        "the name of a topic is told once, not for each partition: {}",
        body.len()
    );
    let resources = (0..MANY).map(|number| AlterConfigsResource {
        resource_type: 2,
        resource_name: format!("t{number}").into(),
        ..AlterConfigsResource::default()
    });
    let request = IncrementalAlterConfigsRequest { resources: resources.collect(), validate_only: false };
    assert_eq!(node.ask(&request, 1, |response| response.responses.len()), 100_000);
}
