//! DeleteAcls, API key 31.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Deletes the ACLs that match filters.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 31, versions = "0-3", current = "1-3", flexible = "2+", listeners(broker, controller))]
pub struct DeleteAclsRequest<'a> {
    pub filters: Array<'a, DeleteAclsFilter<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteAclsFilter<'a> {
    pub resource_type_filter: i8,
    #[kafka(nullable = "0+")]
    pub resource_name_filter: Option<Cow<'a, str>>,
    #[kafka(versions = "1+", default = 3)]
    pub pattern_type_filter: i8,
    #[kafka(nullable = "0+")]
    pub principal_filter: Option<Cow<'a, str>>,
    #[kafka(nullable = "0+")]
    pub host_filter: Option<Cow<'a, str>>,
    pub operation: i8,
    pub permission_type: i8,
}

/// Answers [`DeleteAclsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 31, versions = "0-3", current = "1-3", flexible = "2+")]
pub struct DeleteAclsResponse<'a> {
    pub throttle_time_ms: i32,
    pub filter_results: Array<'a, DeleteAclsFilterResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteAclsFilterResult<'a> {
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
    pub matching_acls: Array<'a, DeleteAclsMatchingAcl<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteAclsMatchingAcl<'a> {
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
    pub resource_type: i8,
    pub resource_name: Cow<'a, str>,
    #[kafka(versions = "1+", default = 3)]
    pub pattern_type: i8,
    pub principal: Cow<'a, str>,
    pub host: Cow<'a, str>,
    pub operation: i8,
    pub permission_type: i8,
}
