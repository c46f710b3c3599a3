//! AlterShareGroupOffsets, API key 91.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Changes the start offsets of a share group (KIP-932).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 91, versions = "0", flexible = "0+", listeners(broker))]
pub struct AlterShareGroupOffsetsRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub topics: Array<'a, AlterShareGroupOffsetsRequestTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterShareGroupOffsetsRequestTopic<'a> {
    pub topic_name: Cow<'a, str>,
    pub partitions: Array<'a, AlterShareGroupOffsetsRequestPartition>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterShareGroupOffsetsRequestPartition {
    pub partition_index: i32,
    pub start_offset: i64,
}

/// Answers [`AlterShareGroupOffsetsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 91, versions = "0", flexible = "0+")]
pub struct AlterShareGroupOffsetsResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
    pub responses: Array<'a, AlterShareGroupOffsetsResponseTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterShareGroupOffsetsResponseTopic<'a> {
    pub topic_name: Cow<'a, str>,
    pub topic_id: Uuid,
    pub partitions: Array<'a, AlterShareGroupOffsetsResponsePartition<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterShareGroupOffsetsResponsePartition<'a> {
    pub partition_index: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
}
