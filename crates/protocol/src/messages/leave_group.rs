//! LeaveGroup, API key 13.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Takes members out of a classic group.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 13, versions = "0-5", flexible = "4+", listeners(broker))]
pub struct LeaveGroupRequest<'a> {
    pub group_id: Cow<'a, str>,
    #[kafka(versions = "0-2")]
    pub member_id: Cow<'a, str>,
    #[kafka(versions = "3+")]
    pub members: Array<'a, MemberIdentity<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct MemberIdentity<'a> {
    #[kafka(versions = "3+")]
    pub member_id: Cow<'a, str>,
    #[kafka(versions = "3+", nullable = "3+", default = null)]
    pub group_instance_id: Option<Cow<'a, str>>,
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub reason: Option<Cow<'a, str>>,
}

/// Answers [`LeaveGroupRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 13, versions = "0-5", flexible = "4+")]
pub struct LeaveGroupResponse<'a> {
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(versions = "3+")]
    pub members: Array<'a, MemberResponse<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct MemberResponse<'a> {
    #[kafka(versions = "3+")]
    pub member_id: Cow<'a, str>,
    #[kafka(versions = "3+", nullable = "3+")]
    pub group_instance_id: Option<Cow<'a, str>>,
    #[kafka(versions = "3+")]
    pub error_code: i16,
}
