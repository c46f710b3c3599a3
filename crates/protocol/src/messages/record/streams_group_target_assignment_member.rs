//! Record type 21 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// A member in the target assignment of a streams group.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 21, versions = "0")]
pub struct StreamsGroupTargetAssignmentMemberKey<'a> {
    #[kafka(versions = "0")]
    pub group_id: Cow<'a, str>,
    #[kafka(versions = "0")]
    pub member_id: Cow<'a, str>,
}

/// The tasks that a member shall have.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 21, versions = "0", flexible = "0+")]
pub struct StreamsGroupTargetAssignmentMemberValue<'a> {
    pub active_tasks: Array<'a, TaskIds<'a>>,
    pub standby_tasks: Array<'a, TaskIds<'a>>,
    pub warmup_tasks: Array<'a, TaskIds<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TaskIds<'a> {
    pub subtopology_id: Cow<'a, str>,
    pub partitions: Array<'a, i32>,
}
