//! CreateDelegationToken, API key 38.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Creates a delegation token.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 38, versions = "0-3", current = "1-3", flexible = "2+", listeners(broker, controller))]
pub struct CreateDelegationTokenRequest<'a> {
    #[kafka(versions = "3+", nullable = "3+")]
    pub owner_principal_type: Option<Cow<'a, str>>,
    #[kafka(versions = "3+", nullable = "3+")]
    pub owner_principal_name: Option<Cow<'a, str>>,
    pub renewers: Array<'a, CreatableRenewers<'a>>,
    pub max_lifetime_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatableRenewers<'a> {
    pub principal_type: Cow<'a, str>,
    pub principal_name: Cow<'a, str>,
}

/// Answers [`CreateDelegationTokenRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 38, versions = "0-3", current = "1-3", flexible = "2+")]
pub struct CreateDelegationTokenResponse<'a> {
    pub error_code: i16,
    pub principal_type: Cow<'a, str>,
    pub principal_name: Cow<'a, str>,
    #[kafka(versions = "3+")]
    pub token_requester_principal_type: Cow<'a, str>,
    #[kafka(versions = "3+")]
    pub token_requester_principal_name: Cow<'a, str>,
    pub issue_timestamp_ms: i64,
    pub expiry_timestamp_ms: i64,
    pub max_timestamp_ms: i64,
    pub token_id: Cow<'a, str>,
    pub hmac: Cow<'a, [u8]>,
    pub throttle_time_ms: i32,
}
