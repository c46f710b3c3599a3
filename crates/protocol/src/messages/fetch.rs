//! Fetch, API key 1.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Reads record batches of partitions, for consumers and for followers alike; within a fetch session only
/// what changed is said (KIP-227).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 1, versions = "0-18", current = "4-18", flexible = "12+", listeners(broker, controller))]
pub struct FetchRequest<'a> {
    #[kafka(versions = "12+", nullable = "12+", tag = 0, tagged = "12+", default = null, ignorable)]
    pub cluster_id: Option<Cow<'a, str>>,
    #[kafka(versions = "0-14", default = -1)]
    pub replica_id: i32,
    #[kafka(versions = "15+", tag = 1, tagged = "15+")]
    pub replica_state: ReplicaState,
    pub max_wait_ms: i32,
    pub min_bytes: i32,
    #[kafka(versions = "3+", default = 0x7fffffff, ignorable)]
    pub max_bytes: i32,
    #[kafka(versions = "4+", ignorable)]
    pub isolation_level: i8,
    #[kafka(versions = "7+", ignorable)]
    pub session_id: i32,
    #[kafka(versions = "7+", default = -1, ignorable)]
    pub session_epoch: i32,
    pub topics: Array<'a, FetchTopic<'a>>,
    #[kafka(versions = "7+")]
    pub forgotten_topics_data: Array<'a, ForgottenTopic<'a>>,
    #[kafka(versions = "11+", ignorable)]
    pub rack_id: Cow<'a, str>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReplicaState {
    #[kafka(versions = "15+", default = -1)]
    pub replica_id: i32,
    #[kafka(versions = "15+", default = -1)]
    pub replica_epoch: i64,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct FetchTopic<'a> {
    #[kafka(versions = "0-12", ignorable)]
    pub topic: Cow<'a, str>,
    #[kafka(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    pub partitions: Array<'a, FetchPartition>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct FetchPartition {
    pub partition: i32,
    #[kafka(versions = "9+", default = -1, ignorable)]
    pub current_leader_epoch: i32,
    pub fetch_offset: i64,
    #[kafka(versions = "12+", default = -1)]
    pub last_fetched_epoch: i32,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub log_start_offset: i64,
    pub partition_max_bytes: i32,
    #[kafka(versions = "17+", tag = 0, tagged = "17+", ignorable)]
    pub replica_directory_id: Uuid,
    #[kafka(versions = "18+", tag = 1, tagged = "18+", default = 9223372036854775807, ignorable)]
    pub high_watermark: i64,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ForgottenTopic<'a> {
    #[kafka(versions = "7-12", ignorable)]
    pub topic: Cow<'a, str>,
    #[kafka(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    #[kafka(versions = "7+")]
    pub partitions: Array<'a, i32>,
}

/// Answers [`FetchRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 1, versions = "0-18", current = "4-18", flexible = "12+")]
pub struct FetchResponse<'a> {
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "7+", ignorable)]
    pub error_code: i16,
    #[kafka(versions = "7+")]
    pub session_id: i32,
    pub responses: Array<'a, FetchableTopicResponse<'a>>,
    #[kafka(versions = "16+", tag = 0, tagged = "16+")]
    pub node_endpoints: Array<'a, NodeEndpoint<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct FetchableTopicResponse<'a> {
    #[kafka(versions = "0-12", ignorable)]
    pub topic: Cow<'a, str>,
    #[kafka(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    pub partitions: Array<'a, PartitionData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionData<'a> {
    pub partition_index: i32,
    pub error_code: i16,
    pub high_watermark: i64,
    #[kafka(versions = "4+", default = -1, ignorable)]
    pub last_stable_offset: i64,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub log_start_offset: i64,
    #[kafka(versions = "12+", tag = 0, tagged = "12+")]
    pub diverging_epoch: EpochEndOffset,
    #[kafka(versions = "12+", tag = 1, tagged = "12+")]
    pub current_leader: LeaderIdAndEpoch,
    #[kafka(versions = "12+", tag = 2, tagged = "12+")]
    pub snapshot_id: SnapshotId,
    #[kafka(versions = "4+", nullable = "4+", ignorable)]
    pub aborted_transactions: Option<Array<'a, AbortedTransaction>>,
    #[kafka(versions = "11+", default = -1)]
    pub preferred_read_replica: i32,
    #[kafka(nullable = "0+", records)]
    pub records: Option<Cow<'a, [u8]>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct EpochEndOffset {
    #[kafka(versions = "12+", default = -1)]
    pub epoch: i32,
    #[kafka(versions = "12+", default = -1)]
    pub end_offset: i64,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderIdAndEpoch {
    #[kafka(versions = "12+", default = -1)]
    pub leader_id: i32,
    #[kafka(versions = "12+", default = -1)]
    pub leader_epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct SnapshotId {
    #[kafka(default = -1)]
    pub end_offset: i64,
    #[kafka(default = -1)]
    pub epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AbortedTransaction {
    #[kafka(versions = "4+")]
    pub producer_id: i64,
    #[kafka(versions = "4+")]
    pub first_offset: i64,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct NodeEndpoint<'a> {
    #[kafka(versions = "16+")]
    pub node_id: i32,
    #[kafka(versions = "16+")]
    pub host: Cow<'a, str>,
    #[kafka(versions = "16+")]
    pub port: i32,
    #[kafka(versions = "16+", nullable = "16+", default = null)]
    pub rack: Option<Cow<'a, str>>,
}
