//! ListTransactions, API key 66.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks for the transactions that the broker coordinates (KIP-664).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 66, versions = "0-2", flexible = "0+", listeners(broker))]
pub struct ListTransactionsRequest<'a> {
    pub state_filters: Array<'a, Cow<'a, str>>,
    pub producer_id_filters: Array<'a, i64>,
    #[kafka(versions = "1+", default = -1)]
    pub duration_filter: i64,
    #[kafka(versions = "2+", nullable = "2+", default = null)]
    pub transactional_id_pattern: Option<Cow<'a, str>>,
}

/// Answers [`ListTransactionsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 66, versions = "0-2", flexible = "0+")]
pub struct ListTransactionsResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub unknown_state_filters: Array<'a, Cow<'a, str>>,
    pub transaction_states: Array<'a, TransactionState<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TransactionState<'a> {
    pub transactional_id: Cow<'a, str>,
    pub producer_id: i64,
    pub transaction_state: Cow<'a, str>,
}
