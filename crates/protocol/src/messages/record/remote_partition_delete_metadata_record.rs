//! Record type 2 of `__remote_log_metadata`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;

/// A partition is being deleted from the remote store (KIP-405).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 2, versions = "0", flexible = "0+")]
pub struct RemotePartitionDeleteMetadataRecord<'a> {
    pub topic_id_partition: TopicIdPartitionEntry<'a>,
    pub broker_id: i32,
    pub event_timestamp_ms: i64,
    pub remote_partition_delete_state: i8,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicIdPartitionEntry<'a> {
    pub name: Cow<'a, str>,
    pub id: Uuid,
    pub partition: i32,
}
