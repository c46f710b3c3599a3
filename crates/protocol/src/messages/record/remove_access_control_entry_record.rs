//! Record type 19 of `__cluster_metadata`.

use protocol_derive::Message;

use crate::id::Uuid;

/// An ACL went.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 19, versions = "0", flexible = "0+")]
pub struct RemoveAccessControlEntryRecord {
    pub id: Uuid,
}
