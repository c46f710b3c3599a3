//! DescribeDelegationToken, API key 41.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks for delegation tokens.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 41, versions = "0-3", current = "1-3", flexible = "2+", listeners(broker, controller))]
pub struct DescribeDelegationTokenRequest<'a> {
    #[kafka(nullable = "0+")]
    pub owners: Option<Array<'a, DescribeDelegationTokenOwner<'a>>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeDelegationTokenOwner<'a> {
    pub principal_type: Cow<'a, str>,
    pub principal_name: Cow<'a, str>,
}

/// Answers [`DescribeDelegationTokenRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 41, versions = "0-3", current = "1-3", flexible = "2+")]
pub struct DescribeDelegationTokenResponse<'a> {
    pub error_code: i16,
    pub tokens: Array<'a, DescribedDelegationToken<'a>>,
    pub throttle_time_ms: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribedDelegationToken<'a> {
    pub principal_type: Cow<'a, str>,
    pub principal_name: Cow<'a, str>,
    #[kafka(versions = "3+")]
    pub token_requester_principal_type: Cow<'a, str>,
    #[kafka(versions = "3+")]
    pub token_requester_principal_name: Cow<'a, str>,
    pub issue_timestamp: i64,
    pub expiry_timestamp: i64,
    pub max_timestamp: i64,
    pub token_id: Cow<'a, str>,
    pub hmac: Cow<'a, [u8]>,
    pub renewers: Array<'a, DescribedDelegationTokenRenewer<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribedDelegationTokenRenewer<'a> {
    pub principal_type: Cow<'a, str>,
    pub principal_name: Cow<'a, str>,
}
