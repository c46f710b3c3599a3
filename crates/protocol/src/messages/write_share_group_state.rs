//! WriteShareGroupState, API key 85.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Writes the persisted state of share partitions (KIP-932).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 85, versions = "0-1", flexible = "0+", listeners(broker))]
pub struct WriteShareGroupStateRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub topics: Array<'a, WriteStateData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct WriteStateData<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, PartitionData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionData<'a> {
    pub partition: i32,
    pub state_epoch: i32,
    pub leader_epoch: i32,
    pub start_offset: i64,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub delivery_complete_count: i32,
    pub state_batches: Array<'a, StateBatch>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct StateBatch {
    pub first_offset: i64,
    pub last_offset: i64,
    pub delivery_state: i8,
    pub delivery_count: i16,
}

/// Answers [`WriteShareGroupStateRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 85, versions = "0-1", flexible = "0+")]
pub struct WriteShareGroupStateResponse<'a> {
    pub results: Array<'a, WriteStateResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct WriteStateResult<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, PartitionResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionResult<'a> {
    pub partition: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
}
