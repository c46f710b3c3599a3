//! DescribeQuorum, API key 55.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Asks for the state of the quorum.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 55, versions = "0-2", flexible = "0+", listeners(broker, controller))]
pub struct DescribeQuorumRequest<'a> {
    pub topics: Array<'a, RequestTopicData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct RequestTopicData<'a> {
    pub topic_name: Cow<'a, str>,
    pub partitions: Array<'a, RequestPartitionData>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct RequestPartitionData {
    pub partition_index: i32,
}

/// Answers [`DescribeQuorumRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 55, versions = "0-2", flexible = "0+")]
pub struct DescribeQuorumResponse<'a> {
    pub error_code: i16,
    #[kafka(versions = "2+", nullable = "2+", ignorable)]
    pub error_message: Option<Cow<'a, str>>,
    pub topics: Array<'a, ResponseTopicData<'a>>,
    #[kafka(versions = "2+")]
    pub nodes: Array<'a, Node<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct ResponseTopicData<'a> {
    pub topic_name: Cow<'a, str>,
    pub partitions: Array<'a, ResponsePartitionData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct ResponsePartitionData<'a> {
    pub partition_index: i32,
    pub error_code: i16,
    #[kafka(versions = "2+", nullable = "2+", ignorable)]
    pub error_message: Option<Cow<'a, str>>,
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub high_watermark: i64,
    pub current_voters: Array<'a, ReplicaState>,
    pub observers: Array<'a, ReplicaState>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReplicaState {
    pub replica_id: i32,
    #[kafka(versions = "2+")]
    pub replica_directory_id: Uuid,
    pub log_end_offset: i64,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub last_fetch_timestamp: i64,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub last_caught_up_timestamp: i64,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Node<'a> {
    #[kafka(versions = "2+")]
    pub node_id: i32,
    #[kafka(versions = "2+")]
    pub listeners: Array<'a, Listener<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Listener<'a> {
    #[kafka(versions = "2+")]
    pub name: Cow<'a, str>,
    #[kafka(versions = "2+")]
    pub host: Cow<'a, str>,
    #[kafka(versions = "2+")]
    pub port: u16,
}
