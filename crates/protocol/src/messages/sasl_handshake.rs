//! SaslHandshake, API key 17.

use std::borrow::Cow;

use protocol_derive::Message;

use crate::wire::Array;

/// Chooses the SASL mechanism.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 17, versions = "0-1", listeners(broker, controller))]
pub struct SaslHandshakeRequest<'a> {
    pub mechanism: Cow<'a, str>,
}

/// Answers [`SaslHandshakeRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 17, versions = "0-1")]
pub struct SaslHandshakeResponse<'a> {
    pub error_code: i16,
    pub mechanisms: Array<'a, Cow<'a, str>>,
}
