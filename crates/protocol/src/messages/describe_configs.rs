//! DescribeConfigs, API key 32.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks for the configuration of resources.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 32, versions = "0-4", current = "1-4", flexible = "4+", listeners(broker, controller))]
pub struct DescribeConfigsRequest<'a> {
    pub resources: Array<'a, DescribeConfigsResource<'a>>,
    #[kafka(versions = "1+")]
    pub include_synonyms: bool,
    #[kafka(versions = "3+")]
    pub include_documentation: bool,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeConfigsResource<'a> {
    pub resource_type: i8,
    pub resource_name: Cow<'a, str>,
    #[kafka(nullable = "0+")]
    pub configuration_keys: Option<Array<'a, Cow<'a, str>>>,
}

/// Answers [`DescribeConfigsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 32, versions = "0-4", current = "1-4", flexible = "4+")]
pub struct DescribeConfigsResponse<'a> {
    pub throttle_time_ms: i32,
    pub results: Array<'a, DescribeConfigsResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeConfigsResult<'a> {
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
    pub resource_type: i8,
    pub resource_name: Cow<'a, str>,
    pub configs: Array<'a, DescribeConfigsResourceResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeConfigsResourceResult<'a> {
    pub name: Cow<'a, str>,
    #[kafka(nullable = "0+")]
    pub value: Option<Cow<'a, str>>,
    pub read_only: bool,
    #[kafka(versions = "0")]
    pub is_default: bool,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub config_source: i8,
    pub is_sensitive: bool,
    #[kafka(versions = "1+", ignorable)]
    pub synonyms: Array<'a, DescribeConfigsSynonym<'a>>,
    #[kafka(versions = "3+", ignorable)]
    pub config_type: i8,
    #[kafka(versions = "3+", nullable = "0+", ignorable)]
    pub documentation: Option<Cow<'a, str>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeConfigsSynonym<'a> {
    #[kafka(versions = "1+")]
    pub name: Cow<'a, str>,
    #[kafka(versions = "1+", nullable = "0+")]
    pub value: Option<Cow<'a, str>>,
    #[kafka(versions = "1+")]
    pub source: i8,
}
