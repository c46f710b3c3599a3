//! DescribeGroups, API key 15.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks for state and members of classic groups.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 15, versions = "0-6", flexible = "5+", listeners(broker))]
pub struct DescribeGroupsRequest<'a> {
    pub groups: Array<'a, Cow<'a, str>>,
    #[kafka(versions = "3+")]
    pub include_authorized_operations: bool,
}

/// Answers [`DescribeGroupsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 15, versions = "0-6", flexible = "5+")]
pub struct DescribeGroupsResponse<'a> {
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    pub groups: Array<'a, DescribedGroup<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribedGroup<'a> {
    pub error_code: i16,
    #[kafka(versions = "6+", nullable = "6+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
    pub group_id: Cow<'a, str>,
    pub group_state: Cow<'a, str>,
    pub protocol_type: Cow<'a, str>,
    pub protocol_data: Cow<'a, str>,
    pub members: Array<'a, DescribedGroupMember<'a>>,
    #[kafka(versions = "3+", default = -2147483648)]
    pub authorized_operations: i32,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribedGroupMember<'a> {
    pub member_id: Cow<'a, str>,
    #[kafka(versions = "4+", nullable = "4+", default = null, ignorable)]
    pub group_instance_id: Option<Cow<'a, str>>,
    pub client_id: Cow<'a, str>,
    pub client_host: Cow<'a, str>,
    pub member_metadata: Cow<'a, [u8]>,
    pub member_assignment: Cow<'a, [u8]>,
}
