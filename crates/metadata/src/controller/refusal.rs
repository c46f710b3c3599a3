//! Why the controller turns something down: the wire's code, and a sentence that names the thing and the way out.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::id::{BrokerEpoch, NodeId, PartitionIndex, TopicId, Uuid};

/// A refusal of the controller, of a whole request or of one thing in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A topic name that Kafka does not allow.
    #[error("topic name '{name}' is not allowed: {reason}")]
    IllegalTopicName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A topic whose metrics and files would be mixed up with another's.
    #[error(
        "topic '{name}' collides with existing topic: {existing}; names that differ only in '.' and '_' share their metrics"
    )]
    CollidingTopicName {
        /// The name asked for.
        name: String,
        /// The topic that is there.
        existing: String,
    },
    /// The topic is there already.
    #[error("topic '{0}' already exists")]
    TopicAlreadyExists(String),
    /// The same topic stands twice in a request.
    #[error("topic '{0}' stands more than once in the request: name it once")]
    DuplicateTopic(String),
    /// No topic of this name.
    #[error("there is no topic '{0}'")]
    UnknownTopic(String),
    /// No topic with this id.
    #[error("there is no topic with id {0}: it was deleted, or belongs to another cluster")]
    UnknownTopicId(TopicId),
    /// The topic has no such partition.
    #[error("topic '{topic}' has no partition {partition}")]
    UnknownPartition {
        /// The topic.
        topic: Arc<str>,
        /// The index asked for.
        partition: PartitionIndex,
    },
    /// The broker has no replica of the partition.
    #[error("broker {broker} has no replica of partition {partition} of '{topic}'")]
    NotAReplica {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: PartitionIndex,
        /// The broker.
        broker: NodeId,
    },
    /// A number of partitions that cannot be.
    #[error("{0}")]
    InvalidPartitions(String),
    /// A replication factor that cannot be reached.
    #[error("{0}")]
    InvalidReplicationFactor(String),
    /// Replicas that cannot be placed as asked.
    #[error("{0}")]
    InvalidReplicaAssignment(String),
    /// A configuration value that is not allowed.
    #[error("{0}")]
    InvalidConfig(String),
    /// A request that contradicts itself.
    #[error("{0}")]
    InvalidRequest(String),
    /// More partitions than one request may bring.
    #[error("{asked} partitions are more than one request may create: ask for at most {max} at a time")]
    TooManyPartitions {
        /// How many the request would bring.
        asked: usize,
        /// How many it may.
        max: usize,
    },
    /// No broker with this id.
    #[error("broker {0} is not registered")]
    UnknownBroker(NodeId),
    /// The request is of an earlier incarnation of the broker.
    #[error(
        "broker {id} is registered with epoch {known}, the request is of epoch {asked}: it must register again"
    )]
    StaleBrokerEpoch {
        /// The broker.
        id: NodeId,
        /// Its epoch in the request.
        asked: BrokerEpoch,
        /// Its epoch now.
        known: BrokerEpoch,
    },
    /// Another process runs under the same id.
    #[error(
        "broker {id} is running already as incarnation {incarnation}: two processes must not share a node.id"
    )]
    DuplicateBrokerRegistration {
        /// The id.
        id: NodeId,
        /// The process that has it.
        incarnation: Uuid,
    },
    /// A registration that cannot be accepted.
    #[error("{0}")]
    InvalidRegistration(String),
    /// A broker that lacks a feature the cluster has finalised.
    #[error("{0}")]
    UnsupportedVersion(String),
    /// Nothing to call off.
    #[error("no reassignment of the partition is under way")]
    NoReassignment,
    /// The partition has the leader an election would give it.
    #[error("partition {partition} of '{topic}' has the leader asked for already")]
    ElectionNotNeeded {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: PartitionIndex,
    },
    /// The first replica cannot lead now.
    #[error("the preferred leader of partition {partition} of '{topic}' is not in sync or not running")]
    PreferredLeaderNotAvailable {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: PartitionIndex,
    },
    /// No replica can lead now.
    #[error("no replica of partition {partition} of '{topic}' is running")]
    EligibleLeadersNotAvailable {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: PartitionIndex,
    },
    /// A feature level that cannot be finalised.
    #[error("{0}")]
    InvalidUpdateVersion(String),
}

impl From<&Refusal> for ErrorCode {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::IllegalTopicName { .. } | Refusal::CollidingTopicName { .. } => {
                Self::InvalidTopicException
            }
            Refusal::TopicAlreadyExists(_) => Self::TopicAlreadyExists,
            Refusal::UnknownTopic(_) | Refusal::UnknownPartition { .. } => Self::UnknownTopicOrPartition,
            Refusal::UnknownTopicId(_) => Self::UnknownTopicId,
            Refusal::NotAReplica { .. } => Self::NotLeaderOrFollower,
            Refusal::InvalidPartitions(_) => Self::InvalidPartitions,
            Refusal::InvalidReplicationFactor(_) => Self::InvalidReplicationFactor,
            Refusal::InvalidReplicaAssignment(_) => Self::InvalidReplicaAssignment,
            Refusal::InvalidConfig(_) => Self::InvalidConfig,
            Refusal::DuplicateTopic(_) | Refusal::InvalidRequest(_) => Self::InvalidRequest,
            Refusal::TooManyPartitions { .. } => Self::PolicyViolation,
            Refusal::UnknownBroker(_) => Self::BrokerIdNotRegistered,
            Refusal::StaleBrokerEpoch { .. } => Self::StaleBrokerEpoch,
            Refusal::DuplicateBrokerRegistration { .. } => Self::DuplicateBrokerRegistration,
            Refusal::InvalidRegistration(_) => Self::InvalidRegistration,
            Refusal::UnsupportedVersion(_) => Self::UnsupportedVersion,
            Refusal::NoReassignment => Self::NoReassignmentInProgress,
            Refusal::ElectionNotNeeded { .. } => Self::ElectionNotNeeded,
            Refusal::PreferredLeaderNotAvailable { .. } => Self::PreferredLeaderNotAvailable,
            Refusal::EligibleLeadersNotAvailable { .. } => Self::EligibleLeadersNotAvailable,
            Refusal::InvalidUpdateVersion(_) => Self::InvalidUpdateVersion,
        }
    }
}
