//! The file `quorum-state`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// What the file `quorum-state` says of elections (KIP-595).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(data, versions = "0-1", flexible = "0+")]
pub struct QuorumStateData<'a> {
    #[kafka(versions = "0")]
    pub cluster_id: Cow<'a, str>,
    #[kafka(default = -1)]
    pub leader_id: i32,
    #[kafka(default = -1)]
    pub leader_epoch: i32,
    #[kafka(default = -1)]
    pub voted_id: i32,
    #[kafka(versions = "1+")]
    pub voted_directory_id: Uuid,
    #[kafka(versions = "0")]
    pub applied_offset: i64,
    #[kafka(versions = "0", nullable = "0")]
    pub current_voters: Option<Array<'a, Voter>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Voter {
    #[kafka(versions = "0")]
    pub voter_id: i32,
}
