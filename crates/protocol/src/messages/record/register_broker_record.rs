//! Record type 0 of `__cluster_metadata`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// A broker registered.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 0, versions = "0-4", flexible = "0+")]
pub struct RegisterBrokerRecord<'a> {
    pub broker_id: i32,
    #[kafka(versions = "2+")]
    pub is_migrating_zk_broker: bool,
    pub incarnation_id: Uuid,
    pub broker_epoch: i64,
    pub end_points: Array<'a, BrokerEndpoint<'a>>,
    pub features: Array<'a, BrokerFeature<'a>>,
    #[kafka(nullable = "0+")]
    pub rack: Option<Cow<'a, str>>,
    #[kafka(default = true)]
    pub fenced: bool,
    #[kafka(versions = "1+")]
    pub in_controlled_shutdown: bool,
    #[kafka(versions = "3+", tag = 0, tagged = "3+")]
    pub log_dirs: Array<'a, Uuid>,
    #[kafka(versions = "4+", nullable = "4+", tag = 1, tagged = "4+", default = null)]
    pub cordoned_log_dirs: Option<Array<'a, Uuid>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct BrokerEndpoint<'a> {
    pub name: Cow<'a, str>,
    pub host: Cow<'a, str>,
    pub port: u16,
    pub security_protocol: i16,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct BrokerFeature<'a> {
    pub name: Cow<'a, str>,
    pub min_supported_version: i16,
    pub max_supported_version: i16,
}
