//! Record type 1 of `__cluster_metadata`.

use protocol_derive::Message;

/// The registration of a broker went.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 1, versions = "0", flexible = "0+")]
pub struct UnregisterBrokerRecord {
    pub broker_id: i32,
    pub broker_epoch: i64,
}
