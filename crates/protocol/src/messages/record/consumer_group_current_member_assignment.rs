//! Record type 8 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// A member in the current assignment of a consumer group.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 8, versions = "0")]
pub struct ConsumerGroupCurrentMemberAssignmentKey<'a> {
    #[kafka(versions = "0")]
    pub group_id: Cow<'a, str>,
    #[kafka(versions = "0")]
    pub member_id: Cow<'a, str>,
}

/// The partitions that a member has, and how far its reconciliation is.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 8, versions = "0", flexible = "0+")]
pub struct ConsumerGroupCurrentMemberAssignmentValue<'a> {
    pub member_epoch: i32,
    pub previous_member_epoch: i32,
    pub state: i8,
    pub assigned_partitions: Array<'a, TopicPartitions<'a>>,
    pub partitions_pending_revocation: Array<'a, TopicPartitions<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartitions<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, i32>,
    #[kafka(nullable = "0+", tag = 0, tagged = "0+")]
    pub assignment_epochs: Option<Array<'a, i32>>,
}
