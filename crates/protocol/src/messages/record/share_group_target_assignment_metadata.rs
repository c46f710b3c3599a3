//! Record type 12 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::Message;

/// The target assignment of a share group.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 12, versions = "0")]
pub struct ShareGroupTargetAssignmentMetadataKey<'a> {
    #[kafka(versions = "0")]
    pub group_id: Cow<'a, str>,
}

/// The epoch of the target assignment.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 12, versions = "0", flexible = "0+")]
pub struct ShareGroupTargetAssignmentMetadataValue {
    pub assignment_epoch: i32,
    #[kafka(tag = 0, tagged = "0+", ignorable)]
    pub assignment_timestamp: i64,
}
