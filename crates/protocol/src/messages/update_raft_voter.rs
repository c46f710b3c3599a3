//! UpdateRaftVoter, API key 82.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Updates endpoints and versions of a voter of the quorum (KIP-853).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 82, versions = "0", flexible = "0+", listeners(controller))]
pub struct UpdateRaftVoterRequest<'a> {
    #[kafka(nullable = "0+")]
    pub cluster_id: Option<Cow<'a, str>>,
    pub current_leader_epoch: i32,
    pub voter_id: i32,
    pub voter_directory_id: Uuid,
    pub listeners: Array<'a, Listener<'a>>,
    #[kafka(name = "KRaftVersionFeature")]
    pub kraft_version_feature: KRaftVersionFeature,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Listener<'a> {
    pub name: Cow<'a, str>,
    pub host: Cow<'a, str>,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct KRaftVersionFeature {
    pub min_supported_version: i16,
    pub max_supported_version: i16,
}

/// Answers [`UpdateRaftVoterRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 82, versions = "0", flexible = "0+")]
pub struct UpdateRaftVoterResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(tag = 0, tagged = "0+")]
    pub current_leader: CurrentLeader<'a>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CurrentLeader<'a> {
    #[kafka(default = -1)]
    pub leader_id: i32,
    #[kafka(default = -1)]
    pub leader_epoch: i32,
    pub host: Cow<'a, str>,
    pub port: i32,
}
