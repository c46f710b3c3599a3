//! Record type 14 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// A member in the current assignment of a share group.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 14, versions = "0")]
pub struct ShareGroupCurrentMemberAssignmentKey<'a> {
    #[kafka(versions = "0")]
    pub group_id: Cow<'a, str>,
    #[kafka(versions = "0")]
    pub member_id: Cow<'a, str>,
}

/// The partitions that a member has.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 14, versions = "0", flexible = "0+")]
pub struct ShareGroupCurrentMemberAssignmentValue<'a> {
    pub member_epoch: i32,
    pub previous_member_epoch: i32,
    pub state: i8,
    pub assigned_partitions: Array<'a, TopicPartitions<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartitions<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, i32>,
}
