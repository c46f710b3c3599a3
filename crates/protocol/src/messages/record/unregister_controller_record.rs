//! Record type 29 of `__cluster_metadata`.

use protocol_derive::Message;

/// The registration of a controller went.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 29, versions = "0", flexible = "0+")]
pub struct UnregisterControllerRecord {
    pub controller_id: i32,
}
