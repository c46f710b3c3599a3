//! InitProducerId, API key 22.

use std::borrow::Cow;

use protocol_derive::Message;

/// Asks for a producer id and epoch, for a transactional id or without one.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 22, versions = "0-6", unstable = "6", flexible = "2+", listeners(broker))]
pub struct InitProducerIdRequest<'a> {
    #[kafka(nullable = "0+")]
    pub transactional_id: Option<Cow<'a, str>>,
    pub transaction_timeout_ms: i32,
    #[kafka(versions = "3+", default = -1)]
    pub producer_id: i64,
    #[kafka(versions = "3+", default = -1)]
    pub producer_epoch: i16,
    #[kafka(versions = "6+")]
    pub enable2_pc: bool,
    #[kafka(versions = "6+")]
    pub keep_prepared_txn: bool,
}

/// Answers [`InitProducerIdRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 22, versions = "0-6", flexible = "2+")]
pub struct InitProducerIdResponse {
    #[kafka(ignorable)]
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(default = -1)]
    pub producer_id: i64,
    pub producer_epoch: i16,
    #[kafka(versions = "6+", default = -1)]
    pub ongoing_txn_producer_id: i64,
    #[kafka(versions = "6+", default = -1)]
    pub ongoing_txn_producer_epoch: i16,
}
