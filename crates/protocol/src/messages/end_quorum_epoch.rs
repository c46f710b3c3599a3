//! EndQuorumEpoch, API key 54.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Announces that the leader of the quorum resigns.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 54, versions = "0-1", flexible = "1+", listeners(controller))]
pub struct EndQuorumEpochRequest<'a> {
    #[kafka(nullable = "0+", default = null)]
    pub cluster_id: Option<Cow<'a, str>>,
    pub topics: Array<'a, RequestTopicData<'a>>,
    #[kafka(versions = "1+", ignorable)]
    pub leader_endpoints: Array<'a, LeaderEndpoint<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct RequestTopicData<'a> {
    pub topic_name: Cow<'a, str>,
    pub partitions: Array<'a, RequestPartitionData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct RequestPartitionData<'a> {
    pub partition_index: i32,
    pub leader_id: i32,
    pub leader_epoch: i32,
    #[kafka(versions = "0", ignorable)]
    pub preferred_successors: Array<'a, i32>,
    #[kafka(versions = "1+", ignorable)]
    pub preferred_candidates: Array<'a, ReplicaInfo>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReplicaInfo {
    #[kafka(versions = "1+")]
    pub candidate_id: i32,
    #[kafka(versions = "1+")]
    pub candidate_directory_id: Uuid,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderEndpoint<'a> {
    #[kafka(versions = "1+")]
    pub name: Cow<'a, str>,
    #[kafka(versions = "1+")]
    pub host: Cow<'a, str>,
    #[kafka(versions = "1+")]
    pub port: u16,
}

/// Answers [`EndQuorumEpochRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 54, versions = "0-1", flexible = "1+")]
pub struct EndQuorumEpochResponse<'a> {
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
