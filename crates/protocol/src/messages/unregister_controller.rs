//! UnregisterController, API key 94.

use std::borrow::Cow;

use protocol_derive::Message;

/// Takes the registration of a controller away.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 94, versions = "0", flexible = "0+", listeners(broker, controller))]
pub struct UnregisterControllerRequest {
    pub controller_id: i32,
}

/// Answers [`UnregisterControllerRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 94, versions = "0", flexible = "0+")]
pub struct UnregisterControllerResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
}
