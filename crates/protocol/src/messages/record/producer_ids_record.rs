//! Record type 15 of `__cluster_metadata`.

use protocol_derive::Message;

/// Producer ids up to here are given out (KIP-730).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 15, versions = "0", flexible = "0+")]
pub struct ProducerIdsRecord {
    pub broker_id: i32,
    #[kafka(default = -1)]
    pub broker_epoch: i64,
    pub next_producer_id: i64,
}
