//! Record type 9 of `__cluster_metadata`.

use protocol_derive::Message;

use crate::id::Uuid;

/// A topic went, and its partitions with it.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 9, versions = "0", flexible = "0+")]
pub struct RemoveTopicRecord {
    pub topic_id: Uuid,
}
