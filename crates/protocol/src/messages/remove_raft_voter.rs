//! RemoveRaftVoter, API key 81.

use std::borrow::Cow;

use protocol_derive::Message;

use crate::id::Uuid;

/// Removes a voter from the quorum (KIP-853).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 81, versions = "0", flexible = "0+", listeners(controller, broker))]
pub struct RemoveRaftVoterRequest<'a> {
    #[kafka(nullable = "0+")]
    pub cluster_id: Option<Cow<'a, str>>,
    pub voter_id: i32,
    pub voter_directory_id: Uuid,
}

/// Answers [`RemoveRaftVoterRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 81, versions = "0", flexible = "0+")]
pub struct RemoveRaftVoterResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+", ignorable)]
    pub error_message: Option<Cow<'a, str>>,
}
