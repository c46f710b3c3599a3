//! Record type 5 of `__cluster_metadata`.

use protocol_derive::Message;

use crate::id::Uuid;
use crate::wire::Array;

/// A partition changed; what is null stayed as it was.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 5, versions = "0-2", flexible = "0+")]
pub struct PartitionChangeRecord<'a> {
    #[kafka(default = -1)]
    pub partition_id: i32,
    pub topic_id: Uuid,
    #[kafka(nullable = "0+", tag = 0, tagged = "0+", default = null)]
    pub isr: Option<Array<'a, i32>>,
    #[kafka(tag = 1, tagged = "0+", default = -2)]
    pub leader: i32,
    #[kafka(nullable = "0+", tag = 2, tagged = "0+", default = null)]
    pub replicas: Option<Array<'a, i32>>,
    #[kafka(nullable = "0+", tag = 3, tagged = "0+", default = null)]
    pub removing_replicas: Option<Array<'a, i32>>,
    #[kafka(nullable = "0+", tag = 4, tagged = "0+", default = null)]
    pub adding_replicas: Option<Array<'a, i32>>,
    #[kafka(tag = 5, tagged = "0+", default = -1)]
    pub leader_recovery_state: i8,
    #[kafka(versions = "1+", nullable = "1+", tag = 8, tagged = "1+", default = null)]
    pub directories: Option<Array<'a, Uuid>>,
    #[kafka(versions = "2+", nullable = "2+", tag = 6, tagged = "2+", default = null)]
    pub eligible_leader_replicas: Option<Array<'a, i32>>,
    #[kafka(versions = "2+", nullable = "2+", tag = 7, tagged = "2+", default = null)]
    pub last_known_elr: Option<Array<'a, i32>>,
}
