//! Record type 10 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::Message;

use crate::wire::Array;

/// A member of a share group.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 10, versions = "0")]
pub struct ShareGroupMemberMetadataKey<'a> {
    #[kafka(versions = "0")]
    pub group_id: Cow<'a, str>,
    #[kafka(versions = "0")]
    pub member_id: Cow<'a, str>,
}

/// What a member of a share group said of itself.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 10, versions = "0", flexible = "0+")]
pub struct ShareGroupMemberMetadataValue<'a> {
    #[kafka(nullable = "0+")]
    pub rack_id: Option<Cow<'a, str>>,
    pub client_id: Cow<'a, str>,
    pub client_host: Cow<'a, str>,
    pub subscribed_topic_names: Array<'a, Cow<'a, str>>,
}
