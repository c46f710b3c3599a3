//! DeleteRecords, API key 21.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Deletes the records before an offset.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 21, versions = "0-2", flexible = "2+", listeners(broker))]
pub struct DeleteRecordsRequest<'a> {
    pub topics: Array<'a, DeleteRecordsTopic<'a>>,
    pub timeout_ms: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteRecordsTopic<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Array<'a, DeleteRecordsPartition>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteRecordsPartition {
    pub partition_index: i32,
    pub offset: i64,
}

/// Answers [`DeleteRecordsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 21, versions = "0-2", flexible = "2+")]
pub struct DeleteRecordsResponse<'a> {
    pub throttle_time_ms: i32,
    pub topics: Array<'a, DeleteRecordsTopicResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteRecordsTopicResult<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Array<'a, DeleteRecordsPartitionResult>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteRecordsPartitionResult {
    pub partition_index: i32,
    pub low_watermark: i64,
    pub error_code: i16,
}
