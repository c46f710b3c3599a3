//! TxnOffsetCommit, API key 28.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Commits offsets of a group within a transaction.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 28, versions = "0-6", flexible = "3+", listeners(broker))]
pub struct TxnOffsetCommitRequest<'a> {
    pub transactional_id: Cow<'a, str>,
    pub group_id: Cow<'a, str>,
    pub producer_id: i64,
    pub producer_epoch: i16,
    #[kafka(versions = "3+", default = -1)]
    pub generation_id_or_member_epoch: i32,
    #[kafka(versions = "3+")]
    pub member_id: Cow<'a, str>,
    #[kafka(versions = "3+", nullable = "3+", default = null)]
    pub group_instance_id: Option<Cow<'a, str>>,
    pub topics: Array<'a, TxnOffsetCommitRequestTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TxnOffsetCommitRequestTopic<'a> {
    #[kafka(versions = "0-5", ignorable)]
    pub name: Cow<'a, str>,
    #[kafka(versions = "6+", ignorable)]
    pub topic_id: Uuid,
    pub partitions: Array<'a, TxnOffsetCommitRequestPartition<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TxnOffsetCommitRequestPartition<'a> {
    pub partition_index: i32,
    pub committed_offset: i64,
    #[kafka(versions = "2+", default = -1, ignorable)]
    pub committed_leader_epoch: i32,
    #[kafka(nullable = "0+")]
    pub committed_metadata: Option<Cow<'a, str>>,
}

/// Answers [`TxnOffsetCommitRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 28, versions = "0-6", flexible = "3+")]
pub struct TxnOffsetCommitResponse<'a> {
    pub throttle_time_ms: i32,
    pub topics: Array<'a, TxnOffsetCommitResponseTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TxnOffsetCommitResponseTopic<'a> {
    #[kafka(versions = "0-5", ignorable)]
    pub name: Cow<'a, str>,
    #[kafka(versions = "6+", ignorable)]
    pub topic_id: Uuid,
    pub partitions: Array<'a, TxnOffsetCommitResponsePartition>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TxnOffsetCommitResponsePartition {
    pub partition_index: i32,
    pub error_code: i16,
}
