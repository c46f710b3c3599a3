//! ApiVersions, DescribeCluster, DescribeQuorum, UpdateFeatures, FindCoordinator, telemetry: the cluster as a whole.

use protocol::api_key::ApiKey::{
    ApiVersions, DescribeCluster, DescribeQuorum, FindCoordinator, GetTelemetrySubscriptions, UpdateFeatures,
};
use protocol::error_code::ErrorCode::{
    FeatureUpdateFailed, InvalidRequest, InvalidUpdateVersion, MismatchedEndpointType, RebootstrapRequired,
    UnknownTopicOrPartition, UnsupportedEndpointType,
};
use serde_json::{Value, json};

use super::case::{Case, case};

/// The table.
pub fn cases() -> Vec<Case> {
    [api_versions(), describe_cluster(), describe_quorum(), update_features(), coordinators()]
        .into_iter()
        .flatten()
        .collect()
}

/// Of two ApiVersions answers, what is said of the APIs in both: what does not work yet is not advertised, and what
/// Kafka advertises to its own controllers is not for clients.
pub fn keep_common_apis(kafka: &mut Value, headwater: &mut Value) {
    let keys = |answer: &Value| -> Vec<Value> {
        answer["ApiKeys"].as_array().into_iter().flatten().map(|api| api["ApiKey"].clone()).collect()
    };
    let (theirs, ours) = (keys(kafka), keys(headwater));
    for answer in [kafka, headwater] {
        if let Some(apis) = answer["ApiKeys"].as_array_mut() {
            apis.retain(|api| theirs.contains(&api["ApiKey"]) && ours.contains(&api["ApiKey"]));
            apis.sort_by_key(|api| api["ApiKey"].as_i64());
        }
    }
}

/// What a client says that thinks it talks to a certain node (KIP-1242).
fn misrouted(cluster: &str, node: i32) -> Value {
    json!({"ClientSoftwareName": "a", "ClientSoftwareVersion": "1", "ClusterId": cluster, "NodeId": node})
}

fn api_versions() -> Vec<Case> {
    let client = |name: &str| json!({"ClientSoftwareName": name, "ClientSoftwareVersion": "1.0"});
    vec![
        case(ApiVersions, "a client with a name").ask(move |_| client("conformance")),
        case(ApiVersions, "an illegal client name")
            .versions(3, 5)
            .errors(&[InvalidRequest])
            .ask(move |_| client("a b")),
        case(ApiVersions, "an empty client name")
            .versions(3, 5)
            .errors(&[InvalidRequest])
            .ask(move |_| client("")),
        case(ApiVersions, "an illegal client version")
            .versions(3, 5)
            .errors(&[InvalidRequest])
            .ask(|_| json!({"ClientSoftwareName": "a", "ClientSoftwareVersion": "-"})),
        case(ApiVersions, "the right cluster and node").versions(5, 5).ask(|s| misrouted(&s.cluster_id, 1)),
        case(ApiVersions, "the right cluster and no node")
            .versions(5, 5)
            .errors(&[InvalidRequest])
            .ask(|s| misrouted(&s.cluster_id, -1)),
        case(ApiVersions, "another node")
            .versions(5, 5)
            .errors(&[RebootstrapRequired])
            .ask(|s| misrouted(&s.cluster_id, 77)),
        case(ApiVersions, "another cluster")
            .versions(5, 5)
            .errors(&[RebootstrapRequired])
            .ask(|_| misrouted("elsewhere", 1)),
        case(ApiVersions, "a node of no cluster")
            .versions(5, 5)
            .errors(&[InvalidRequest])
            .ask(|_| json!({"ClientSoftwareName": "a", "ClientSoftwareVersion": "1", "NodeId": 1})),
    ]
}

fn describe_cluster() -> Vec<Case> {
    vec![
        case(DescribeCluster, "brokers").ask(|_| json!({})),
        case(DescribeCluster, "with the operations allowed")
            .ask(|_| json!({"IncludeClusterAuthorizedOperations": true})),
        case(DescribeCluster, "with fenced brokers")
            .versions(2, 2)
            .ask(|_| json!({"IncludeFencedBrokers": true})),
        case(DescribeCluster, "controllers asked of a broker")
            .versions(1, 2)
            .errors(&[MismatchedEndpointType])
            .ask(|_| json!({"EndpointType": 2})),
        case(DescribeCluster, "an unknown kind of endpoint")
            .versions(1, 2)
            .errors(&[UnsupportedEndpointType])
            .ask(|_| json!({"EndpointType": 9})),
    ]
}

fn describe_quorum() -> Vec<Case> {
    let quorum_of = |topic: &str, partition: i32| json!({"Topics": [{"TopicName": topic, "Partitions": [{"PartitionIndex": partition}]}]});
    vec![
        case(DescribeQuorum, "the metadata log").ask(move |_| quorum_of("__cluster_metadata", 0)),
        case(DescribeQuorum, "another topic")
            .errors(&[UnknownTopicOrPartition])
            .ask(move |_| quorum_of("elsewhere", 0)),
        case(DescribeQuorum, "another partition of the metadata log")
            .errors(&[UnknownTopicOrPartition])
            .ask(move |_| quorum_of("__cluster_metadata", 1)),
        case(DescribeQuorum, "the metadata log and another topic").errors(&[UnknownTopicOrPartition]).ask(
            |_| {
                json!({"Topics": [{"TopicName": "__cluster_metadata", "Partitions": [{"PartitionIndex": 0}]},
                    {"TopicName": "elsewhere", "Partitions": [{"PartitionIndex": 0}]}]})
            },
        ),
        case(DescribeQuorum, "the metadata log without a partition")
            .ask(|_| json!({"Topics": [{"TopicName": "__cluster_metadata", "Partitions": []}]})),
        case(DescribeQuorum, "a negative partition of the metadata log")
            .errors(&[UnknownTopicOrPartition])
            .ask(move |_| quorum_of("__cluster_metadata", -1)),
        case(DescribeQuorum, "nothing").ask(|_| json!({"Topics": []})),
    ]
}

fn update_features() -> Vec<Case> {
    let update = |feature: &'static str, level: i16, kind: i8| {
        move |_: &super::scene::Scene| {
            json!({"FeatureUpdates": [{"Feature": feature, "MaxVersionLevel": level, "UpgradeType": kind,
                "AllowDowngrade": kind != 1}], "ValidateOnly": true})
        }
    };
    vec![
        case(UpdateFeatures, "the level it has").versions(1, 2).ask(update("group.version", 1, 1)),
        case(UpdateFeatures, "a level nobody supports")
            .versions(1, 2)
            .errors(&[InvalidUpdateVersion, FeatureUpdateFailed])
            .ask(update("group.version", 99, 1)),
        case(UpdateFeatures, "a negative level")
            .versions(1, 2)
            .errors(&[InvalidUpdateVersion, InvalidRequest])
            .ask(update("group.version", -1, 1)),
        case(UpdateFeatures, "an unknown feature")
            .versions(1, 2)
            .errors(&[InvalidUpdateVersion, FeatureUpdateFailed])
            .ask(update("no.such.feature", 1, 1)),
        case(UpdateFeatures, "a downgrade asked for as an upgrade")
            .versions(1, 2)
            .errors(&[InvalidUpdateVersion])
            .ask(update("group.version", 0, 1)),
        case(UpdateFeatures, "a safe downgrade").versions(1, 2).ask(update("group.version", 0, 2)),
        case(UpdateFeatures, "an unknown kind of update")
            .versions(1, 2)
            .errors(&[InvalidUpdateVersion, InvalidRequest])
            .ask(update("group.version", 1, 9)),
        case(UpdateFeatures, "metadata.version far back")
            .versions(1, 2)
            .errors(&[InvalidUpdateVersion])
            .ask(update("metadata.version", 1, 3)),
        case(UpdateFeatures, "the same feature twice")
            .versions(1, 2)
            .ask(|_| {
                let one = json!({"Feature": "group.version", "MaxVersionLevel": 1, "UpgradeType": 1});
                json!({"FeatureUpdates": [one, one], "ValidateOnly": true})
            }),
        case(UpdateFeatures, "one good, one bad").versions(1, 2).errors(&[InvalidUpdateVersion]).ask(|_| {
            json!({"FeatureUpdates": [{"Feature": "group.version", "MaxVersionLevel": 1, "UpgradeType": 1},
                {"Feature": "no.such.feature", "MaxVersionLevel": 1, "UpgradeType": 1}], "ValidateOnly": true})
        }),
        case(UpdateFeatures, "a level nobody supports, in the version before kinds")
            .versions(0, 0)
            .errors(&[InvalidUpdateVersion, FeatureUpdateFailed])
            .ask(|_| {
                json!({"FeatureUpdates": [{"Feature": "group.version", "MaxVersionLevel": 99,
                    "AllowDowngrade": false}]})
            }),
        case(UpdateFeatures, "a downgrade that is not allowed, in the version before kinds")
            .versions(0, 0)
            .errors(&[InvalidUpdateVersion, FeatureUpdateFailed])
            .ask(|_| {
                json!({"FeatureUpdates": [{"Feature": "group.version", "MaxVersionLevel": 0,
                    "AllowDowngrade": false}]})
            }),
        case(UpdateFeatures, "a feature without a name")
            .versions(1, 2)
            .errors(&[InvalidUpdateVersion, InvalidRequest])
            .ask(update("", 1, 1)),
        case(UpdateFeatures, "nothing").ask(|_| json!({"FeatureUpdates": []})),
    ]
}

fn coordinators() -> Vec<Case> {
    vec![
        case(FindCoordinator, "a key of an unknown type")
            .versions(1, 6)
            .errors(&[InvalidRequest])
            .ask(|_| json!({"Key": "a", "CoordinatorKeys": ["a"], "KeyType": 9})),
        case(FindCoordinator, "a share coordinator by a malformed key")
            .versions(6, 6)
            .errors(&[InvalidRequest])
            .ask(|_| json!({"CoordinatorKeys": ["a"], "KeyType": 2})),
        case(FindCoordinator, "no key").versions(4, 6).ask(|_| json!({"CoordinatorKeys": [], "KeyType": 0})),
        case(FindCoordinator, "a negative type of key")
            .versions(1, 6)
            .errors(&[InvalidRequest])
            .ask(|_| json!({"Key": "a", "CoordinatorKeys": ["a"], "KeyType": -1})),
        case(GetTelemetrySubscriptions, "a new client").ask(|_| json!({})),
        case(GetTelemetrySubscriptions, "a client that has an id")
            .ask(|_| json!({"ClientInstanceId": "AAAAAAAAAAAAAAAAAAAAZQ"})),
    ]
}
