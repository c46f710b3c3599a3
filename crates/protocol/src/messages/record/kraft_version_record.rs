//! Control records.

use protocol_derive::Message;

/// The value of a control record that finalizes `kraft.version` (KIP-853).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(data, versions = "0", flexible = "0+")]
pub struct KRaftVersionRecord {
    pub version: i16,
    #[kafka(name = "KRaftVersion")]
    pub kraft_version: i16,
}
