//! Record type 5 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// A member of a consumer group.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 5, versions = "0")]
pub struct ConsumerGroupMemberMetadataKey<'a> {
    #[kafka(versions = "0")]
    pub group_id: Cow<'a, str>,
    #[kafka(versions = "0")]
    pub member_id: Cow<'a, str>,
}

/// What a member of a consumer group said of itself.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 5, versions = "0", flexible = "0+")]
pub struct ConsumerGroupMemberMetadataValue<'a> {
    #[kafka(nullable = "0+")]
    pub instance_id: Option<Cow<'a, str>>,
    #[kafka(nullable = "0+")]
    pub rack_id: Option<Cow<'a, str>>,
    pub client_id: Cow<'a, str>,
    pub client_host: Cow<'a, str>,
    pub subscribed_topic_names: Array<'a, Cow<'a, str>>,
    #[kafka(nullable = "0+")]
    pub subscribed_topic_regex: Option<Cow<'a, str>>,
    #[kafka(default = -1)]
    pub rebalance_timeout_ms: i32,
    #[kafka(nullable = "0+")]
    pub server_assignor: Option<Cow<'a, str>>,
    #[kafka(nullable = "0+", tag = 0, tagged = "0+")]
    pub classic_member_metadata: Option<ClassicMemberMetadata<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ClassicMemberMetadata<'a> {
    pub session_timeout_ms: i32,
    pub supported_protocols: Array<'a, ClassicProtocol<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ClassicProtocol<'a> {
    pub name: Cow<'a, str>,
    pub metadata: Cow<'a, [u8]>,
}
