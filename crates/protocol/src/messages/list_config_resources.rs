//! ListConfigResources, API key 74.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks for the names of configuration resources (KIP-1142).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 74, versions = "0-1", flexible = "0+", listeners(broker))]
pub struct ListConfigResourcesRequest<'a> {
    #[kafka(versions = "1+")]
    pub resource_types: Array<'a, i8>,
}

/// Answers [`ListConfigResourcesRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 74, versions = "0-1", flexible = "0+")]
pub struct ListConfigResourcesResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub config_resources: Array<'a, ConfigResource<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ConfigResource<'a> {
    pub resource_name: Cow<'a, str>,
    #[kafka(versions = "1+", default = 16, ignorable)]
    pub resource_type: i8,
}
