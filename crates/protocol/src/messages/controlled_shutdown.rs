//! ControlledShutdown, API key 7.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks a ZooKeeper controller to move leaders away before a broker stops.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 7, versions = "0-3", current = "none", flexible = "3+")]
pub struct ControlledShutdownRequest {
    pub broker_id: i32,
    #[kafka(versions = "2+", default = -1, ignorable)]
    pub broker_epoch: i64,
}

/// Answers [`ControlledShutdownRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 7, versions = "0-3", current = "none", flexible = "3+")]
pub struct ControlledShutdownResponse<'a> {
    pub error_code: i16,
    pub remaining_partitions: Array<'a, RemainingPartition<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct RemainingPartition<'a> {
    pub topic_name: Cow<'a, str>,
    pub partition_index: i32,
}
