//! ListTransactions, 0 to 2: the transactions that this broker coordinates (KIP-664).
//!
//! 1 asks for those that run for so long (KIP-994), 2 for those whose id fits a pattern (KIP-1152).

use coordinator::group::subscription::Pattern;
use coordinator::transaction::ListFilter;
use protocol::ErrorCode;
use protocol::id::ProducerId;
use protocol::messages::list_transactions::TransactionState;
use protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};

use super::Call;
use crate::runtime::coordinators::coded;

/// Handles one request.
pub async fn handle<'a>(call: &Call, request: ListTransactionsRequest<'a>) -> ListTransactionsResponse<'a> {
    let refused = |error: ErrorCode| ListTransactionsResponse {
        error_code: error.into(),
        ..ListTransactionsResponse::default()
    };
    let pattern = request.transactional_id_pattern.as_deref().filter(|pattern| !pattern.is_empty());
    let Ok(pattern) = pattern.map(Pattern::compile).transpose() else {
        return refused(ErrorCode::InvalidRegularExpression);
    };
    let names: Vec<_> = request.state_filters.iter().collect();
    let producers = request.producer_id_filters.iter().map(ProducerId);
    let (filter, unknown) =
        ListFilter::parse(names.iter().map(|name| &**name), producers, request.duration_filter);
    let matches = |id: &str| pattern.as_ref().is_none_or(|pattern| pattern.matches(id));
    let now = call.broker.now();
    let listed = call.broker.coordinators.transactions.read_all(|shard| shard.list(&filter, now, matches));
    match listed.await {
        Ok(listed) => {
            let states = listed.into_iter().flatten().map(|one| TransactionState {
                transactional_id: one.id.as_ref().to_owned().into(),
                producer_id: one.producer.0,
                transaction_state: one.state.name().into(),
            });
            ListTransactionsResponse {
                transaction_states: states.collect(),
                unknown_state_filters: unknown.into_iter().map(Into::into).collect(),
                ..ListTransactionsResponse::default()
            }
        }
        Err(error) => refused(coded(error, true)),
    }
}
