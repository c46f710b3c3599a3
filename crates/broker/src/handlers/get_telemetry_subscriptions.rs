//! GetTelemetrySubscriptions, 0: which metrics a client is to push (KIP-714).
//!
//! No plugin receives client metrics here, so there is never a subscription. Clients are told so, with an id of
//! their own and Kafka's default interval, and push nothing.

use protocol::id::Uuid;
use protocol::messages::{GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse};
use protocol::records::checksum::crc32c;

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
    let id = if id.is_zero() { Uuid(uuid::Uuid::new_v4().into_bytes()) } else { id };
    GetTelemetrySubscriptionsResponse {
        client_instance_id: id,
        subscription_id: subscription_id(id),
        accepted_compression_types: ACCEPTED_COMPRESSION.into(),
        push_interval_ms: PUSH_INTERVAL_MS,
        telemetry_max_bytes: call.broker.config().telemetry_bytes_max,
        delta_temporality: true,
        ..GetTelemetrySubscriptionsResponse::default()
    }
}

/// The id of what a client is to push, as Kafka makes it: of the metrics, none here, the interval and the client's id.
fn subscription_id(client: Uuid) -> i32 {
    let of_metrics = crc32c(format!("[]{PUSH_INTERVAL_MS}").as_bytes());
    let client = u128::from_be_bytes(client.0);
    // The four words of an id folded into one, which is how Java hashes it.
    let of_client = [96, 64, 32, 0].into_iter().fold(0, |folded, shift| folded ^ (client >> shift) as u32);
    (of_metrics ^ of_client).cast_signed()
}
