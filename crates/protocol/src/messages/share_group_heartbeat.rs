//! ShareGroupHeartbeat, API key 76.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Joins, keeps or leaves a share group (KIP-932).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 76, versions = "1", flexible = "0+", listeners(broker))]
pub struct ShareGroupHeartbeatRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub member_id: Cow<'a, str>,
    pub member_epoch: i32,
    #[kafka(nullable = "0+", default = null)]
    pub rack_id: Option<Cow<'a, str>>,
    #[kafka(nullable = "0+", default = null)]
    pub subscribed_topic_names: Option<Array<'a, Cow<'a, str>>>,
}

/// Answers [`ShareGroupHeartbeatRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 76, versions = "1", flexible = "0+")]
pub struct ShareGroupHeartbeatResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
    #[kafka(nullable = "0+", default = null)]
    pub member_id: Option<Cow<'a, str>>,
    pub member_epoch: i32,
    pub heartbeat_interval_ms: i32,
    #[kafka(nullable = "0+", default = null)]
    pub assignment: Option<Assignment<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Assignment<'a> {
    pub topic_partitions: Array<'a, TopicPartitions<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartitions<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, i32>,
}
