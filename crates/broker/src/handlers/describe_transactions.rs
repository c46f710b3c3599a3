//! DescribeTransactions, 0: what the coordinator knows of transactional ids (KIP-664).

use std::collections::BTreeMap;

use coordinator::transaction::{Described, TxnPartition};
use protocol::ErrorCode;
use protocol::messages::InPieces;
use protocol::messages::describe_transactions::{TopicData, TransactionState};
use protocol::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};

use super::Call;
use crate::runtime::coordinators::coded;

/// Handles one request.
pub async fn handle<'a>(
    call: &Call,
    request: DescribeTransactionsRequest<'a>,
) -> InPieces<'a, DescribeTransactionsResponse<'a>> {
    let ids = request.transactional_ids.into_vec();
    // However often an id is named, it is looked at and held once.
    let mut known = BTreeMap::new();
    for id in &ids {
        if !known.contains_key(id) {
            known.insert(id.clone(), describe(call, id).await);
        }
    }
    let count = ids.len();
    let state = move |place: usize| {
        let id = &ids[place];
        let state = match &known[id] {
            Ok(known) => TransactionState {
                transaction_state: known.state.name().into(),
                transaction_timeout_ms: known.timeout,
                transaction_start_time_ms: known.start.0,
                producer_id: known.producer.id.0,
                producer_epoch: known.producer.epoch.0,
                topics: topics(&known.partitions).into(),
                ..TransactionState::default()
            },
            Err(error) => TransactionState { error_code: (*error).into(), ..TransactionState::default() },
        };
        TransactionState { transactional_id: id.clone(), ..state }
    };
    let response = DescribeTransactionsResponse::default();
    InPieces::new(response, |response| &response.transaction_states, count, state)
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

fn topics<'a>(partitions: &[TxnPartition]) -> Vec<TopicData<'a>> {
    let mut topics: Vec<(&str, Vec<i32>)> = Vec::new();
    for partition in partitions {
        match topics.last_mut() {
            Some((topic, indexes)) if **topic == *partition.topic => indexes.push(partition.index.0),
            _ => topics.push((&partition.topic, vec![partition.index.0])),
        }
    }
    let told = topics
        .into_iter()
        .map(|(topic, indexes)| TopicData { topic: topic.to_owned().into(), partitions: indexes.into() });
    told.collect()
}
