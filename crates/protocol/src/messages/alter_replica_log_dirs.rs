//! AlterReplicaLogDirs, API key 34.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Moves replicas of a broker to other log directories.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 34, versions = "0-2", current = "1-2", flexible = "2+", listeners(broker))]
pub struct AlterReplicaLogDirsRequest<'a> {
    pub dirs: Array<'a, AlterReplicaLogDir<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterReplicaLogDir<'a> {
    pub path: Cow<'a, str>,
    pub topics: Array<'a, AlterReplicaLogDirTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterReplicaLogDirTopic<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Array<'a, i32>,
}

/// Answers [`AlterReplicaLogDirsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 34, versions = "0-2", current = "1-2", flexible = "2+")]
pub struct AlterReplicaLogDirsResponse<'a> {
    pub throttle_time_ms: i32,
    pub results: Array<'a, AlterReplicaLogDirTopicResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterReplicaLogDirTopicResult<'a> {
    pub topic_name: Cow<'a, str>,
    pub partitions: Array<'a, AlterReplicaLogDirPartitionResult>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterReplicaLogDirPartitionResult {
    pub partition_index: i32,
    pub error_code: i16,
}
