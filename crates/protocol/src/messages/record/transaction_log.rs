//! Record type 0 of `__transaction_state`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// A transactional id.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 0, versions = "0")]
pub struct TransactionLogKey<'a> {
    #[kafka(versions = "0")]
    pub transactional_id: Cow<'a, str>,
}

/// State and partitions of a transaction.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 0, versions = "0-1", flexible = "1+")]
pub struct TransactionLogValue<'a> {
    pub producer_id: i64,
    #[kafka(versions = "1+", tag = 0, tagged = "1+", default = -1)]
    pub previous_producer_id: i64,
    #[kafka(versions = "1+", tag = 1, tagged = "1+", default = -1)]
    pub next_producer_id: i64,
    pub producer_epoch: i16,
    #[kafka(versions = "1+", tag = 3, tagged = "1+", default = -1)]
    pub next_producer_epoch: i16,
    pub transaction_timeout_ms: i32,
    pub transaction_status: i8,
    #[kafka(nullable = "0+")]
    pub transaction_partitions: Option<Array<'a, PartitionsSchema<'a>>>,
    pub transaction_last_update_timestamp_ms: i64,
    pub transaction_start_timestamp_ms: i64,
    #[kafka(versions = "1+", tag = 2, tagged = "1+")]
    pub client_transaction_version: i16,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionsSchema<'a> {
    pub topic: Cow<'a, str>,
    pub partition_ids: Array<'a, i32>,
}
