//! Heartbeat, API key 12.

use std::borrow::Cow;

use protocol_derive::Message;

/// Keeps a member of a classic group alive.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 12, versions = "0-4", flexible = "4+", listeners(broker))]
pub struct HeartbeatRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub generation_id: i32,
    pub member_id: Cow<'a, str>,
    #[kafka(versions = "3+", nullable = "3+", default = null)]
    pub group_instance_id: Option<Cow<'a, str>>,
}

/// Answers [`HeartbeatRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 12, versions = "0-4", flexible = "4+")]
pub struct HeartbeatResponse {
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    pub error_code: i16,
}
