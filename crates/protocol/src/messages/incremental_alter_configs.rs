//! IncrementalAlterConfigs, API key 44.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Changes single keys of the configuration of resources (KIP-339).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 44, versions = "0-1", flexible = "1+", listeners(broker, controller))]
pub struct IncrementalAlterConfigsRequest<'a> {
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
    pub config_operation: i8,
    #[kafka(nullable = "0+")]
    pub value: Option<Cow<'a, str>>,
}

/// Answers [`IncrementalAlterConfigsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 44, versions = "0-1", flexible = "1+")]
pub struct IncrementalAlterConfigsResponse<'a> {
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
