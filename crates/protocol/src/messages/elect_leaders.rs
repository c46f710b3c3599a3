//! ElectLeaders, API key 43.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Elects preferred or unclean leaders.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 43, versions = "0-2", flexible = "2+", listeners(broker, controller))]
pub struct ElectLeadersRequest<'a> {
    #[kafka(versions = "1+")]
    pub election_type: i8,
    #[kafka(nullable = "0+")]
    pub topic_partitions: Option<Array<'a, TopicPartitions<'a>>>,
    #[kafka(default = 60000)]
    pub timeout_ms: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartitions<'a> {
    pub topic: Cow<'a, str>,
    pub partitions: Array<'a, i32>,
}

/// Answers [`ElectLeadersRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 43, versions = "0-2", flexible = "2+")]
pub struct ElectLeadersResponse<'a> {
    pub throttle_time_ms: i32,
    #[kafka(versions = "1+")]
    pub error_code: i16,
    pub replica_election_results: Array<'a, ReplicaElectionResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReplicaElectionResult<'a> {
    pub topic: Cow<'a, str>,
    pub partition_result: Array<'a, PartitionResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionResult<'a> {
    pub partition_id: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
}
