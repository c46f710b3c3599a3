//! AddRaftVoter, API key 80.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Adds a voter to the quorum (KIP-853).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 80, versions = "0-1", flexible = "0+", listeners(controller, broker))]
pub struct AddRaftVoterRequest<'a> {
    #[kafka(nullable = "0+")]
    pub cluster_id: Option<Cow<'a, str>>,
    pub timeout_ms: i32,
    pub voter_id: i32,
    pub voter_directory_id: Uuid,
    pub listeners: Array<'a, Listener<'a>>,
    #[kafka(versions = "1+", default = true)]
    pub ack_when_committed: bool,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Listener<'a> {
    pub name: Cow<'a, str>,
    pub host: Cow<'a, str>,
    pub port: u16,
}

/// Answers [`AddRaftVoterRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 80, versions = "0-1", flexible = "0+")]
pub struct AddRaftVoterResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+", ignorable)]
    pub error_message: Option<Cow<'a, str>>,
}
