//! PushTelemetry, API key 72.

use std::borrow::Cow;

use protocol_derive::Message;

use crate::id::Uuid;

/// Pushes client metrics (KIP-714).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 72, versions = "0", flexible = "0+", listeners(broker))]
pub struct PushTelemetryRequest<'a> {
    pub client_instance_id: Uuid,
    pub subscription_id: i32,
    pub terminating: bool,
    pub compression_type: i8,
    pub metrics: Cow<'a, [u8]>,
}

/// Answers [`PushTelemetryRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 72, versions = "0", flexible = "0+")]
pub struct PushTelemetryResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
}
