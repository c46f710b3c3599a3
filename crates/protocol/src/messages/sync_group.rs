//! SyncGroup, API key 14.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Hands in the assignment of a classic group, as its leader, and asks for the own one.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 14, versions = "0-5", flexible = "4+", listeners(broker))]
pub struct SyncGroupRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub generation_id: i32,
    pub member_id: Cow<'a, str>,
    #[kafka(versions = "3+", nullable = "3+", default = null)]
    pub group_instance_id: Option<Cow<'a, str>>,
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub protocol_type: Option<Cow<'a, str>>,
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub protocol_name: Option<Cow<'a, str>>,
    pub assignments: Array<'a, SyncGroupRequestAssignment<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct SyncGroupRequestAssignment<'a> {
    pub member_id: Cow<'a, str>,
    pub assignment: Cow<'a, [u8]>,
}

/// Answers [`SyncGroupRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 14, versions = "0-5", flexible = "4+")]
pub struct SyncGroupResponse<'a> {
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub protocol_type: Option<Cow<'a, str>>,
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub protocol_name: Option<Cow<'a, str>>,
    pub assignment: Cow<'a, [u8]>,
}
