//! Record type 23 of `__consumer_offsets`.

use std::borrow::Cow;

use protocol_derive::{Message, Struct};

use crate::wire::Array;

/// The topology of a streams group.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_key = 23, versions = "0")]
pub struct StreamsGroupTopologyKey<'a> {
    #[kafka(versions = "0")]
    pub group_id: Cow<'a, str>,
}

/// The subtopologies with their topics.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(coordinator_value = 23, versions = "0", flexible = "0+")]
pub struct StreamsGroupTopologyValue<'a> {
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
    pub topic_configs: Array<'a, TopicConfig<'a>>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicConfig<'a> {
    #[kafka(name = "key")]
    pub key: Cow<'a, str>,
    #[kafka(name = "value")]
    pub value: Cow<'a, str>,
}

#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CopartitionGroup<'a> {
    pub source_topics: Array<'a, i16>,
    pub source_topic_regex: Array<'a, i16>,
    pub repartition_source_topics: Array<'a, i16>,
}
