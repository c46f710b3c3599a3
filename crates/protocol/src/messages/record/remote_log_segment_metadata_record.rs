//! Record type 0 of `__remote_log_metadata`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// A segment is being copied to the remote store (KIP-405).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 0, versions = "0", flexible = "0+")]
pub struct RemoteLogSegmentMetadataRecord<'a> {
    pub remote_log_segment_id: RemoteLogSegmentIdEntry<'a>,
    pub start_offset: i64,
    pub end_offset: i64,
    pub broker_id: i32,
    pub max_timestamp_ms: i64,
    pub event_timestamp_ms: i64,
    pub segment_leader_epochs: Array<'a, SegmentLeaderEpochEntry>,
    pub segment_size_in_bytes: i32,
    #[kafka(nullable = "0+", default = null)]
    pub custom_metadata: Option<Cow<'a, [u8]>>,
    pub remote_log_segment_state: i8,
    #[kafka(tag = 0, tagged = "0+")]
    pub txn_index_empty: bool,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct RemoteLogSegmentIdEntry<'a> {
    pub topic_id_partition: TopicIdPartitionEntry<'a>,
    pub id: Uuid,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicIdPartitionEntry<'a> {
    pub name: Cow<'a, str>,
    pub id: Uuid,
    pub partition: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct SegmentLeaderEpochEntry {
    pub leader_epoch: i32,
    pub offset: i64,
}
