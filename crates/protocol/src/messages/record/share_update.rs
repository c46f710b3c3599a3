//! Record type 1 of `__share_group_state`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// A share partition, whose state changes (KIP-932).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 1, versions = "0")]
pub struct ShareUpdateKey<'a> {
    #[kafka(versions = "0")]
    pub group_id: Cow<'a, str>,
    #[kafka(versions = "0")]
    pub topic_id: Uuid,
    #[kafka(versions = "0")]
    pub partition: i32,
}

/// What changed in the state of a share partition.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 1, versions = "0", flexible = "0+")]
pub struct ShareUpdateValue<'a> {
    pub snapshot_epoch: i32,
    pub leader_epoch: i32,
    pub start_offset: i64,
    #[kafka(tag = 0, tagged = "0+", default = -1)]
    pub delivery_complete_count: i32,
    pub state_batches: Array<'a, StateBatch>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct StateBatch {
    pub first_offset: i64,
    pub last_offset: i64,
    pub delivery_state: i8,
    pub delivery_count: i16,
}
