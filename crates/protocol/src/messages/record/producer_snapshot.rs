//! Producer snapshots.

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// A producer snapshot file: the producers of a partition at an offset.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(data, versions = "1")]
pub struct ProducerSnapshot<'a> {
    #[kafka(versions = "1")]
    pub crc: u32,
    #[kafka(versions = "1")]
    pub producer_entries: Array<'a, ProducerEntry>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ProducerEntry {
    #[kafka(versions = "1")]
    pub producer_id: i64,
    #[kafka(versions = "1")]
    pub epoch: i16,
    #[kafka(versions = "1")]
    pub last_sequence: i32,
    #[kafka(versions = "1")]
    pub last_offset: i64,
    #[kafka(versions = "1")]
    pub offset_delta: i32,
    #[kafka(versions = "1")]
    pub timestamp: i64,
    #[kafka(versions = "1")]
    pub coordinator_epoch: i32,
    #[kafka(versions = "1")]
    pub current_txn_first_offset: i64,
}
