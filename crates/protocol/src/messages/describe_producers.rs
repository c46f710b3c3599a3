//! DescribeProducers, API key 61.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks for the producers of partitions (KIP-664).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 61, versions = "0", flexible = "0+", listeners(broker))]
pub struct DescribeProducersRequest<'a> {
    pub topics: Array<'a, TopicRequest<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicRequest<'a> {
    pub name: Cow<'a, str>,
    pub partition_indexes: Array<'a, i32>,
}

/// Answers [`DescribeProducersRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 61, versions = "0", flexible = "0+")]
pub struct DescribeProducersResponse<'a> {
    pub throttle_time_ms: i32,
    pub topics: Array<'a, TopicResponse<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicResponse<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Array<'a, PartitionResponse<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionResponse<'a> {
    pub partition_index: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
    pub active_producers: Array<'a, ProducerState>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ProducerState {
    pub producer_id: i64,
    pub producer_epoch: i32,
    #[kafka(default = -1)]
    pub last_sequence: i32,
    #[kafka(default = -1)]
    pub last_timestamp: i64,
    pub coordinator_epoch: i32,
    #[kafka(default = -1)]
    pub current_txn_start_offset: i64,
}
