//! WriteTxnMarkers, API key 27.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Writes the ends of transactions into partitions.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 27, versions = "0-2", current = "1-2", flexible = "1+", listeners(broker))]
pub struct WriteTxnMarkersRequest<'a> {
    pub markers: Array<'a, WritableTxnMarker<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct WritableTxnMarker<'a> {
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub transaction_result: bool,
    pub topics: Array<'a, WritableTxnMarkerTopic<'a>>,
    pub coordinator_epoch: i32,
    #[kafka(versions = "2+", ignorable)]
    pub transaction_version: i8,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct WritableTxnMarkerTopic<'a> {
    pub name: Cow<'a, str>,
    pub partition_indexes: Array<'a, i32>,
}

/// Answers [`WriteTxnMarkersRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 27, versions = "0-2", current = "1-2", flexible = "1+")]
pub struct WriteTxnMarkersResponse<'a> {
    pub markers: Array<'a, WritableTxnMarkerResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct WritableTxnMarkerResult<'a> {
    pub producer_id: i64,
    pub topics: Array<'a, WritableTxnMarkerTopicResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct WritableTxnMarkerTopicResult<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Array<'a, WritableTxnMarkerPartitionResult>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct WritableTxnMarkerPartitionResult {
    pub partition_index: i32,
    pub error_code: i16,
}
