//! DescribeAcls, API key 29.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks for the ACLs that match a filter.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 29, versions = "0-3", current = "1-3", flexible = "2+", listeners(broker, controller))]
pub struct DescribeAclsRequest<'a> {
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

/// Answers [`DescribeAclsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 29, versions = "0-3", current = "1-3", flexible = "2+")]
pub struct DescribeAclsResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
    pub resources: Array<'a, DescribeAclsResource<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeAclsResource<'a> {
    pub resource_type: i8,
    pub resource_name: Cow<'a, str>,
    #[kafka(versions = "1+", default = 3)]
    pub pattern_type: i8,
    pub acls: Array<'a, AclDescription<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AclDescription<'a> {
    pub principal: Cow<'a, str>,
    pub host: Cow<'a, str>,
    pub operation: i8,
    pub permission_type: i8,
}
