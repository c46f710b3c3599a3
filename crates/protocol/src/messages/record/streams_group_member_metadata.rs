//! Record type 19 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// A member of a streams group.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 19, versions = "0")]
pub struct StreamsGroupMemberMetadataKey<'a> {
    #[kafka(versions = "0")]
    pub group_id: Cow<'a, str>,
    #[kafka(versions = "0")]
    pub member_id: Cow<'a, str>,
}

/// What a member of a streams group said of itself.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 19, versions = "0", flexible = "0+")]
pub struct StreamsGroupMemberMetadataValue<'a> {
    #[kafka(nullable = "0+")]
    pub instance_id: Option<Cow<'a, str>>,
    #[kafka(nullable = "0+")]
    pub rack_id: Option<Cow<'a, str>>,
    pub client_id: Cow<'a, str>,
    pub client_host: Cow<'a, str>,
    #[kafka(default = -1)]
    pub rebalance_timeout_ms: i32,
    pub topology_epoch: i32,
    pub process_id: Cow<'a, str>,
    #[kafka(nullable = "0+", default = null)]
    pub user_endpoint: Option<Endpoint<'a>>,
    pub client_tags: Array<'a, KeyValue<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Endpoint<'a> {
    pub host: Cow<'a, str>,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct KeyValue<'a> {
    pub key: Cow<'a, str>,
    pub value: Cow<'a, str>,
}
