//! Control records.

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// The value of a control record that begins the epoch of a quorum leader (KIP-595).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(data, versions = "0-1", flexible = "0+")]
pub struct LeaderChangeMessage<'a> {
    pub version: i16,
    pub leader_id: i32,
    pub voters: Array<'a, Voter>,
    pub granting_voters: Array<'a, Voter>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Voter {
    pub voter_id: i32,
    #[kafka(versions = "1+")]
    pub voter_directory_id: Uuid,
}
