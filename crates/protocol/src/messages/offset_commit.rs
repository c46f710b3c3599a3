//! OffsetCommit, API key 8.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Commits offsets of a group.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 8, versions = "0-10", current = "2-10", flexible = "8+", listeners(broker))]
pub struct OffsetCommitRequest<'a> {
    pub group_id: Cow<'a, str>,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub generation_id_or_member_epoch: i32,
    #[kafka(versions = "1+", ignorable)]
    pub member_id: Cow<'a, str>,
    #[kafka(versions = "7+", nullable = "7+", default = null)]
    pub group_instance_id: Option<Cow<'a, str>>,
    #[kafka(versions = "2-4", default = -1, ignorable)]
    pub retention_time_ms: i64,
    pub topics: Array<'a, OffsetCommitRequestTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetCommitRequestTopic<'a> {
    #[kafka(versions = "0-9", ignorable)]
    pub name: Cow<'a, str>,
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    pub partitions: Array<'a, OffsetCommitRequestPartition<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetCommitRequestPartition<'a> {
    pub partition_index: i32,
    pub committed_offset: i64,
    #[kafka(versions = "6+", default = -1, ignorable)]
    pub committed_leader_epoch: i32,
    #[kafka(versions = "1", default = -1)]
    pub commit_timestamp: i64,
    #[kafka(nullable = "0+")]
    pub committed_metadata: Option<Cow<'a, str>>,
}

/// Answers [`OffsetCommitRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 8, versions = "0-10", current = "2-10", flexible = "8+")]
pub struct OffsetCommitResponse<'a> {
    #[kafka(versions = "3+", ignorable)]
    pub throttle_time_ms: i32,
    pub topics: Array<'a, OffsetCommitResponseTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetCommitResponseTopic<'a> {
    #[kafka(versions = "0-9", ignorable)]
    pub name: Cow<'a, str>,
    #[kafka(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    pub partitions: Array<'a, OffsetCommitResponsePartition>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetCommitResponsePartition {
    pub partition_index: i32,
    pub error_code: i16,
}
