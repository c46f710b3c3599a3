//! AddPartitionsToTxn, API key 24.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Adds partitions to a transaction, or asks whether they are in it (KIP-890).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 24, versions = "0-5", flexible = "3+", listeners(broker))]
pub struct AddPartitionsToTxnRequest<'a> {
    #[kafka(versions = "4+")]
    pub transactions: Array<'a, AddPartitionsToTxnTransaction<'a>>,
    #[kafka(versions = "0-3")]
    pub v3_and_below_transactional_id: Cow<'a, str>,
    #[kafka(versions = "0-3")]
    pub v3_and_below_producer_id: i64,
    #[kafka(versions = "0-3")]
    pub v3_and_below_producer_epoch: i16,
    #[kafka(versions = "0-3")]
    pub v3_and_below_topics: Array<'a, AddPartitionsToTxnTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AddPartitionsToTxnTransaction<'a> {
    #[kafka(versions = "4+")]
    pub transactional_id: Cow<'a, str>,
    #[kafka(versions = "4+")]
    pub producer_id: i64,
    #[kafka(versions = "4+")]
    pub producer_epoch: i16,
    #[kafka(versions = "4+")]
    pub verify_only: bool,
    #[kafka(versions = "4+")]
    pub topics: Array<'a, AddPartitionsToTxnTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AddPartitionsToTxnTopic<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Array<'a, i32>,
}

/// Answers [`AddPartitionsToTxnRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 24, versions = "0-5", flexible = "3+")]
pub struct AddPartitionsToTxnResponse<'a> {
    pub throttle_time_ms: i32,
    #[kafka(versions = "4+", ignorable)]
    pub error_code: i16,
    #[kafka(versions = "4+")]
    pub results_by_transaction: Array<'a, AddPartitionsToTxnResult<'a>>,
    #[kafka(versions = "0-3")]
    pub results_by_topic_v3_and_below: Array<'a, AddPartitionsToTxnTopicResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AddPartitionsToTxnResult<'a> {
    #[kafka(versions = "4+")]
    pub transactional_id: Cow<'a, str>,
    #[kafka(versions = "4+")]
    pub topic_results: Array<'a, AddPartitionsToTxnTopicResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AddPartitionsToTxnTopicResult<'a> {
    pub name: Cow<'a, str>,
    pub results_by_partition: Array<'a, AddPartitionsToTxnPartitionResult>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AddPartitionsToTxnPartitionResult {
    pub partition_index: i32,
    pub partition_error_code: i16,
}
