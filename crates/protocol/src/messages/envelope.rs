//! Envelope, API key 58.

use std::borrow::Cow;

use protocol_derive::Message;

/// Carries a request that a broker forwards to the controller for a client (KIP-590).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 58, versions = "0", flexible = "0+", listeners(controller))]
pub struct EnvelopeRequest<'a> {
    pub request_data: Cow<'a, [u8]>,
    #[kafka(nullable = "0+")]
    pub request_principal: Option<Cow<'a, [u8]>>,
    pub client_host_address: Cow<'a, [u8]>,
}

/// Answers [`EnvelopeRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 58, versions = "0", flexible = "0+")]
pub struct EnvelopeResponse<'a> {
    #[kafka(nullable = "0+", default = null)]
    pub response_data: Option<Cow<'a, [u8]>>,
    pub error_code: i16,
}
