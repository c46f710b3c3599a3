//! Record type 11 of `__cluster_metadata`.

use std::borrow::Cow;

use protocol_derive::Message;

/// A SCRAM credential came or changed.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 11, versions = "0", flexible = "0+")]
pub struct UserScramCredentialRecord<'a> {
    pub name: Cow<'a, str>,
    pub mechanism: i8,
    pub salt: Cow<'a, [u8]>,
    pub stored_key: Cow<'a, [u8]>,
    pub server_key: Cow<'a, [u8]>,
    pub iterations: i32,
}
