//! Record type 22 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// A member in the current assignment of a streams group.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 22, versions = "0")]
pub struct StreamsGroupCurrentMemberAssignmentKey<'a> {
    #[kafka(versions = "0")]
    pub group_id: Cow<'a, str>,
    #[kafka(versions = "0")]
    pub member_id: Cow<'a, str>,
}

/// The tasks that a member has, and how far its reconciliation is.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 22, versions = "0", flexible = "0+")]
pub struct StreamsGroupCurrentMemberAssignmentValue<'a> {
    pub member_epoch: i32,
    pub previous_member_epoch: i32,
    pub state: i8,
    pub active_tasks: Array<'a, TaskIds<'a>>,
    pub standby_tasks: Array<'a, TaskIds<'a>>,
    pub warmup_tasks: Array<'a, TaskIds<'a>>,
    pub active_tasks_pending_revocation: Array<'a, TaskIds<'a>>,
    pub standby_tasks_pending_revocation: Array<'a, TaskIds<'a>>,
    pub warmup_tasks_pending_revocation: Array<'a, TaskIds<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TaskIds<'a> {
    pub subtopology_id: Cow<'a, str>,
    pub partitions: Array<'a, i32>,
    #[kafka(nullable = "0+", tag = 0, tagged = "0+")]
    pub assignment_epochs: Option<Array<'a, i32>>,
}
