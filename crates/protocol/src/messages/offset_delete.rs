//! OffsetDelete, API key 47.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Deletes committed offsets of a group (KIP-496).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 47, versions = "0", listeners(broker))]
pub struct OffsetDeleteRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub topics: Array<'a, OffsetDeleteRequestTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetDeleteRequestTopic<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Array<'a, OffsetDeleteRequestPartition>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetDeleteRequestPartition {
    pub partition_index: i32,
}

/// Answers [`OffsetDeleteRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 47, versions = "0")]
pub struct OffsetDeleteResponse<'a> {
    pub error_code: i16,
    #[kafka(ignorable)]
    pub throttle_time_ms: i32,
    pub topics: Array<'a, OffsetDeleteResponseTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetDeleteResponseTopic<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Array<'a, OffsetDeleteResponsePartition>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetDeleteResponsePartition {
    pub partition_index: i32,
    pub error_code: i16,
}
