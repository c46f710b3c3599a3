//! GetTelemetrySubscriptions, 0: which metrics a client is to push (KIP-714).
//!
//! No plugin receives client metrics here, so there is never a subscription. Clients are told so, with an id of
//! their own and Kafka's default interval, and push nothing.

use protocol::id::Uuid;
use protocol::messages::{GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse};

use super::Call;

/// zstd, lz4, gzip, snappy: Kafka's order of preference.
const ACCEPTED_COMPRESSION: [i8; 4] = [4, 3, 1, 2];
const PUSH_INTERVAL_MS: i32 = 300_000;

/// Handles one request.
pub async fn handle(
    call: &Call,
    request: GetTelemetrySubscriptionsRequest,
) -> GetTelemetrySubscriptionsResponse<'static> {
    let id = request.client_instance_id;
    GetTelemetrySubscriptionsResponse {
        client_instance_id: if id.is_zero() { Uuid(uuid::Uuid::new_v4().into_bytes()) } else { id },
        accepted_compression_types: ACCEPTED_COMPRESSION.into(),
        push_interval_ms: PUSH_INTERVAL_MS,
        telemetry_max_bytes: call.broker.config().telemetry_bytes_max,
        delta_temporality: true,
        ..GetTelemetrySubscriptionsResponse::default()
    }
}
