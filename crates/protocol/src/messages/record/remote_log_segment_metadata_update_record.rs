//! Record type 1 of `__remote_log_metadata`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;

/// The state of a remote segment changed (KIP-405).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 1, versions = "0", flexible = "0+")]
pub struct RemoteLogSegmentMetadataUpdateRecord<'a> {
    pub remote_log_segment_id: RemoteLogSegmentIdEntry<'a>,
    pub broker_id: i32,
    pub event_timestamp_ms: i64,
    #[kafka(nullable = "0+", default = null)]
    pub custom_metadata: Option<Cow<'a, [u8]>>,
    pub remote_log_segment_state: i8,
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
