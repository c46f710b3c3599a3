//! OffsetFetch, API key 9.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Asks for the committed offsets of groups.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 9, versions = "0-10", current = "1-10", flexible = "6+", listeners(broker))]
pub struct OffsetFetchRequest<'a> {
    #[kafka(versions = "0-7")]
    pub group_id: Cow<'a, str>,
    #[kafka(versions = "0-7", nullable = "2-7")]
    pub topics: Option<Array<'a, OffsetFetchRequestTopic<'a>>>,
    #[kafka(versions = "8+")]
    pub groups: Array<'a, OffsetFetchRequestGroup<'a>>,
    #[kafka(versions = "7+")]
    pub require_stable: bool,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetFetchRequestTopic<'a> {
    #[kafka(versions = "0-7")]
    pub name: Cow<'a, str>,
    #[kafka(versions = "0-7")]
    pub partition_indexes: Array<'a, i32>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetFetchRequestGroup<'a> {
    #[kafka(versions = "8+")]
    pub group_id: Cow<'a, str>,
    #[kafka(versions = "9+", nullable = "9+", default = null, ignorable)]
    pub member_id: Option<Cow<'a, str>>,
    #[kafka(versions = "9+", default = -1, ignorable)]
    pub member_epoch: i32,
    #[kafka(versions = "8+", nullable = "8+")]
    pub topics: Option<Array<'a, OffsetFetchRequestTopics<'a>>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetFetchRequestTopics<'a> {
    #[kafka(versions = "8-9", ignorable)]
    pub name: Cow<'a, str>,
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "8+")]
    pub partition_indexes: Array<'a, i32>,
}

/// Answers [`OffsetFetchRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 9, versions = "0-10", current = "1-10", flexible = "6+")]
pub struct OffsetFetchResponse<'a> {
    #[kafka(versions = "3+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0-7")]
    pub topics: Array<'a, OffsetFetchResponseTopic<'a>>,
    #[kafka(versions = "2-7", ignorable)]
    pub error_code: i16,
    #[kafka(versions = "8+")]
    pub groups: Array<'a, OffsetFetchResponseGroup<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetFetchResponseTopic<'a> {
    #[kafka(versions = "0-7")]
    pub name: Cow<'a, str>,
    #[kafka(versions = "0-7")]
    pub partitions: Array<'a, OffsetFetchResponsePartition<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetFetchResponsePartition<'a> {
    #[kafka(versions = "0-7")]
    pub partition_index: i32,
    #[kafka(versions = "0-7")]
    pub committed_offset: i64,
    #[kafka(versions = "5-7", default = -1, ignorable)]
    pub committed_leader_epoch: i32,
    #[kafka(versions = "0-7", nullable = "0-7")]
    pub metadata: Option<Cow<'a, str>>,
    #[kafka(versions = "0-7")]
    pub error_code: i16,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetFetchResponseGroup<'a> {
    #[kafka(versions = "8+")]
    pub group_id: Cow<'a, str>,
    #[kafka(versions = "8+")]
    pub topics: Array<'a, OffsetFetchResponseTopics<'a>>,
    #[kafka(versions = "8+")]
    pub error_code: i16,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetFetchResponseTopics<'a> {
    #[kafka(versions = "8-9", ignorable)]
    pub name: Cow<'a, str>,
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "8+")]
    pub partitions: Array<'a, OffsetFetchResponsePartitions<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetFetchResponsePartitions<'a> {
    #[kafka(versions = "8+")]
    pub partition_index: i32,
    #[kafka(versions = "8+")]
    pub committed_offset: i64,
    #[kafka(versions = "8+", default = -1, ignorable)]
    pub committed_leader_epoch: i32,
    #[kafka(versions = "8+", nullable = "8+")]
    pub metadata: Option<Cow<'a, str>>,
    #[kafka(versions = "8+")]
    pub error_code: i16,
}
