//! Control records.

use protocol_derive::Message;

/// The value of a control record that ends a transaction.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(data, versions = "0")]
pub struct EndTxnMarker {
    pub coordinator_epoch: i32,
}
