//! AlterConfigs, API key 33.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Replaces the configuration of resources; superseded by incremental alteration (KIP-339).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 33, versions = "0-2", flexible = "2+", listeners(broker, controller))]
pub struct AlterConfigsRequest<'a> {
    pub resources: Array<'a, AlterConfigsResource<'a>>,
    pub validate_only: bool,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterConfigsResource<'a> {
    pub resource_type: i8,
    pub resource_name: Cow<'a, str>,
    pub configs: Array<'a, AlterableConfig<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterableConfig<'a> {
    pub name: Cow<'a, str>,
    #[kafka(nullable = "0+")]
    pub value: Option<Cow<'a, str>>,
}

/// Answers [`AlterConfigsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 33, versions = "0-2", flexible = "2+")]
pub struct AlterConfigsResponse<'a> {
    pub throttle_time_ms: i32,
    pub responses: Array<'a, AlterConfigsResourceResponse<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterConfigsResourceResponse<'a> {
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
    pub resource_type: i8,
    pub resource_name: Cow<'a, str>,
}
