//! ReadShareGroupStateSummary, API key 87.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Reads the start offsets of share partitions (KIP-932).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 87, versions = "0-1", flexible = "0+", listeners(broker))]
pub struct ReadShareGroupStateSummaryRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub topics: Array<'a, ReadStateSummaryData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReadStateSummaryData<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionData {
    pub partition: i32,
    pub leader_epoch: i32,
}

/// Answers [`ReadShareGroupStateSummaryRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 87, versions = "0-1", flexible = "0+")]
pub struct ReadShareGroupStateSummaryResponse<'a> {
    pub results: Array<'a, ReadStateSummaryResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReadStateSummaryResult<'a> {
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
    pub leader_epoch: i32,
    pub start_offset: i64,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub delivery_complete_count: i32,
}
