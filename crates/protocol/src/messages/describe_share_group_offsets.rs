//! DescribeShareGroupOffsets, API key 90.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Asks for the start offsets of share groups (KIP-932).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 90, versions = "0-1", flexible = "0+", listeners(broker))]
pub struct DescribeShareGroupOffsetsRequest<'a> {
    pub groups: Array<'a, DescribeShareGroupOffsetsRequestGroup<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeShareGroupOffsetsRequestGroup<'a> {
    pub group_id: Cow<'a, str>,
    #[kafka(nullable = "0+")]
    pub topics: Option<Array<'a, DescribeShareGroupOffsetsRequestTopic<'a>>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeShareGroupOffsetsRequestTopic<'a> {
    pub topic_name: Cow<'a, str>,
    pub partitions: Array<'a, i32>,
}

/// Answers [`DescribeShareGroupOffsetsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 90, versions = "0-1", flexible = "0+")]
pub struct DescribeShareGroupOffsetsResponse<'a> {
    pub throttle_time_ms: i32,
    pub groups: Array<'a, DescribeShareGroupOffsetsResponseGroup<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeShareGroupOffsetsResponseGroup<'a> {
    pub group_id: Cow<'a, str>,
    pub topics: Array<'a, DescribeShareGroupOffsetsResponseTopic<'a>>,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeShareGroupOffsetsResponseTopic<'a> {
    pub topic_name: Cow<'a, str>,
    pub topic_id: Uuid,
    pub partitions: Array<'a, DescribeShareGroupOffsetsResponsePartition<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeShareGroupOffsetsResponsePartition<'a> {
    pub partition_index: i32,
    pub start_offset: i64,
    pub leader_epoch: i32,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub lag: i64,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
}
