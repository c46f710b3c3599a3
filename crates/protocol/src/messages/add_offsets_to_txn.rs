//! AddOffsetsToTxn, API key 25.

use std::borrow::Cow;

use protocol_derive::Message;

/// Adds the offsets of a group to a transaction.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 25, versions = "0-4", flexible = "3+", listeners(broker))]
pub struct AddOffsetsToTxnRequest<'a> {
    pub transactional_id: Cow<'a, str>,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub group_id: Cow<'a, str>,
}

/// Answers [`AddOffsetsToTxnRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 25, versions = "0-4", flexible = "3+")]
pub struct AddOffsetsToTxnResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
}
