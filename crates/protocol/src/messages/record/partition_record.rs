//! Record type 3 of `__cluster_metadata`.

use protocol_derive::Message;

use crate::id::Uuid;
use crate::wire::Array;

/// A partition came, or its whole state in a snapshot.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 3, versions = "0-2", flexible = "0+")]
pub struct PartitionRecord<'a> {
    #[kafka(default = -1)]
    pub partition_id: i32,
    pub topic_id: Uuid,
    pub replicas: Array<'a, i32>,
    pub isr: Array<'a, i32>,
    pub removing_replicas: Array<'a, i32>,
    pub adding_replicas: Array<'a, i32>,
    #[kafka(default = -1)]
    pub leader: i32,
    #[kafka(tag = 0, tagged = "0+")]
    pub leader_recovery_state: i8,
    #[kafka(default = -1)]
    pub leader_epoch: i32,
    #[kafka(default = -1)]
    pub partition_epoch: i32,
    #[kafka(versions = "1+")]
    pub directories: Array<'a, Uuid>,
    #[kafka(versions = "2+", nullable = "2+", tag = 1, tagged = "2+", default = null)]
    pub eligible_leader_replicas: Option<Array<'a, i32>>,
    #[kafka(versions = "2+", nullable = "2+", tag = 2, tagged = "2+", default = null)]
    pub last_known_elr: Option<Array<'a, i32>>,
}
