//! Record type 24 of `__cluster_metadata`.

use protocol_derive::Message;

/// The metadata transaction under way is complete (KIP-868).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 24, versions = "0", flexible = "0+")]
pub struct EndTransactionRecord;
