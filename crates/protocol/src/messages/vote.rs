//! Vote, API key 52.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Asks a voter of the quorum for its vote, or for its leaning (KIP-996).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 52, versions = "0-2", flexible = "0+", listeners(controller))]
pub struct VoteRequest<'a> {
    #[kafka(nullable = "0+", default = null)]
    pub cluster_id: Option<Cow<'a, str>>,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub voter_id: i32,
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
    pub replica_epoch: i32,
    pub replica_id: i32,
    #[kafka(versions = "1+", ignorable)]
    pub replica_directory_id: Uuid,
    #[kafka(versions = "1+", ignorable)]
    pub voter_directory_id: Uuid,
    pub last_offset_epoch: i32,
    pub last_offset: i64,
    #[kafka(versions = "2+")]
    pub pre_vote: bool,
}

/// Answers [`VoteRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 52, versions = "0-2", flexible = "0+")]
pub struct VoteResponse<'a> {
    pub error_code: i16,
    pub topics: Array<'a, ResponseTopicData<'a>>,
    #[kafka(versions = "1+", tag = 0, tagged = "1+")]
    pub node_endpoints: Array<'a, NodeEndpoint<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct ResponseTopicData<'a> {
    pub topic_name: Cow<'a, str>,
    pub partitions: Array<'a, ResponsePartitionData>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct ResponsePartitionData {
    pub partition_index: i32,
    pub error_code: i16,
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub vote_granted: bool,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct NodeEndpoint<'a> {
    #[kafka(versions = "1+")]
    pub node_id: i32,
    #[kafka(versions = "1+")]
    pub host: Cow<'a, str>,
    #[kafka(versions = "1+")]
    pub port: u16,
}
