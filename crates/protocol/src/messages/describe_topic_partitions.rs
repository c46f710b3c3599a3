//! DescribeTopicPartitions, API key 75.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Asks for the partitions of topics, page by page (KIP-966).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 75, versions = "0", flexible = "0+", listeners(broker))]
pub struct DescribeTopicPartitionsRequest<'a> {
    pub topics: Array<'a, TopicRequest<'a>>,
    #[kafka(default = 2000)]
    pub response_partition_limit: i32,
    #[kafka(nullable = "0+", default = null)]
    pub cursor: Option<RequestCursor<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicRequest<'a> {
    pub name: Cow<'a, str>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "Cursor")]
pub struct RequestCursor<'a> {
    pub topic_name: Cow<'a, str>,
    pub partition_index: i32,
}

/// Answers [`DescribeTopicPartitionsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 75, versions = "0", flexible = "0+")]
pub struct DescribeTopicPartitionsResponse<'a> {
    #[kafka(ignorable)]
    pub throttle_time_ms: i32,
    pub topics: Array<'a, DescribeTopicPartitionsResponseTopic<'a>>,
    #[kafka(nullable = "0+", default = null)]
    pub next_cursor: Option<ResponseCursor<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeTopicPartitionsResponseTopic<'a> {
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub name: Option<Cow<'a, str>>,
    #[kafka(ignorable)]
    pub topic_id: Uuid,
    #[kafka(ignorable)]
    pub is_internal: bool,
    pub partitions: Array<'a, DescribeTopicPartitionsResponsePartition<'a>>,
    #[kafka(default = -2147483648)]
    pub topic_authorized_operations: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeTopicPartitionsResponsePartition<'a> {
    pub error_code: i16,
    pub partition_index: i32,
    pub leader_id: i32,
    #[kafka(default = -1, ignorable)]
    pub leader_epoch: i32,
    pub replica_nodes: Array<'a, i32>,
    pub isr_nodes: Array<'a, i32>,
    #[kafka(nullable = "0+", default = null)]
    pub eligible_leader_replicas: Option<Array<'a, i32>>,
    #[kafka(nullable = "0+", default = null)]
    pub last_known_elr: Option<Array<'a, i32>>,
    #[kafka(ignorable)]
    pub offline_replicas: Array<'a, i32>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "Cursor")]
pub struct ResponseCursor<'a> {
    pub topic_name: Cow<'a, str>,
    pub partition_index: i32,
}
