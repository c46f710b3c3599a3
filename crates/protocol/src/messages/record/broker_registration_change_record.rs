//! Record type 17 of `__cluster_metadata`.

use protocol_derive::Message;

use crate::id::Uuid;
use crate::wire::Array;

/// The registration of a broker changed.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 17, versions = "0-3", flexible = "0+")]
pub struct BrokerRegistrationChangeRecord<'a> {
    pub broker_id: i32,
    pub broker_epoch: i64,
    #[kafka(tag = 0, tagged = "0+")]
    pub fenced: i8,
    #[kafka(versions = "1+", tag = 1, tagged = "1+")]
    pub in_controlled_shutdown: i8,
    #[kafka(versions = "2+", tag = 2, tagged = "2+")]
    pub log_dirs: Array<'a, Uuid>,
    #[kafka(versions = "3+", nullable = "3+", tag = 3, tagged = "3+", default = null)]
    pub cordoned_log_dirs: Option<Array<'a, Uuid>>,
}
