//! JoinGroup, API key 11.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Joins a classic group, or joins again in a rebalance.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 11, versions = "0-9", flexible = "6+", listeners(broker))]
pub struct JoinGroupRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub session_timeout_ms: i32,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub rebalance_timeout_ms: i32,
    pub member_id: Cow<'a, str>,
    #[kafka(versions = "5+", nullable = "5+", default = null)]
    pub group_instance_id: Option<Cow<'a, str>>,
    pub protocol_type: Cow<'a, str>,
    pub protocols: Array<'a, JoinGroupRequestProtocol<'a>>,
    #[kafka(versions = "8+", nullable = "8+", default = null, ignorable)]
    pub reason: Option<Cow<'a, str>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct JoinGroupRequestProtocol<'a> {
    pub name: Cow<'a, str>,
    pub metadata: Cow<'a, [u8]>,
}

/// Answers [`JoinGroupRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 11, versions = "0-9", flexible = "6+")]
pub struct JoinGroupResponse<'a> {
    #[kafka(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(default = -1)]
    pub generation_id: i32,
    #[kafka(versions = "7+", nullable = "7+", default = null, ignorable)]
    pub protocol_type: Option<Cow<'a, str>>,
    #[kafka(nullable = "7+")]
    pub protocol_name: Option<Cow<'a, str>>,
    pub leader: Cow<'a, str>,
    #[kafka(versions = "9+")]
    pub skip_assignment: bool,
    pub member_id: Cow<'a, str>,
    pub members: Array<'a, JoinGroupResponseMember<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct JoinGroupResponseMember<'a> {
    pub member_id: Cow<'a, str>,
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub group_instance_id: Option<Cow<'a, str>>,
    pub metadata: Cow<'a, [u8]>,
}
