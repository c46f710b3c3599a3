//! CreateAcls, API key 30.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Creates ACLs.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 30, versions = "0-3", current = "1-3", flexible = "2+", listeners(broker, controller))]
pub struct CreateAclsRequest<'a> {
    pub creations: Array<'a, AclCreation<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AclCreation<'a> {
    pub resource_type: i8,
    pub resource_name: Cow<'a, str>,
    #[kafka(versions = "1+", default = 3)]
    pub resource_pattern_type: i8,
    pub principal: Cow<'a, str>,
    pub host: Cow<'a, str>,
    pub operation: i8,
    pub permission_type: i8,
}

/// Answers [`CreateAclsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 30, versions = "0-3", current = "1-3", flexible = "2+")]
pub struct CreateAclsResponse<'a> {
    pub throttle_time_ms: i32,
    pub results: Array<'a, AclCreationResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AclCreationResult<'a> {
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
}
