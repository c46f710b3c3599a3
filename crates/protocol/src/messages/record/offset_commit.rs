//! Record type 1 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::Message;

use crate::id::Uuid;

/// A committed offset: group, topic and partition.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 1, versions = "0")]
pub struct OffsetCommitKey<'a> {
    #[kafka(name = "group", versions = "0")]
    pub group: Cow<'a, str>,
    #[kafka(name = "topic", versions = "0")]
    pub topic: Cow<'a, str>,
    #[kafka(name = "partition", versions = "0")]
    pub partition: i32,
}

/// The offset that was committed.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 1, versions = "0-4", flexible = "4+")]
pub struct OffsetCommitValue<'a> {
    #[kafka(name = "offset")]
    pub offset: i64,
    #[kafka(name = "leaderEpoch", versions = "3+", default = -1, ignorable)]
    pub leader_epoch: i32,
    #[kafka(name = "metadata")]
    pub metadata: Cow<'a, str>,
    #[kafka(name = "commitTimestamp")]
    pub commit_timestamp: i64,
    #[kafka(name = "expireTimestamp", versions = "1", default = -1, ignorable)]
    pub expire_timestamp: i64,
    #[kafka(name = "topicId", versions = "4+", tag = 0, tagged = "4+", ignorable)]
    pub topic_id: Uuid,
}
