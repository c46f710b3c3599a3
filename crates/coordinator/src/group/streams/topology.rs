//! What an application of Kafka Streams is made of, as its members hand it in and as it is recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::messages::record::StreamsGroupTopologyValue;
use protocol::messages::record::streams_group_topology as record;
use protocol::messages::streams_group_heartbeat as request;

use super::tasks::SubtopologyId;

/// A topic of the application's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicInfo {
    /// What it is called.
    pub name: Arc<str>,
    /// How many partitions it must have; 0 for as many as its neighbours.
    pub partitions: i32,
    /// How many replicas; 0 for the broker's default.
    pub replication_factor: i16,
    /// Its configuration, as given.
    pub configs: Vec<(Arc<str>, Arc<str>)>,
}

/// Topics that must have as many partitions as each other, by their places in the lists of their subtopology.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopartitionGroup {
    /// Among the source topics.
    pub sources: Vec<i16>,
    /// Among the expressions for source topics.
    pub source_regexes: Vec<i16>,
    /// Among the repartition topics that are read.
    pub repartition_sources: Vec<i16>,
}

/// A part of the application that shares nothing with the others but topics.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subtopology {
    /// What it is called.
    pub id: SubtopologyId,
    /// What it reads.
    pub sources: Vec<Arc<str>>,
    /// Expressions for what it reads; no Kafka takes any yet.
    pub source_regexes: Vec<Arc<str>>,
    /// What it keeps its state in.
    pub changelogs: Vec<TopicInfo>,
    /// What it writes for other parts.
    pub repartition_sinks: Vec<Arc<str>>,
    /// What it reads that other parts write.
    pub repartition_sources: Vec<TopicInfo>,
    /// Which of its topics must be of one size.
    pub copartition_groups: Vec<CopartitionGroup>,
}

impl Subtopology {
    /// Everything it reads.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Arc<str>> {
        self.sources.iter().chain(self.repartition_sources.iter().map(|topic| &topic.name))
    }

    /// Everything it reads, or keeps its state in.
    fn topics(&self) -> impl Iterator<Item = &Arc<str>> {
        self.inputs().chain(self.changelogs.iter().map(|topic| &topic.name))
    }
}

/// An application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topology {
    /// Which of the application's topologies this is.
    pub epoch: i32,
    /// Its parts, in the order they were handed in.
    pub subtopologies: Vec<Subtopology>,
    /// The part that reads a topic, by its place.
    readers: BTreeMap<Arc<str>, usize>,
}

impl Topology {
    /// An application of these parts.
    pub fn new(epoch: i32, subtopologies: Vec<Subtopology>) -> Self {
        let places = subtopologies.iter().enumerate();
        let readers = places.flat_map(|(place, part)| part.inputs().map(move |topic| (topic.clone(), place)));
        Self { epoch, readers: readers.collect(), subtopologies }
    }

    /// Its parts by their ids.
    pub(super) fn by_id(&self) -> BTreeMap<&SubtopologyId, &Subtopology> {
        self.subtopologies.iter().map(|subtopology| (&subtopology.id, subtopology)).collect()
    }

    /// Whether this is the same application, in whatever order its parts are named.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.epoch == other.epoch && self.by_id() == other.by_id()
    }

    /// Whether two parts have one name.
    pub(super) fn has_twins(&self) -> bool {
        self.by_id().len() != self.subtopologies.len()
    }

    /// Whether two parts read one topic.
    pub(super) fn shares_inputs(&self) -> bool {
        let mut places = self.subtopologies.iter().enumerate();
        places.any(|(place, part)| part.inputs().any(|topic| self.readers.get(topic) != Some(&place)))
    }

    /// The topics that must be there.
    pub(super) fn required_topics(&self) -> BTreeSet<&Arc<str>> {
        self.subtopologies.iter().flat_map(Subtopology::topics).collect()
    }

    /// The part that reads a topic.
    pub(in crate::group) fn reader_of(&self, topic: &str) -> Option<&Subtopology> {
        self.readers.get(topic).map(|place| &self.subtopologies[*place])
    }
}

fn texts<'a>(words: impl Iterator<Item = std::borrow::Cow<'a, str>>) -> Vec<Arc<str>> {
    words.map(|word| Arc::from(&*word)).collect()
}

/// A topology from one of the messages that say it, whose types of one name have the same fields.
macro_rules! topology_from {
    ($message:ty, $module:ident) => {
        impl From<&$message> for Topology {
            fn from(message: &$message) -> Self {
                let info = |topic: $module::TopicInfo<'_>| TopicInfo {
                    name: Arc::from(&*topic.name),
                    partitions: topic.partitions,
                    replication_factor: topic.replication_factor,
                    configs: topic
                        .topic_configs
                        .iter()
                        .map(|config| (Arc::from(&*config.key), Arc::from(&*config.value)))
                        .collect(),
                };
                let group = |group: $module::CopartitionGroup<'_>| CopartitionGroup {
                    sources: group.source_topics.iter().collect(),
                    source_regexes: group.source_topic_regex.iter().collect(),
                    repartition_sources: group.repartition_source_topics.iter().collect(),
                };
                let subtopologies = message.subtopologies.iter().map(|part| Subtopology {
                    id: Arc::from(&*part.subtopology_id),
                    sources: texts(part.source_topics.iter()),
                    source_regexes: texts(part.source_topic_regex.iter()),
                    changelogs: part.state_changelog_topics.iter().map(info).collect(),
                    repartition_sinks: texts(part.repartition_sink_topics.iter()),
                    repartition_sources: part.repartition_source_topics.iter().map(info).collect(),
                    copartition_groups: part.copartition_groups.iter().map(group).collect(),
                });
                Self::new(message.epoch, subtopologies.collect())
            }
        }
    };
}

topology_from!(StreamsGroupTopologyValue<'_>, record);
topology_from!(request::Topology<'_>, request);
