//! DescribeUserScramCredentials, API key 50.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks which SCRAM credentials users have.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 50, versions = "0", flexible = "0+", listeners(broker, controller))]
pub struct DescribeUserScramCredentialsRequest<'a> {
    #[kafka(nullable = "0+")]
    pub users: Option<Array<'a, UserName<'a>>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct UserName<'a> {
    pub name: Cow<'a, str>,
}

/// Answers [`DescribeUserScramCredentialsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 50, versions = "0", flexible = "0+")]
pub struct DescribeUserScramCredentialsResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
    pub results: Array<'a, DescribeUserScramCredentialsResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeUserScramCredentialsResult<'a> {
    pub user: Cow<'a, str>,
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
    pub credential_infos: Array<'a, CredentialInfo>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CredentialInfo {
    pub mechanism: i8,
    pub iterations: i32,
}
