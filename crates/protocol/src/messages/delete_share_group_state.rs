//! DeleteShareGroupState, API key 86.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Deletes the persisted state of share partitions (KIP-932).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 86, versions = "0", flexible = "0+", listeners(broker))]
pub struct DeleteShareGroupStateRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub topics: Array<'a, DeleteStateData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteStateData<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionData {
    pub partition: i32,
}

/// Answers [`DeleteShareGroupStateRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 86, versions = "0", flexible = "0+")]
pub struct DeleteShareGroupStateResponse<'a> {
    pub results: Array<'a, DeleteStateResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteStateResult<'a> {
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
