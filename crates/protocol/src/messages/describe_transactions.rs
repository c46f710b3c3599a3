//! DescribeTransactions, API key 65.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks for the state of transactions (KIP-664).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 65, versions = "0", flexible = "0+", listeners(broker))]
pub struct DescribeTransactionsRequest<'a> {
    pub transactional_ids: Array<'a, Cow<'a, str>>,
}

/// Answers [`DescribeTransactionsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 65, versions = "0", flexible = "0+")]
pub struct DescribeTransactionsResponse<'a> {
    pub throttle_time_ms: i32,
    pub transaction_states: Array<'a, TransactionState<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TransactionState<'a> {
    pub error_code: i16,
    pub transactional_id: Cow<'a, str>,
    pub transaction_state: Cow<'a, str>,
    pub transaction_timeout_ms: i32,
    pub transaction_start_time_ms: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub topics: Array<'a, TopicData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicData<'a> {
    pub topic: Cow<'a, str>,
    pub partitions: Array<'a, i32>,
}
