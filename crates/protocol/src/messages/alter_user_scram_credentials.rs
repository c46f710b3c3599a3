//! AlterUserScramCredentials, API key 51.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Changes SCRAM credentials of users.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 51, versions = "0", flexible = "0+", listeners(broker, controller))]
pub struct AlterUserScramCredentialsRequest<'a> {
    pub deletions: Array<'a, ScramCredentialDeletion<'a>>,
    pub upsertions: Array<'a, ScramCredentialUpsertion<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ScramCredentialDeletion<'a> {
    pub name: Cow<'a, str>,
    pub mechanism: i8,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ScramCredentialUpsertion<'a> {
    pub name: Cow<'a, str>,
    pub mechanism: i8,
    pub iterations: i32,
    pub salt: Cow<'a, [u8]>,
    pub salted_password: Cow<'a, [u8]>,
}

/// Answers [`AlterUserScramCredentialsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 51, versions = "0", flexible = "0+")]
pub struct AlterUserScramCredentialsResponse<'a> {
    pub throttle_time_ms: i32,
    pub results: Array<'a, AlterUserScramCredentialsResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterUserScramCredentialsResult<'a> {
    pub user: Cow<'a, str>,
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
}
