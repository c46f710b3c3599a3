//! InitProducerId, 0 to 5: an id for an idempotent producer (KIP-98, KIP-360).
//!
//! 3 lets a producer name the id and epoch it had. A transactional id is for a transaction coordinator; none runs
//! here, which is answered as by a broker that does not coordinate this id: NOT_COORDINATOR.

use protocol::ErrorCode;
use protocol::id::{ProducerEpoch, ProducerId};
use protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use super::Call;

/// Handles one request.
pub async fn handle(call: &Call, request: InitProducerIdRequest<'_>) -> InitProducerIdResponse {
    match init(call, &request).await {
        Ok(producer_id) => InitProducerIdResponse {
            producer_id: producer_id.0,
            producer_epoch: 0,
            ..InitProducerIdResponse::default()
        },
        Err(error) => InitProducerIdResponse {
            error_code: error.into(),
            producer_epoch: ProducerEpoch::NONE.0,
            ..InitProducerIdResponse::default()
        },
    }
}

async fn init(call: &Call, request: &InitProducerIdRequest<'_>) -> Result<ProducerId, ErrorCode> {
    if (request.producer_id == ProducerId::NONE.0) != (request.producer_epoch == ProducerEpoch::NONE.0) {
        return Err(ErrorCode::InvalidRequest);
    }
    match request.transactional_id.as_deref() {
        None => call.broker.producer_ids.next(&call.broker).await,
        Some("") => Err(ErrorCode::InvalidRequest),
        Some(_) => Err(ErrorCode::NotCoordinator),
    }
}
