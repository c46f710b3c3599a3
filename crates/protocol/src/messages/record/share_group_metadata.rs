//! Record type 11 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::Message;

/// A share group (KIP-932).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 11, versions = "0")]
pub struct ShareGroupMetadataKey<'a> {
    #[kafka(versions = "0")]
    pub group_id: Cow<'a, str>,
}

/// The epoch of a share group.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 11, versions = "0", flexible = "0+")]
pub struct ShareGroupMetadataValue {
    pub epoch: i32,
    pub metadata_hash: i64,
}
