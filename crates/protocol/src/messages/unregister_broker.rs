//! UnregisterBroker, API key 64.

use std::borrow::Cow;

use protocol_derive::Message;

/// Takes the registration of a broker away.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 64, versions = "0", flexible = "0+", listeners(broker, controller))]
pub struct UnregisterBrokerRequest {
    pub broker_id: i32,
}

/// Answers [`UnregisterBrokerRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 64, versions = "0", flexible = "0+")]
pub struct UnregisterBrokerResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
}
