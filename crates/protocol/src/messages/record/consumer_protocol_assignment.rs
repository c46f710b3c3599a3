//! What classic consumers are assigned.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// The assignment of a member of a classic consumer group, within
/// [`SyncGroupResponse`](crate::messages::SyncGroupResponse).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(data, versions = "0-3")]
pub struct ConsumerProtocolAssignment<'a> {
    pub assigned_partitions: Array<'a, TopicPartition<'a>>,
    #[kafka(nullable = "0+", default = null)]
    pub user_data: Option<Cow<'a, [u8]>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartition<'a> {
    pub topic: Cow<'a, str>,
    pub partitions: Array<'a, i32>,
}
