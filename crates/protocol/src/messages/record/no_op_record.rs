//! Record type 20 of `__cluster_metadata`.

use protocol_derive::Message;

/// Nothing, so that the log moves on (KIP-835).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 20, versions = "0", flexible = "0+")]
pub struct NoOpRecord;
