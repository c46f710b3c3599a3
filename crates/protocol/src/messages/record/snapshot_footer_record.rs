//! Control records.

use protocol_derive::Message;

/// The value of the control record that ends a snapshot (KIP-630).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(data, versions = "0", flexible = "0+")]
pub struct SnapshotFooterRecord {
    pub version: i16,
}
