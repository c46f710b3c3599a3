//! ExpireDelegationToken, API key 40.

use std::borrow::Cow;

use protocol_derive::Message;

/// Moves the expiry of a delegation token.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 40, versions = "0-2", current = "1-2", flexible = "2+", listeners(broker, controller))]
pub struct ExpireDelegationTokenRequest<'a> {
    pub hmac: Cow<'a, [u8]>,
    pub expiry_time_period_ms: i64,
}

/// Answers [`ExpireDelegationTokenRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 40, versions = "0-2", current = "1-2", flexible = "2+")]
pub struct ExpireDelegationTokenResponse {
    pub error_code: i16,
    pub expiry_timestamp_ms: i64,
    pub throttle_time_ms: i32,
}
