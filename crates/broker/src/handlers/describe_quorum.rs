//! DescribeQuorum, 0 to 2: the state of the metadata quorum (KIP-595).
//!
//! 1 tells when replicas last fetched and had everything (KIP-836), 2 the ids of their directories, the endpoints of
//! voters and messages of errors (KIP-853). Only `__cluster_metadata-0`, alone in the request, is a quorum.

use metadata::image::{Cluster, METADATA_TOPIC};
use protocol::ErrorCode;
use protocol::id::{Timestamp, Uuid};
use protocol::messages::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, Listener, Node, ReplicaState, RequestTopicData,
    ResponsePartitionData, ResponseTopicData,
};
use protocol::offset::Offset;
use protocol::wire::Array;
use raft::{ReplicaStatus, RoleName, Status};

use super::Call;

/// The first version with the ids of directories and the endpoints of voters.
const TELLS_DIRECTORIES: i16 = 2;
const NO_SUCH_QUORUM: &str =
    "only __cluster_metadata-0 has a quorum: ask for it, and for nothing else at once";

/// Handles one request.
pub async fn handle<'a>(call: &Call, request: DescribeQuorumRequest<'a>) -> DescribeQuorumResponse<'a> {
    if !asks_for_metadata(&request) {
        return no_such_quorum(&request);
    }
    let response = describe(&call.broker.quorum.status(), &call.broker.image().cluster, call.broker.now());
    if call.asked.version < TELLS_DIRECTORIES { without_directories(response) } else { response }
}

fn asks_for_metadata(request: &DescribeQuorumRequest<'_>) -> bool {
    let mut topics = request.topics.iter();
    let (Some(topic), None) = (topics.next(), topics.next()) else { return false };
    let mut partitions = topic.partitions.iter();
    let (Some(partition), None) = (partitions.next(), partitions.next()) else { return false };
    topic.topic_name == METADATA_TOPIC && partition.partition_index == 0
}

fn no_such_quorum<'a>(request: &DescribeQuorumRequest<'a>) -> DescribeQuorumResponse<'a> {
    let of_topic = |topic: RequestTopicData<'a>| {
        let partitions = topic.partitions.iter().map(|partition| ResponsePartitionData {
            partition_index: partition.partition_index,
            error_code: ErrorCode::UnknownTopicOrPartition.into(),
            error_message: Some(NO_SUCH_QUORUM.into()),
            ..ResponsePartitionData::default()
        });
        ResponseTopicData { partitions: partitions.collect(), topic_name: topic.topic_name }
    };
    DescribeQuorumResponse {
        error_message: Some("".into()),
        topics: request.topics.iter().map(of_topic).collect(),
        ..DescribeQuorumResponse::default()
    }
}

fn not_leader(message: &'static str) -> DescribeQuorumResponse<'static> {
    DescribeQuorumResponse {
        error_code: ErrorCode::NotLeaderOrFollower.into(),
        error_message: Some(message.into()),
        ..DescribeQuorumResponse::default()
    }
}

fn describe(status: &Status, cluster: &Cluster, now: Timestamp) -> DescribeQuorumResponse<'static> {
    if status.role != RoleName::Leader {
        return not_leader("this node does not lead the metadata quorum: ask its leader");
    }
    let leader = status.leader.map_or(-1, |leader| leader.0);
    let state = |replica: &ReplicaStatus| {
        // The leader always has everything.
        let or_now = |time: Option<Timestamp>| {
            let now = (replica.key.id.0 == leader).then_some(now);
            time.or(now).unwrap_or(Timestamp::NONE).0
        };
        ReplicaState {
            replica_id: replica.key.id.0,
            replica_directory_id: replica.key.directory,
            log_end_offset: replica.end.unwrap_or(Offset(-1)).0,
            last_fetch_timestamp: or_now(replica.last_fetch),
            last_caught_up_timestamp: or_now(replica.last_caught_up),
        }
    };
    let partition = ResponsePartitionData {
        error_message: Some("".into()),
        leader_id: leader,
        leader_epoch: status.epoch.0,
        high_watermark: status.high_watermark.unwrap_or(Offset(-1)).0,
        current_voters: status.voters.iter().map(state).collect(),
        observers: status.observers.iter().map(state).collect(),
        ..ResponsePartitionData::default()
    };
    let registered = status.voters.iter().filter_map(|voter| cluster.controllers.get(&voter.key.id));
    let nodes = registered.map(|controller| {
        let listeners = controller.endpoints.iter().map(|endpoint| Listener {
            name: endpoint.name.clone().into(),
            host: endpoint.host.clone().into(),
            port: endpoint.port,
        });
        Node { node_id: controller.id.0, listeners: listeners.collect() }
    });
    DescribeQuorumResponse {
        error_message: Some("".into()),
        topics: [ResponseTopicData { topic_name: METADATA_TOPIC.into(), partitions: [partition].into() }]
            .into(),
        nodes: nodes.collect(),
        ..DescribeQuorumResponse::default()
    }
}

/// The answer without what older versions have no place for.
fn without_directories(response: DescribeQuorumResponse<'static>) -> DescribeQuorumResponse<'static> {
    let replica = |replica: ReplicaState| ReplicaState { replica_directory_id: Uuid::ZERO, ..replica };
    let partition = |partition: ResponsePartitionData<'static>| ResponsePartitionData {
        current_voters: partition.current_voters.iter().map(replica).collect(),
        observers: partition.observers.iter().map(replica).collect(),
        ..partition
    };
    let topic = |topic: ResponseTopicData<'static>| ResponseTopicData {
        partitions: topic.partitions.iter().map(partition).collect(),
        ..topic
    };
    DescribeQuorumResponse {
        topics: response.topics.iter().map(topic).collect(),
        nodes: Array::default(),
        ..response
    }
}

#[cfg(test)]
mod tests {
    use metadata::image::{Controller, Endpoint};
    use protocol::id::{LeaderEpoch, NodeId};
    use protocol::messages::describe_quorum::RequestPartitionData;
    use raft::ReplicaKey;

    use super::*;

    fn key(id: i32) -> ReplicaKey {
        ReplicaKey { id: NodeId(id), directory: Uuid([9; 16]) }
    }

    fn status(role: RoleName) -> Status {
        let replica = |id, end| ReplicaStatus {
            key: key(id),
            end,
            last_fetch: end.filter(|_| id != 1).map(|_| Timestamp(50)),
            last_caught_up: None,
        };
        Status {
            role,
            epoch: LeaderEpoch(3),
            leader: Some(NodeId(1)),
            high_watermark: Some(Offset(7)),
            voters: vec![replica(1, Some(Offset(8))), replica(2, Some(Offset(6))), replica(3, None)],
            observers: vec![replica(4, Some(Offset(5)))],
        }
    }

    fn cluster() -> Cluster {
        let mut cluster = Cluster::default();
        for id in [1, 7] {
            let endpoint =
                Endpoint { name: "CONTROLLER".into(), host: "h".into(), port: 9093, security_protocol: 0 };
            let controller = Controller {
                id: NodeId(id),
                incarnation: Uuid::ZERO,
                endpoints: vec![endpoint],
                features: std::collections::BTreeMap::new(),
                zk_migration_ready: false,
            };
            cluster.controllers.insert(NodeId(id), std::sync::Arc::new(controller));
        }
        cluster
    }

    #[test]
    fn the_leader_tells_how_far_everybody_is() {
        let response = describe(&status(RoleName::Leader), &cluster(), Timestamp(99));
        let topic = response.topics.iter().next().unwrap();
        let partition = topic.partitions.iter().next().unwrap();
        assert_eq!(
            (partition.leader_id, partition.leader_epoch, partition.high_watermark, partition.error_code),
            (1, 3, 7, 0)
        );
        let state = |replica: ReplicaState| {
            (
                replica.replica_id,
                replica.log_end_offset,
                replica.last_fetch_timestamp,
                replica.last_caught_up_timestamp,
            )
        };
        let voters: Vec<_> = partition.current_voters.iter().map(state).collect();
        assert_eq!(voters, [(1, 8, 99, 99), (2, 6, 50, -1), (3, -1, -1, -1)]);
        assert_eq!(partition.observers.iter().map(state).collect::<Vec<_>>(), [(4, 5, 50, -1)]);
        assert!(partition.current_voters.iter().all(|voter| voter.replica_directory_id == Uuid([9; 16])));
        assert_eq!(response.nodes.len(), 1, "only voters are told");
        let node = response.nodes.iter().next().unwrap();
        let listener = node.listeners.iter().next().unwrap();
        assert_eq!((node.node_id, &*listener.name, listener.port), (1, "CONTROLLER", 9093));
    }

    #[test]
    fn who_does_not_lead_says_so() {
        let response = describe(&status(RoleName::Follower), &cluster(), Timestamp(99));
        assert_eq!(response.error_code, i16::from(ErrorCode::NotLeaderOrFollower));
        assert!(response.topics.is_empty());
    }

    #[test]
    fn nothing_else_is_a_quorum() {
        let request = |topics: &[(&'static str, &[i32])]| DescribeQuorumRequest {
            topics: topics
                .iter()
                .map(|(name, partitions)| RequestTopicData {
                    topic_name: (*name).into(),
                    partitions: partitions
                        .iter()
                        .map(|index| RequestPartitionData { partition_index: *index })
                        .collect(),
                })
                .collect(),
        };
        assert!(asks_for_metadata(&request(&[(METADATA_TOPIC, &[0])])));
        type Topics = &'static [(&'static str, &'static [i32])];
        let others: [Topics; 6] = [
            &[],
            &[(METADATA_TOPIC, &[1])],
            &[(METADATA_TOPIC, &[0, 0])],
            &[(METADATA_TOPIC, &[])],
            &[(METADATA_TOPIC, &[0]), ("a", &[])],
            &[("a", &[0])],
        ];
        for topics in others {
            let request = request(topics);
            assert!(!asks_for_metadata(&request), "{topics:?}");
            let response = no_such_quorum(&request);
            assert_eq!((response.error_code, response.topics.len()), (0, topics.len()));
            let codes = response.topics.iter().flat_map(|topic| topic.partitions.into_vec());
            assert!(codes.clone().all(|one| one.error_code == 3 && one.current_voters.is_empty()));
            assert_eq!(codes.count(), topics.iter().map(|(_, partitions)| partitions.len()).sum::<usize>());
        }
    }
}
