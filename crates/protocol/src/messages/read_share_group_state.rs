//! ReadShareGroupState, API key 84.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Reads the persisted state of share partitions (KIP-932).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 84, versions = "0", flexible = "0+", listeners(broker))]
pub struct ReadShareGroupStateRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub topics: Array<'a, ReadStateData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReadStateData<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionData {
    pub partition: i32,
    pub leader_epoch: i32,
}

/// Answers [`ReadShareGroupStateRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 84, versions = "0", flexible = "0+")]
pub struct ReadShareGroupStateResponse<'a> {
    pub results: Array<'a, ReadStateResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReadStateResult<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, PartitionResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionResult<'a> {
    pub partition: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
    pub state_epoch: i32,
    pub start_offset: i64,
    pub state_batches: Array<'a, StateBatch>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct StateBatch {
    pub first_offset: i64,
    pub last_offset: i64,
    pub delivery_state: i8,
    pub delivery_count: i16,
}
