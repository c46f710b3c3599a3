//! AddOffsetsToTxn, 0 to 4: a transaction will commit offsets of a group (KIP-98).
//!
//! It comes to adding the partition of `__consumer_offsets` that the group belongs to. 2 knows PRODUCER_FENCED (KIP-588),
//! 4 TRANSACTION_ABORTABLE (KIP-890).

use coordinator::partitioning::partition_of;
use coordinator::transaction::{ClientVersion, Producer, TxnPartition};
use protocol::ErrorCode;
use protocol::id::{ProducerEpoch, ProducerId};
use protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use super::Call;
use crate::runtime::coordinators::{InternalTopic, coded};

/// The first version that knows PRODUCER_FENCED.
const FENCED_SINCE: i16 = 2;

/// Handles one request.
pub async fn handle(call: &Call, request: AddOffsetsToTxnRequest<'_>) -> AddOffsetsToTxnResponse {
    let id: &str = &request.transactional_id;
    let producer =
        Producer { id: ProducerId(request.producer_id), epoch: ProducerEpoch(request.producer_epoch) };
    let partitions = [offsets_of(call, &request.group_id)];
    let added = call.broker.coordinators.transactions.submit(id, |shard, ground| {
        shard.add_partitions(ground, id, producer, &partitions, ClientVersion::V0)
    });
    let error = match added.await {
        Ok(()) => ErrorCode::None,
        Err(error) => {
            tracing::debug!(transactional_id = id, %error, "offsets not added to a transaction");
            coded(error, call.asked.version >= FENCED_SINCE)
        }
    };
    AddOffsetsToTxnResponse { error_code: error.into(), ..AddOffsetsToTxnResponse::default() }
}

/// The partition that keeps the offsets of a group, as it will be once there is one.
fn offsets_of(call: &Call, group: &str) -> TxnPartition {
    let topic = InternalTopic::offsets(&call.broker.config());
    let count = call.broker.image().topics.by_name(topic.name).map(|topic| topic.partitions.len());
    let count = count.and_then(|count| u32::try_from(count).ok());
    let index = partition_of(group, count.or(u32::try_from(topic.partitions).ok()).unwrap_or(1));
    TxnPartition { topic: topic.name.into(), index }
}
