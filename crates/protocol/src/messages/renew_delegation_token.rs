//! RenewDelegationToken, API key 39.

use std::borrow::Cow;

use protocol_derive::Message;

/// Renews a delegation token.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 39, versions = "0-2", current = "1-2", flexible = "2+", listeners(broker, controller))]
pub struct RenewDelegationTokenRequest<'a> {
    pub hmac: Cow<'a, [u8]>,
    pub renew_period_ms: i64,
}

/// Answers [`RenewDelegationTokenRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 39, versions = "0-2", current = "1-2", flexible = "2+")]
pub struct RenewDelegationTokenResponse {
    pub error_code: i16,
    pub expiry_timestamp_ms: i64,
    pub throttle_time_ms: i32,
}
