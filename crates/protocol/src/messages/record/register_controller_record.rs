//! Record type 27 of `__cluster_metadata`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// A controller registered (KIP-919).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 27, versions = "0", flexible = "0+")]
pub struct RegisterControllerRecord<'a> {
    pub controller_id: i32,
    pub incarnation_id: Uuid,
    pub zk_migration_ready: bool,
    pub end_points: Array<'a, ControllerEndpoint<'a>>,
    pub features: Array<'a, ControllerFeature<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ControllerEndpoint<'a> {
    pub name: Cow<'a, str>,
    pub host: Cow<'a, str>,
    pub port: u16,
    pub security_protocol: i16,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ControllerFeature<'a> {
    pub name: Cow<'a, str>,
    pub min_supported_version: i16,
    pub max_supported_version: i16,
}
