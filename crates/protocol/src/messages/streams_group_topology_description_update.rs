//! StreamsGroupTopologyDescriptionUpdate, API key 93.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// Hands in the description of a streams topology.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 93, versions = "0", flexible = "0+", listeners(broker))]
pub struct StreamsGroupTopologyDescriptionUpdateRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub member_id: Cow<'a, str>,
    pub topology_epoch: i32,
    pub topology_description: TopologyDescription<'a>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopologyDescription<'a> {
    pub subtopologies: Array<'a, TopologyDescriptionSubtopology<'a>>,
    pub global_stores: Array<'a, TopologyDescriptionGlobalStore<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopologyDescriptionSubtopology<'a> {
    pub subtopology_id: Cow<'a, str>,
    pub nodes: Array<'a, TopologyDescriptionNode<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopologyDescriptionNode<'a> {
    pub name: Cow<'a, str>,
    pub node_type: i8,
    pub source_topics: Array<'a, Cow<'a, str>>,
    #[kafka(nullable = "0+", default = null)]
    pub sink_topic: Option<Cow<'a, str>>,
    pub stores: Array<'a, Cow<'a, str>>,
    pub successors: Array<'a, Cow<'a, str>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopologyDescriptionGlobalStore<'a> {
    pub source: TopologyDescriptionNode<'a>,
    pub processor: TopologyDescriptionNode<'a>,
}

/// Answers [`StreamsGroupTopologyDescriptionUpdateRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 93, versions = "0", flexible = "0+")]
pub struct StreamsGroupTopologyDescriptionUpdateResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    #[kafka(nullable = "0+", default = null)]
    pub error_message: Option<Cow<'a, str>>,
}
