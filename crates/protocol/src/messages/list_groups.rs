//! ListGroups, API key 16.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks for the groups that the broker coordinates.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 16, versions = "0-5", flexible = "3+", listeners(broker))]
pub struct ListGroupsRequest<'a> {
    #[kafka(versions = "4+")]
    pub states_filter: Array<'a, Cow<'a, str>>,
    #[kafka(versions = "5+")]
    pub types_filter: Array<'a, Cow<'a, str>>,
}

/// Answers [`ListGroupsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 16, versions = "0-5", flexible = "3+")]
pub struct ListGroupsResponse<'a> {
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub groups: Array<'a, ListedGroup<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ListedGroup<'a> {
    pub group_id: Cow<'a, str>,
    pub protocol_type: Cow<'a, str>,
    #[kafka(versions = "4+", ignorable)]
    pub group_state: Cow<'a, str>,
    #[kafka(versions = "5+", ignorable)]
    pub group_type: Cow<'a, str>,
}
