//! ListOffsets, API key 2.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks for the offset that belongs to a timestamp, or for the start or end of a log.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 2, versions = "0-11", current = "1-11", flexible = "6+", listeners(broker))]
pub struct ListOffsetsRequest<'a> {
    pub replica_id: i32,
    #[kafka(versions = "2+")]
    pub isolation_level: i8,
    pub topics: Array<'a, ListOffsetsTopic<'a>>,
    #[kafka(versions = "10+", ignorable)]
    pub timeout_ms: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ListOffsetsTopic<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Array<'a, ListOffsetsPartition>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ListOffsetsPartition {
    pub partition_index: i32,
    #[kafka(versions = "4+", default = -1, ignorable)]
    pub current_leader_epoch: i32,
    pub timestamp: i64,
    #[kafka(versions = "0", default = 1)]
    pub max_num_offsets: i32,
}

/// Answers [`ListOffsetsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 2, versions = "0-11", current = "1-11", flexible = "6+")]
pub struct ListOffsetsResponse<'a> {
    #[kafka(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    pub topics: Array<'a, ListOffsetsTopicResponse<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ListOffsetsTopicResponse<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Array<'a, ListOffsetsPartitionResponse<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ListOffsetsPartitionResponse<'a> {
    pub partition_index: i32,
    pub error_code: i16,
    #[kafka(versions = "0")]
    pub old_style_offsets: Array<'a, i64>,
    #[kafka(versions = "1+", default = -1)]
    pub timestamp: i64,
    #[kafka(versions = "1+", default = -1)]
    pub offset: i64,
    #[kafka(versions = "4+", default = -1)]
    pub leader_epoch: i32,
}
