//! GetTelemetrySubscriptions, API key 71.

use std::borrow::Cow;

use protocol_derive::Message;

use crate::id::Uuid;
use crate::wire::Array;

/// Asks which client metrics are wanted (KIP-714).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 71, versions = "0", flexible = "0+", listeners(broker))]
pub struct GetTelemetrySubscriptionsRequest {
    pub client_instance_id: Uuid,
}

/// Answers [`GetTelemetrySubscriptionsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 71, versions = "0", flexible = "0+")]
pub struct GetTelemetrySubscriptionsResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub client_instance_id: Uuid,
    pub subscription_id: i32,
    pub accepted_compression_types: Array<'a, i8>,
    pub push_interval_ms: i32,
    pub telemetry_max_bytes: i32,
    pub delta_temporality: bool,
    pub requested_metrics: Array<'a, Cow<'a, str>>,
}
