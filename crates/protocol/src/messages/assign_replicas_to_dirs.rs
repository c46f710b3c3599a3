//! AssignReplicasToDirs, API key 73.

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Tells the controller in which log directories replicas are (KIP-858).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 73, versions = "0", flexible = "0+", listeners(controller))]
pub struct AssignReplicasToDirsRequest<'a> {
    pub broker_id: i32,
    #[kafka(default = -1)]
    pub broker_epoch: i64,
    pub directories: Array<'a, RequestDirectoryData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "DirectoryData")]
pub struct RequestDirectoryData<'a> {
    pub id: Uuid,
    pub topics: Array<'a, RequestTopicData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct RequestTopicData<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, RequestPartitionData>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct RequestPartitionData {
    pub partition_index: i32,
}

/// Answers [`AssignReplicasToDirsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 73, versions = "0", flexible = "0+")]
pub struct AssignReplicasToDirsResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub directories: Array<'a, ResponseDirectoryData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "DirectoryData")]
pub struct ResponseDirectoryData<'a> {
    pub id: Uuid,
    pub topics: Array<'a, ResponseTopicData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "TopicData")]
pub struct ResponseTopicData<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, ResponsePartitionData>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "PartitionData")]
pub struct ResponsePartitionData {
    pub partition_index: i32,
    pub error_code: i16,
}
