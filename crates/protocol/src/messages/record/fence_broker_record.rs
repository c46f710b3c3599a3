//! Record type 7 of `__cluster_metadata`.

use protocol_derive::Message;

/// A broker was fenced; superseded by
/// [`BrokerRegistrationChangeRecord`](crate::messages::record::BrokerRegistrationChangeRecord).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 7, versions = "0", flexible = "0+")]
pub struct FenceBrokerRecord {
    pub id: i32,
    pub epoch: i64,
}
