//! DescribeTransactions, 0: what the coordinator knows of transactional ids (KIP-664).

use coordinator::transaction::{Described, TxnPartition};
use protocol::ErrorCode;
use protocol::messages::describe_transactions::{TopicData, TransactionState};
use protocol::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};

use super::Call;
use crate::runtime::coordinators::coded;

/// Handles one request.
pub async fn handle<'a>(
    call: &Call,
    request: DescribeTransactionsRequest<'a>,
) -> DescribeTransactionsResponse<'a> {
    let mut states = Vec::new();
    for id in &request.transactional_ids {
        let described = describe(call, &id).await;
        let state = match described {
            Ok(known) => TransactionState {
                transaction_state: known.state.name().into(),
                transaction_timeout_ms: known.timeout,
                transaction_start_time_ms: known.start.0,
                producer_id: known.producer.id.0,
                producer_epoch: known.producer.epoch.0,
                topics: topics(known.partitions).into(),
                ..TransactionState::default()
            },
            Err(error) => TransactionState { error_code: error.into(), ..TransactionState::default() },
        };
        states.push(TransactionState { transactional_id: id, ..state });
    }
    DescribeTransactionsResponse {
        transaction_states: states.into(),
        ..DescribeTransactionsResponse::default()
    }
}

async fn describe(call: &Call, id: &str) -> Result<Described, ErrorCode> {
    if id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    match call.broker.coordinators.transactions.read(id, |shard| shard.describe(id)).await {
        Ok(described) => described.map_err(|refusal| refusal.code(true)),
        Err(error) => Err(coded(error, true)),
    }
}

fn topics<'a>(partitions: Vec<TxnPartition>) -> Vec<TopicData<'a>> {
    let mut topics: Vec<(std::sync::Arc<str>, Vec<i32>)> = Vec::new();
    for partition in partitions {
        match topics.last_mut() {
            Some((topic, indexes)) if *topic == partition.topic => indexes.push(partition.index.0),
            _ => topics.push((partition.topic, vec![partition.index.0])),
        }
    }
    let told = topics.into_iter().map(|(topic, indexes)| TopicData {
        topic: topic.as_ref().to_owned().into(),
        partitions: indexes.into(),
    });
    told.collect()
}
