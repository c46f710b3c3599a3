//! Control records.

use protocol_derive::Message;

/// The value of the control record that begins a snapshot (KIP-630).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(data, versions = "0", flexible = "0+")]
pub struct SnapshotHeaderRecord {
    pub version: i16,
    pub last_contained_log_timestamp: i64,
}
