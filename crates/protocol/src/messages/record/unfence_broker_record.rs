//! Record type 8 of `__cluster_metadata`.

use protocol_derive::Message;

/// A broker was unfenced; superseded by
/// [`BrokerRegistrationChangeRecord`](crate::messages::record::BrokerRegistrationChangeRecord).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 8, versions = "0", flexible = "0+")]
pub struct UnfenceBrokerRecord {
    pub id: i32,
    pub epoch: i64,
}
