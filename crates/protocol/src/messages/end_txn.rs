//! EndTxn, API key 26.

use std::borrow::Cow;

use protocol_derive::Message;

/// Commits or aborts a transaction.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 26, versions = "0-5", flexible = "3+", listeners(broker))]
pub struct EndTxnRequest<'a> {
    pub transactional_id: Cow<'a, str>,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub committed: bool,
}

/// Answers [`EndTxnRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 26, versions = "0-5", flexible = "3+")]
pub struct EndTxnResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub producer_id: i64,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub producer_epoch: i16,
}
