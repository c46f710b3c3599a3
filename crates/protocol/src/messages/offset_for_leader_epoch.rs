//! OffsetForLeaderEpoch, API key 23.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks where leader epochs end (KIP-101).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 23, versions = "0-4", current = "2-4", flexible = "4+", listeners(broker))]
pub struct OffsetForLeaderEpochRequest<'a> {
    #[kafka(versions = "3+", default = -2, ignorable)]
    pub replica_id: i32,
    pub topics: Array<'a, OffsetForLeaderTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetForLeaderTopic<'a> {
    pub topic: Cow<'a, str>,
    pub partitions: Array<'a, OffsetForLeaderPartition>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetForLeaderPartition {
    pub partition: i32,
    #[kafka(versions = "2+", default = -1, ignorable)]
    pub current_leader_epoch: i32,
    pub leader_epoch: i32,
}

/// Answers [`OffsetForLeaderEpochRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 23, versions = "0-4", current = "2-4", flexible = "4+")]
pub struct OffsetForLeaderEpochResponse<'a> {
    #[kafka(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    pub topics: Array<'a, OffsetForLeaderTopicResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetForLeaderTopicResult<'a> {
    pub topic: Cow<'a, str>,
    pub partitions: Array<'a, EpochEndOffset>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct EpochEndOffset {
    pub error_code: i16,
    pub partition: i32,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub leader_epoch: i32,
    #[kafka(default = -1)]
    pub end_offset: i64,
}
