//! Record type 2 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// A classic group.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 2, versions = "0")]
pub struct GroupMetadataKey<'a> {
    #[kafka(name = "group", versions = "0")]
    pub group: Cow<'a, str>,
}

/// State and members of a classic group.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 2, versions = "0-4", flexible = "4+")]
pub struct GroupMetadataValue<'a> {
    #[kafka(name = "protocolType")]
    pub protocol_type: Cow<'a, str>,
    #[kafka(name = "generation")]
    pub generation: i32,
    #[kafka(name = "protocol", nullable = "0+")]
    pub protocol: Option<Cow<'a, str>>,
    #[kafka(name = "leader", nullable = "0+")]
    pub leader: Option<Cow<'a, str>>,
    #[kafka(name = "currentStateTimestamp", versions = "2+", default = -1, ignorable)]
    pub current_state_timestamp: i64,
    #[kafka(name = "members")]
    pub members: Array<'a, MemberMetadata<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct MemberMetadata<'a> {
    #[kafka(name = "memberId")]
    pub member_id: Cow<'a, str>,
    #[kafka(name = "groupInstanceId", versions = "3+", nullable = "3+", default = null, ignorable)]
    pub group_instance_id: Option<Cow<'a, str>>,
    #[kafka(name = "clientId")]
    pub client_id: Cow<'a, str>,
    #[kafka(name = "clientHost")]
    pub client_host: Cow<'a, str>,
    #[kafka(name = "rebalanceTimeout", versions = "1+", default = -1, ignorable)]
    pub rebalance_timeout: i32,
    #[kafka(name = "sessionTimeout")]
    pub session_timeout: i32,
    #[kafka(name = "subscription")]
    pub subscription: Cow<'a, [u8]>,
    #[kafka(name = "assignment")]
    pub assignment: Cow<'a, [u8]>,
}
