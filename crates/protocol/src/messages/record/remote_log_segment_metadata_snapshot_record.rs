//! Record type 3 of `__remote_log_metadata`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// A remote segment in the snapshot of a metadata partition (KIP-405).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 3, versions = "0", flexible = "0+")]
pub struct RemoteLogSegmentMetadataSnapshotRecord<'a> {
    pub segment_id: Uuid,
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
pub struct SegmentLeaderEpochEntry {
    pub leader_epoch: i32,
    pub offset: i64,
}
