//! FetchSnapshot, API key 59.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Reads a part of a metadata snapshot (KIP-630).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 59, versions = "0-1", flexible = "0+", listeners(controller))]
pub struct FetchSnapshotRequest<'a> {
    #[kafka(nullable = "0+", tag = 0, tagged = "0+", default = null)]
    pub cluster_id: Option<Cow<'a, str>>,
    #[kafka(default = -1)]
    pub replica_id: i32,
    #[kafka(default = 0x7fffffff)]
    pub max_bytes: i32,
    pub topics: Array<'a, RequestTopicSnapshot<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "TopicSnapshot")]
pub struct RequestTopicSnapshot<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Array<'a, RequestPartitionSnapshot>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "PartitionSnapshot")]
pub struct RequestPartitionSnapshot {
    pub partition: i32,
    pub current_leader_epoch: i32,
    pub snapshot_id: RequestSnapshotId,
    pub position: i64,
    #[kafka(versions = "1+", tag = 0, tagged = "1+", ignorable)]
    pub replica_directory_id: Uuid,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "SnapshotId")]
pub struct RequestSnapshotId {
    pub end_offset: i64,
    pub epoch: i32,
}

/// Answers [`FetchSnapshotRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 59, versions = "0-1", flexible = "0+")]
pub struct FetchSnapshotResponse<'a> {
    #[kafka(ignorable)]
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub topics: Array<'a, ResponseTopicSnapshot<'a>>,
    #[kafka(versions = "1+", tag = 0, tagged = "1+")]
    pub node_endpoints: Array<'a, NodeEndpoint<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "TopicSnapshot")]
pub struct ResponseTopicSnapshot<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Array<'a, ResponsePartitionSnapshot<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "PartitionSnapshot")]
pub struct ResponsePartitionSnapshot<'a> {
    pub index: i32,
    pub error_code: i16,
    pub snapshot_id: ResponseSnapshotId,
    #[kafka(tag = 0, tagged = "0+")]
    pub current_leader: LeaderIdAndEpoch,
    pub size: i64,
    pub position: i64,
    #[kafka(records)]
    pub unaligned_records: Cow<'a, [u8]>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "SnapshotId")]
pub struct ResponseSnapshotId {
    pub end_offset: i64,
    pub epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderIdAndEpoch {
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
