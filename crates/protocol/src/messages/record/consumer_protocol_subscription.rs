//! What classic consumers subscribe to.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// The subscription of a member of a classic consumer group, within
/// [`JoinGroupRequest`](crate::messages::JoinGroupRequest).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(data, versions = "0-3")]
pub struct ConsumerProtocolSubscription<'a> {
    pub topics: Array<'a, Cow<'a, str>>,
    #[kafka(nullable = "0+", default = null)]
    pub user_data: Option<Cow<'a, [u8]>>,
    #[kafka(versions = "1+", ignorable)]
    pub owned_partitions: Array<'a, TopicPartition<'a>>,
    #[kafka(versions = "2+", default = -1, ignorable)]
    pub generation_id: i32,
    #[kafka(versions = "3+", nullable = "3+", default = null, ignorable)]
    pub rack_id: Option<Cow<'a, str>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartition<'a> {
    #[kafka(versions = "1+")]
    pub topic: Cow<'a, str>,
    #[kafka(versions = "1+")]
    pub partitions: Array<'a, i32>,
}
