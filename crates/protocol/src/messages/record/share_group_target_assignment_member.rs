//! Record type 13 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// A member in the target assignment of a share group.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 13, versions = "0")]
pub struct ShareGroupTargetAssignmentMemberKey<'a> {
    #[kafka(versions = "0")]
    pub group_id: Cow<'a, str>,
    #[kafka(versions = "0")]
    pub member_id: Cow<'a, str>,
}

/// The partitions that a member shall have.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 13, versions = "0", flexible = "0+")]
pub struct ShareGroupTargetAssignmentMemberValue<'a> {
    pub topic_partitions: Array<'a, TopicPartition<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartition<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, i32>,
}
