//! StreamsGroupDescribe, API key 89.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Asks for state, topology and members of streams groups (KIP-1071).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 89, versions = "0-1", flexible = "0+", listeners(broker))]
pub struct StreamsGroupDescribeRequest<'a> {
    pub group_ids: Array<'a, Cow<'a, str>>,
    pub include_authorized_operations: bool,
    #[kafka(versions = "1+")]
    pub include_topology_description: bool,
}

/// Answers [`StreamsGroupDescribeRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 89, versions = "0-1", flexible = "0+")]
pub struct StreamsGroupDescribeResponse<'a> {
    pub throttle_time_ms: i32,
    pub groups: Array<'a, DescribedGroup<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribedGroup<'a> {
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
    pub group_id: Cow<'a, str>,
    pub group_state: Cow<'a, str>,
    pub group_epoch: i32,
    pub assignment_epoch: i32,
    #[kafka(nullable = "0+", default = null)]
    pub topology: Option<Topology<'a>>,
    pub members: Array<'a, Member<'a>>,
    #[kafka(default = -2147483648)]
    pub authorized_operations: i32,
    #[kafka(versions = "1+", nullable = "1+", default = null)]
    pub topology_description: Option<TopologyDescription<'a>>,
    #[kafka(versions = "1+")]
    pub topology_description_status: i8,
    #[kafka(versions = "1+", nullable = "1+", default = null, ignorable)]
    pub assignor_name: Option<Cow<'a, str>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Topology<'a> {
    pub epoch: i32,
    #[kafka(nullable = "0+", default = null)]
    pub subtopologies: Option<Array<'a, Subtopology<'a>>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Subtopology<'a> {
    pub subtopology_id: Cow<'a, str>,
    pub source_topics: Array<'a, Cow<'a, str>>,
    pub repartition_sink_topics: Array<'a, Cow<'a, str>>,
    pub state_changelog_topics: Array<'a, TopicInfo<'a>>,
    pub repartition_source_topics: Array<'a, TopicInfo<'a>>,
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
pub struct Member<'a> {
    pub member_id: Cow<'a, str>,
    pub member_epoch: i32,
    #[kafka(nullable = "0+", default = null)]
    pub instance_id: Option<Cow<'a, str>>,
    #[kafka(nullable = "0+", default = null)]
    pub rack_id: Option<Cow<'a, str>>,
    pub client_id: Cow<'a, str>,
    pub client_host: Cow<'a, str>,
    pub topology_epoch: i32,
    pub process_id: Cow<'a, str>,
    #[kafka(nullable = "0+", default = null)]
    pub user_endpoint: Option<Endpoint<'a>>,
    pub client_tags: Array<'a, KeyValue<'a>>,
    pub task_offsets: Array<'a, TaskOffset<'a>>,
    pub task_end_offsets: Array<'a, TaskOffset<'a>>,
    pub assignment: Assignment<'a>,
    pub target_assignment: Assignment<'a>,
    pub is_classic: bool,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Endpoint<'a> {
    pub host: Cow<'a, str>,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TaskOffset<'a> {
    pub subtopology_id: Cow<'a, str>,
    pub partition: i32,
    pub offset: i64,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Assignment<'a> {
    pub active_tasks: Array<'a, TaskIds<'a>>,
    pub standby_tasks: Array<'a, TaskIds<'a>>,
    pub warmup_tasks: Array<'a, TaskIds<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TaskIds<'a> {
    pub subtopology_id: Cow<'a, str>,
    pub partitions: Array<'a, i32>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopologyDescription<'a> {
    #[kafka(versions = "1+")]
    pub subtopologies: Array<'a, TopologyDescriptionSubtopology<'a>>,
    #[kafka(versions = "1+")]
    pub global_stores: Array<'a, TopologyDescriptionGlobalStore<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopologyDescriptionSubtopology<'a> {
    #[kafka(versions = "1+")]
    pub subtopology_id: Cow<'a, str>,
    #[kafka(versions = "1+")]
    pub nodes: Array<'a, TopologyDescriptionNode<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopologyDescriptionNode<'a> {
    #[kafka(versions = "1+")]
    pub name: Cow<'a, str>,
    #[kafka(versions = "1+")]
    pub node_type: i8,
    #[kafka(versions = "1+")]
    pub source_topics: Array<'a, Cow<'a, str>>,
    #[kafka(versions = "1+", nullable = "1+", default = null)]
    pub sink_topic: Option<Cow<'a, str>>,
    #[kafka(versions = "1+")]
    pub stores: Array<'a, Cow<'a, str>>,
    #[kafka(versions = "1+")]
    pub successors: Array<'a, Cow<'a, str>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopologyDescriptionGlobalStore<'a> {
    #[kafka(versions = "1+")]
    pub source: TopologyDescriptionNode<'a>,
    #[kafka(versions = "1+")]
    pub processor: TopologyDescriptionNode<'a>,
}
