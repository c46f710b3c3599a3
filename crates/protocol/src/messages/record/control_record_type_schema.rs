//! Control records.

use protocol_derive::Message;

/// The key of a control record.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(data, versions = "0")]
pub struct ControlRecordTypeSchema {
    pub r#type: i16,
}
