//! InitProducerId, 0 to 6: an id and epoch for an idempotent or transactional producer (KIP-98, KIP-360).
//!
//! 3 lets a producer name the id and epoch it had, 4 knows PRODUCER_FENCED (KIP-588); 6, which is still in development,
//! adds two-phase commit (KIP-939). Whoever asks for a transactional id fences the producer that had it before, and
//! hears CONCURRENT_TRANSACTIONS while that one's transaction is being aborted.

use coordinator::transaction::{InitProducerId, Initialized, Producer};
use protocol::ErrorCode;
use protocol::id::{ProducerEpoch, ProducerId};
use protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use super::Call;

/// The first version that knows PRODUCER_FENCED.
const FENCED_SINCE: i16 = 4;

/// Handles one request.
pub async fn handle(call: &Call, request: InitProducerIdRequest<'_>) -> InitProducerIdResponse {
    match init(call, &request).await {
        Ok(producer) => InitProducerIdResponse {
            producer_id: producer.id.0,
            producer_epoch: producer.epoch.0,
            ..InitProducerIdResponse::default()
        },
        Err(error) => InitProducerIdResponse {
            error_code: error.into(),
            producer_epoch: ProducerEpoch::NONE.0,
            ..InitProducerIdResponse::default()
        },
    }
}

async fn init(call: &Call, request: &InitProducerIdRequest<'_>) -> Result<Producer, ErrorCode> {
    let named =
        Producer { id: ProducerId(request.producer_id), epoch: ProducerEpoch(request.producer_epoch) };
    let expected = match (named.id == ProducerId::NONE, named.epoch == ProducerEpoch::NONE) {
        (true, true) => None,
        (false, false) => Some(named),
        _ => return Err(ErrorCode::InvalidRequest),
    };
    let Some(id) = request.transactional_id.as_deref() else {
        let id = call.broker.producer_ids.next().await?;
        return Ok(Producer { id, epoch: ProducerEpoch(0) });
    };
    let coordinators = &call.broker.coordinators;
    let knows_fenced = call.asked.version >= FENCED_SINCE;
    let initialized = coordinators.decide_with_id(id, knows_fenced, |shard, ground, fresh| {
        let init = InitProducerId {
            id,
            timeout: request.transaction_timeout_ms,
            expected,
            two_phase: request.enable2_pc,
            keep_prepared: request.keep_prepared_txn,
            fresh,
        };
        shard.init_producer_id(ground, &init)
    });
    match initialized.await? {
        Initialized::Done(producer) => Ok(producer),
        Initialized::Aborting => {
            coordinators.write_markers_of(id).await;
            Err(ErrorCode::ConcurrentTransactions)
        }
    }
}
