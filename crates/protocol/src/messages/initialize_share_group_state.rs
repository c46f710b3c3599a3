//! InitializeShareGroupState, API key 83.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Creates the persisted state of share partitions (KIP-932).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 83, versions = "0", flexible = "0+", listeners(broker))]
pub struct InitializeShareGroupStateRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub topics: Array<'a, InitializeStateData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct InitializeStateData<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionData {
    pub partition: i32,
    pub state_epoch: i32,
    pub start_offset: i64,
}

/// Answers [`InitializeShareGroupStateRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 83, versions = "0", flexible = "0+")]
pub struct InitializeShareGroupStateResponse<'a> {
    pub results: Array<'a, InitializeStateResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct InitializeStateResult<'a> {
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
