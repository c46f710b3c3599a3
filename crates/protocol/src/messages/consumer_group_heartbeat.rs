//! ConsumerGroupHeartbeat, API key 68.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::id::Uuid;
use crate::wire::Array;

/// Joins, keeps or leaves a consumer group and reconciles its assignment (KIP-848).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 68, versions = "0-1", flexible = "0+", listeners(broker))]
pub struct ConsumerGroupHeartbeatRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub member_id: Cow<'a, str>,
    pub member_epoch: i32,
    #[kafka(nullable = "0+", default = null)]
    pub instance_id: Option<Cow<'a, str>>,
    #[kafka(nullable = "0+", default = null)]
    pub rack_id: Option<Cow<'a, str>>,
    #[kafka(default = -1)]
    pub rebalance_timeout_ms: i32,
    #[kafka(nullable = "0+", default = null)]
    pub subscribed_topic_names: Option<Array<'a, Cow<'a, str>>>,
    #[kafka(versions = "1+", nullable = "1+", default = null)]
    pub subscribed_topic_regex: Option<Cow<'a, str>>,
    #[kafka(nullable = "0+", default = null)]
    pub server_assignor: Option<Cow<'a, str>>,
    #[kafka(nullable = "0+", default = null)]
    pub topic_partitions: Option<Array<'a, RequestTopicPartitions<'a>>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "TopicPartitions")]
pub struct RequestTopicPartitions<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, i32>,
}

/// Answers [`ConsumerGroupHeartbeatRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 68, versions = "0-1", flexible = "0+")]
pub struct ConsumerGroupHeartbeatResponse<'a> {
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
    pub topic_partitions: Array<'a, ResponseTopicPartitions<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "TopicPartitions")]
pub struct ResponseTopicPartitions<'a> {
    pub topic_id: Uuid,
    pub partitions: Array<'a, i32>,
}
