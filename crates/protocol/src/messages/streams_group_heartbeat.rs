//! StreamsGroupHeartbeat, API key 88.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Joins, keeps or leaves a streams group and reconciles its tasks (KIP-1071).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 88, versions = "0-1", flexible = "0+", listeners(broker))]
pub struct StreamsGroupHeartbeatRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub member_id: Cow<'a, str>,
    pub member_epoch: i32,
    pub endpoint_information_epoch: i32,
    #[kafka(nullable = "0+", default = null)]
    pub instance_id: Option<Cow<'a, str>>,
    #[kafka(nullable = "0+", default = null)]
    pub rack_id: Option<Cow<'a, str>>,
    #[kafka(default = -1)]
    pub rebalance_timeout_ms: i32,
    #[kafka(nullable = "0+", default = null)]
    pub topology: Option<Topology<'a>>,
    #[kafka(nullable = "0+", default = null)]
    pub active_tasks: Option<Array<'a, RequestTaskIds<'a>>>,
    #[kafka(nullable = "0+", default = null)]
    pub standby_tasks: Option<Array<'a, RequestTaskIds<'a>>>,
    #[kafka(nullable = "0+", default = null)]
    pub warmup_tasks: Option<Array<'a, RequestTaskIds<'a>>>,
    #[kafka(nullable = "0+", default = null)]
    pub process_id: Option<Cow<'a, str>>,
    #[kafka(nullable = "0+", default = null)]
    pub user_endpoint: Option<RequestEndpoint<'a>>,
    #[kafka(nullable = "0+", default = null)]
    pub client_tags: Option<Array<'a, KeyValue<'a>>>,
    #[kafka(nullable = "0+", default = null)]
    pub task_offsets: Option<Array<'a, TaskOffset<'a>>>,
    #[kafka(nullable = "0+", default = null)]
    pub task_end_offsets: Option<Array<'a, TaskOffset<'a>>>,
    pub shutdown_application: bool,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Topology<'a> {
    pub epoch: i32,
    pub subtopologies: Array<'a, Subtopology<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Subtopology<'a> {
    pub subtopology_id: Cow<'a, str>,
    pub source_topics: Array<'a, Cow<'a, str>>,
    pub source_topic_regex: Array<'a, Cow<'a, str>>,
    pub state_changelog_topics: Array<'a, TopicInfo<'a>>,
    pub repartition_sink_topics: Array<'a, Cow<'a, str>>,
    pub repartition_source_topics: Array<'a, TopicInfo<'a>>,
    pub copartition_groups: Array<'a, CopartitionGroup<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicInfo<'a> {
    pub name: Cow<'a, str>,
    pub partitions: i32,
    pub replication_factor: i16,
    pub topic_configs: Array<'a, KeyValue<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct KeyValue<'a> {
    pub key: Cow<'a, str>,
    pub value: Cow<'a, str>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CopartitionGroup<'a> {
    pub source_topics: Array<'a, i16>,
    pub source_topic_regex: Array<'a, i16>,
    pub repartition_source_topics: Array<'a, i16>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "TaskIds")]
pub struct RequestTaskIds<'a> {
    pub subtopology_id: Cow<'a, str>,
    pub partitions: Array<'a, i32>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "Endpoint")]
pub struct RequestEndpoint<'a> {
    pub host: Cow<'a, str>,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TaskOffset<'a> {
    pub subtopology_id: Cow<'a, str>,
    pub partition: i32,
    pub offset: i64,
}

/// Answers [`StreamsGroupHeartbeatRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 88, versions = "0-1", flexible = "0+")]
pub struct StreamsGroupHeartbeatResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
    pub member_id: Cow<'a, str>,
    pub member_epoch: i32,
    pub heartbeat_interval_ms: i32,
    #[kafka(versions = "0")]
    pub acceptable_recovery_lag_legacy: i32,
    pub task_offset_interval_ms: i32,
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub acceptable_recovery_lag: i64,
    #[kafka(nullable = "0+")]
    pub status: Option<Array<'a, Status<'a>>>,
    #[kafka(nullable = "0+", default = null)]
    pub active_tasks: Option<Array<'a, ResponseTaskIds<'a>>>,
    #[kafka(nullable = "0+", default = null)]
    pub standby_tasks: Option<Array<'a, ResponseTaskIds<'a>>>,
    #[kafka(nullable = "0+", default = null)]
    pub warmup_tasks: Option<Array<'a, ResponseTaskIds<'a>>>,
    #[kafka(versions = "1+")]
    pub topology_description_required: bool,
    pub endpoint_information_epoch: i32,
    #[kafka(nullable = "0+", default = null)]
    pub partitions_by_user_endpoint: Option<Array<'a, EndpointToPartitions<'a>>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Status<'a> {
    pub status_code: i8,
    pub status_detail: Cow<'a, str>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "TaskIds")]
pub struct ResponseTaskIds<'a> {
    pub subtopology_id: Cow<'a, str>,
    pub partitions: Array<'a, i32>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct EndpointToPartitions<'a> {
    pub user_endpoint: ResponseEndpoint<'a>,
    pub active_partitions: Array<'a, TopicPartition<'a>>,
    pub standby_partitions: Array<'a, TopicPartition<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
#[kafka(name = "Endpoint")]
pub struct ResponseEndpoint<'a> {
    pub host: Cow<'a, str>,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartition<'a> {
    pub topic: Cow<'a, str>,
    pub partitions: Array<'a, i32>,
}
