//! DeleteGroups, API key 42.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Deletes groups.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 42, versions = "0-3", flexible = "2+", listeners(broker))]
pub struct DeleteGroupsRequest<'a> {
    pub groups_names: Array<'a, Cow<'a, str>>,
}

/// Answers [`DeleteGroupsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 42, versions = "0-3", flexible = "2+")]
pub struct DeleteGroupsResponse<'a> {
    pub throttle_time_ms: i32,
    pub results: Array<'a, DeletableGroupResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeletableGroupResult<'a> {
    pub group_id: Cow<'a, str>,
    pub error_code: i16,
    #[kafka(versions = "3+", nullable = "3+", default = null, ignorable)]
    pub error_message: Option<Cow<'a, str>>,
}
