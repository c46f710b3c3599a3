//! AlterPartitionReassignments, API key 45.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Begins or cancels reassignments of partitions (KIP-455).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 45, versions = "0-1", flexible = "0+", listeners(broker, controller))]
pub struct AlterPartitionReassignmentsRequest<'a> {
    #[kafka(default = 60000)]
    pub timeout_ms: i32,
    #[kafka(versions = "1+", default = true)]
    pub allow_replication_factor_change: bool,
    pub topics: Array<'a, ReassignableTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReassignableTopic<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Array<'a, ReassignablePartition<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReassignablePartition<'a> {
    pub partition_index: i32,
    #[kafka(nullable = "0+", default = null)]
    pub replicas: Option<Array<'a, i32>>,
}

/// Answers [`AlterPartitionReassignmentsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 45, versions = "0-1", flexible = "0+")]
pub struct AlterPartitionReassignmentsResponse<'a> {
    pub throttle_time_ms: i32,
    #[kafka(versions = "1+", default = true, ignorable)]
    pub allow_replication_factor_change: bool,
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
    pub responses: Array<'a, ReassignableTopicResponse<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReassignableTopicResponse<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Array<'a, ReassignablePartitionResponse<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReassignablePartitionResponse<'a> {
    pub partition_index: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
}
