//! SaslAuthenticate, API key 36.

use std::borrow::Cow;

use protocol_derive::Message;

/// Carries the bytes of a SASL exchange.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 36, versions = "0-2", flexible = "2+", listeners(broker, controller))]
pub struct SaslAuthenticateRequest<'a> {
    pub auth_bytes: Cow<'a, [u8]>,
}

/// Answers [`SaslAuthenticateRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 36, versions = "0-2", flexible = "2+")]
pub struct SaslAuthenticateResponse<'a> {
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
    pub auth_bytes: Cow<'a, [u8]>,
    #[kafka(versions = "1+", ignorable)]
    pub session_lifetime_ms: i64,
}
