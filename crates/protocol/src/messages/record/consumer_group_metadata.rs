//! Record type 3 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::Message;

/// A consumer group (KIP-848).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 3, versions = "0")]
pub struct ConsumerGroupMetadataKey<'a> {
    #[kafka(versions = "0")]
    pub group_id: Cow<'a, str>,
}

/// The epoch of a consumer group.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 3, versions = "0", flexible = "0+")]
pub struct ConsumerGroupMetadataValue {
    pub epoch: i32,
    #[kafka(tag = 0, tagged = "0+")]
    pub metadata_hash: i64,
}
