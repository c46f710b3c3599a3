//! Transaction indexes.

use protocol_derive::Message;

/// An entry of a transaction index: an aborted transaction.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(data, versions = "0")]
pub struct AbortedTxn {
    pub producer_id: i64,
    pub first_offset: i64,
    pub last_offset: i64,
    pub last_stable_offset: i64,
}
