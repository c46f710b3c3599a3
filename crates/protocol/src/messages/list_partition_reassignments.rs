//! ListPartitionReassignments, API key 46.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks for the reassignments under way (KIP-455).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 46, versions = "0", flexible = "0+", listeners(broker, controller))]
pub struct ListPartitionReassignmentsRequest<'a> {
    #[kafka(default = 60000)]
    pub timeout_ms: i32,
    #[kafka(nullable = "0+", default = null)]
    pub topics: Option<Array<'a, ListPartitionReassignmentsTopics<'a>>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ListPartitionReassignmentsTopics<'a> {
    pub name: Cow<'a, str>,
    pub partition_indexes: Array<'a, i32>,
}

/// Answers [`ListPartitionReassignmentsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 46, versions = "0", flexible = "0+")]
pub struct ListPartitionReassignmentsResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
    pub topics: Array<'a, OngoingTopicReassignment<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OngoingTopicReassignment<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Array<'a, OngoingPartitionReassignment<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OngoingPartitionReassignment<'a> {
    pub partition_index: i32,
    pub replicas: Array<'a, i32>,
    pub adding_replicas: Array<'a, i32>,
    pub removing_replicas: Array<'a, i32>,
}
