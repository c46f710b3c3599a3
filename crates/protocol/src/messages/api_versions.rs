//! ApiVersions, API key 18.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks which versions of which APIs are served, and for features.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 18, versions = "0-5", flexible = "3+", listeners(broker, controller))]
pub struct ApiVersionsRequest<'a> {
    #[kafka(versions = "3+", ignorable)]
    pub client_software_name: Cow<'a, str>,
    #[kafka(versions = "3+", ignorable)]
    pub client_software_version: Cow<'a, str>,
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub cluster_id: Option<Cow<'a, str>>,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub node_id: i32,
}

/// Answers [`ApiVersionsRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 18, versions = "0-5", flexible = "3+")]
pub struct ApiVersionsResponse<'a> {
    pub error_code: i16,
    pub api_keys: Array<'a, ApiVersion>,
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "3+", tag = 0, tagged = "3+", ignorable)]
    pub supported_features: Array<'a, SupportedFeatureKey<'a>>,
    #[kafka(versions = "3+", tag = 1, tagged = "3+", default = -1, ignorable)]
    pub finalized_features_epoch: i64,
    #[kafka(versions = "3+", tag = 2, tagged = "3+", ignorable)]
    pub finalized_features: Array<'a, FinalizedFeatureKey<'a>>,
    #[kafka(versions = "3+", tag = 3, tagged = "3+", ignorable)]
    pub zk_migration_ready: bool,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ApiVersion {
    pub api_key: i16,
    pub min_version: i16,
    pub max_version: i16,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct SupportedFeatureKey<'a> {
    #[kafka(versions = "3+")]
    pub name: Cow<'a, str>,
    #[kafka(versions = "3+")]
    pub min_version: i16,
    #[kafka(versions = "3+")]
    pub max_version: i16,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct FinalizedFeatureKey<'a> {
    #[kafka(versions = "3+")]
    pub name: Cow<'a, str>,
    #[kafka(versions = "3+")]
    pub max_version_level: i16,
    #[kafka(versions = "3+")]
    pub min_version_level: i16,
}
