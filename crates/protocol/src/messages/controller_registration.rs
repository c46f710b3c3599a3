//! ControllerRegistration, API key 70.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Registers a controller with the active one (KIP-919).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 70, versions = "0", flexible = "0+", listeners(controller))]
pub struct ControllerRegistrationRequest<'a> {
    pub controller_id: i32,
    pub incarnation_id: Uuid,
    pub zk_migration_ready: bool,
    pub listeners: Array<'a, Listener<'a>>,
    pub features: Array<'a, Feature<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Listener<'a> {
    pub name: Cow<'a, str>,
    pub host: Cow<'a, str>,
    pub port: u16,
    pub security_protocol: i16,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Feature<'a> {
    pub name: Cow<'a, str>,
    pub min_supported_version: i16,
    pub max_supported_version: i16,
}

/// Answers [`ControllerRegistrationRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 70, versions = "0", flexible = "0+")]
pub struct ControllerRegistrationResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+")]
    pub error_message: Option<Cow<'a, str>>,
}
