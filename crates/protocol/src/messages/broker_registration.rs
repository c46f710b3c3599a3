//! BrokerRegistration, API key 62.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Registers an incarnation of a broker with the controller (KIP-631).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 62, versions = "0-4", flexible = "0+", listeners(controller))]
pub struct BrokerRegistrationRequest<'a> {
    pub broker_id: i32,
    pub cluster_id: Cow<'a, str>,
    pub incarnation_id: Uuid,
    pub listeners: Array<'a, Listener<'a>>,
    pub features: Array<'a, Feature<'a>>,
    #[kafka(nullable = "0+")]
    pub rack: Option<Cow<'a, str>>,
    #[kafka(versions = "1+")]
    pub is_migrating_zk_broker: bool,
    #[kafka(versions = "2+", ignorable)]
    pub log_dirs: Array<'a, Uuid>,
    #[kafka(versions = "3+", default = -1, ignorable)]
    pub previous_broker_epoch: i64,
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

/// Answers [`BrokerRegistrationRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 62, versions = "0-4", flexible = "0+")]
pub struct BrokerRegistrationResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(default = -1)]
    pub broker_epoch: i64,
}
