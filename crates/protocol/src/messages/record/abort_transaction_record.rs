//! Record type 25 of `__cluster_metadata`.

use std::borrow::Cow;

use protocol_derive::Message;

/// Drops the metadata transaction under way (KIP-868).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 25, versions = "0", flexible = "0+")]
pub struct AbortTransactionRecord<'a> {
    #[kafka(nullable = "0+", tag = 0, tagged = "0+", default = null)]
    pub reason: Option<Cow<'a, str>>,
}
