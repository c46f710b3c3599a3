//! Forwarded principals.

use std::borrow::Cow;

use protocol_derive::Message;

/// A principal, as [`EnvelopeRequest`](crate::messages::EnvelopeRequest) carries it.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(data, versions = "0", flexible = "0+")]
pub struct DefaultPrincipalData<'a> {
    pub r#type: Cow<'a, str>,
    pub name: Cow<'a, str>,
    pub token_authenticated: bool,
}
