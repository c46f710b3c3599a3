//! EndTxn, 0 to 5: commits or aborts a transaction (KIP-98).
//!
//! 2 knows PRODUCER_FENCED (KIP-588), 4 TRANSACTION_ABORTABLE; 5 ends with a new epoch and tells it (KIP-890). The answer
//! is given once the decision stands; markers that can be written at once have been by then.

use coordinator::transaction::{ClientVersion, EndTransaction, Producer};
use protocol::id::{ProducerEpoch, ProducerId};
use protocol::messages::{EndTxnRequest, EndTxnResponse};

use super::Call;

/// The first version that knows PRODUCER_FENCED.
const FENCED_SINCE: i16 = 2;
/// The first version whose transactions each have an epoch of their own.
const EPOCHS_SINCE: i16 = 5;

/// Handles one request.
pub async fn handle(call: &Call, request: EndTxnRequest<'_>) -> EndTxnResponse {
    let id: &str = &request.transactional_id;
    let version = call.asked.version;
    let client = if version >= EPOCHS_SINCE { ClientVersion::V2 } else { ClientVersion::V0 };
    let producer =
        Producer { id: ProducerId(request.producer_id), epoch: ProducerEpoch(request.producer_epoch) };
    let coordinators = &call.broker.coordinators;
    let ended = coordinators.decide_with_id(id, version >= FENCED_SINCE, |shard, ground, fresh| {
        let end = EndTransaction { id, producer, committed: request.committed, client, fresh };
        shard.end(ground, &end)
    });
    match ended.await {
        Ok(next) => {
            coordinators.write_markers_of(id).await;
            let (producer_id, producer_epoch) =
                if version >= EPOCHS_SINCE { (next.id.0, next.epoch.0) } else { (-1, -1) };
            EndTxnResponse { producer_id, producer_epoch, ..EndTxnResponse::default() }
        }
        Err(error) => EndTxnResponse { error_code: error.into(), ..EndTxnResponse::default() },
    }
}
