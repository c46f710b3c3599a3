//! UpdateFeatures, API key 57.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Changes the finalized levels of features (KIP-584).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 57, versions = "0-2", flexible = "0+", listeners(broker, controller))]
pub struct UpdateFeaturesRequest<'a> {
    #[kafka(name = "timeoutMs", default = 60000)]
    pub timeout_ms: i32,
    pub feature_updates: Array<'a, FeatureUpdateKey<'a>>,
    #[kafka(versions = "1+")]
    pub validate_only: bool,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct FeatureUpdateKey<'a> {
    pub feature: Cow<'a, str>,
    pub max_version_level: i16,
    #[kafka(versions = "0")]
    pub allow_downgrade: bool,
    #[kafka(versions = "1+", default = 1)]
    pub upgrade_type: i8,
}

/// Answers [`UpdateFeaturesRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 57, versions = "0-2", flexible = "0+")]
pub struct UpdateFeaturesResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
    #[kafka(versions = "0-1", ignorable)]
    pub results: Array<'a, UpdatableFeatureResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct UpdatableFeatureResult<'a> {
    pub feature: Cow<'a, str>,
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
}
