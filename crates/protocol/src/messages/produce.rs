//! Produce, API key 0.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Appends record batches to partitions.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 0, versions = "0-13", current = "3-13", flexible = "9+", listeners(broker))]
pub struct ProduceRequest<'a> {
    #[kafka(versions = "3+", nullable = "3+", default = null)]
    pub transactional_id: Option<Cow<'a, str>>,
    pub acks: i16,
    pub timeout_ms: i32,
    pub topic_data: Array<'a, TopicProduceData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicProduceData<'a> {
    #[kafka(versions = "0-12", ignorable)]
    pub name: Cow<'a, str>,
    #[kafka(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    pub partition_data: Array<'a, PartitionProduceData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionProduceData<'a> {
    pub index: i32,
    #[kafka(nullable = "0+", records)]
    pub records: Option<Cow<'a, [u8]>>,
}

/// Answers [`ProduceRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 0, versions = "0-13", current = "3-13", flexible = "9+")]
pub struct ProduceResponse<'a> {
    pub responses: Array<'a, TopicProduceResponse<'a>>,
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "10+", tag = 0, tagged = "10+")]
    pub node_endpoints: Array<'a, NodeEndpoint<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicProduceResponse<'a> {
    #[kafka(versions = "0-12", ignorable)]
    pub name: Cow<'a, str>,
    #[kafka(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    pub partition_responses: Array<'a, PartitionProduceResponse<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionProduceResponse<'a> {
    pub index: i32,
    pub error_code: i16,
    pub base_offset: i64,
    #[kafka(versions = "2+", default = -1, ignorable)]
    pub log_append_time_ms: i64,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub log_start_offset: i64,
    #[kafka(versions = "8+", ignorable)]
    pub record_errors: Array<'a, BatchIndexAndErrorMessage<'a>>,
    #[kafka(versions = "8+", nullable = "8+", default = null, ignorable)]
    pub error_message: Option<Cow<'a, str>>,
    #[kafka(versions = "10+", tag = 0, tagged = "10+")]
    pub current_leader: LeaderIdAndEpoch,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct BatchIndexAndErrorMessage<'a> {
    #[kafka(versions = "8+")]
    pub batch_index: i32,
    #[kafka(versions = "8+", nullable = "8+", default = null)]
    pub batch_index_error_message: Option<Cow<'a, str>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderIdAndEpoch {
    #[kafka(versions = "10+", default = -1)]
    pub leader_id: i32,
    #[kafka(versions = "10+", default = -1)]
    pub leader_epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct NodeEndpoint<'a> {
    #[kafka(versions = "10+")]
    pub node_id: i32,
    #[kafka(versions = "10+")]
    pub host: Cow<'a, str>,
    #[kafka(versions = "10+")]
    pub port: i32,
    #[kafka(versions = "10+", nullable = "10+", default = null)]
    pub rack: Option<Cow<'a, str>>,
}
