//! StreamsGroupDescribe: a streams group in full.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::configured::{ConfiguredSubtopology, InternalTopic};
use super::tasks::{Part, SubtopologyId, TaskOffsets};
use super::topology::{Subtopology, TopicInfo, Topology};
use super::{Epoch, Member, StreamsGroup};
use crate::group::{GroupShard, MemberId};

/// The group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedStreamsGroup {
    /// Kafka's name of where it stands.
    pub state: &'static str,
    /// The group's epoch.
    pub epoch: Epoch,
    /// The epoch of the target assignment.
    pub target_epoch: Epoch,
    /// Which topology, and its parts; none where none was handed in.
    pub topology: Option<(i32, Vec<DescribedSubtopology>)>,
    /// The members.
    pub members: Vec<DescribedStreamsMember>,
}

/// A part of the application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedSubtopology {
    /// What it is called.
    pub id: SubtopologyId,
    /// What it reads of others.
    pub sources: Vec<Arc<str>>,
    /// What it writes for other parts.
    pub repartition_sinks: Vec<Arc<str>>,
    /// What it keeps its state in.
    pub changelogs: Vec<DescribedTopic>,
    /// What it reads of other parts.
    pub repartition_sources: Vec<DescribedTopic>,
}

/// A topic of the application's own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DescribedTopic {
    /// What it is called.
    pub name: Arc<str>,
    /// How many partitions it has; 0 where that is not decided.
    pub partitions: i32,
    /// How many replicas; 0 for the broker's default.
    pub replication_factor: i16,
    /// Its configuration.
    pub configs: Vec<(Arc<str>, Arc<str>)>,
}

/// A member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedStreamsMember {
    /// Its id.
    pub id: MemberId,
    /// What it said of itself and has.
    pub member: Arc<Member>,
    /// What it is to have.
    pub target: Arc<Part>,
    /// What it told of its state.
    pub told: Arc<TaskOffsets>,
}

impl From<&TopicInfo> for DescribedTopic {
    fn from(topic: &TopicInfo) -> Self {
        Self {
            name: topic.name.clone(),
            partitions: topic.partitions,
            replication_factor: topic.replication_factor,
            configs: topic.configs.clone(),
        }
    }
}

impl From<&InternalTopic> for DescribedTopic {
    fn from(topic: &InternalTopic) -> Self {
        Self {
            name: topic.name.clone(),
            partitions: topic.partitions,
            replication_factor: topic.replication_factor.unwrap_or(0),
            configs: topic.configs.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        }
    }
}

impl GroupShard {
    /// A streams group; `None` where there is none of this id.
    pub fn describe_streams(&self, id: &str) -> Option<DescribedStreamsGroup> {
        let group = self.streams_group(id)?;
        let members = group.members.by_id().iter().map(|(id, member)| DescribedStreamsMember {
            id: id.clone(),
            member: member.clone(),
            target: group.target.of(id).cloned().unwrap_or_default(),
            told: group.live.task_offsets.get(id).cloned().unwrap_or_default(),
        });
        Some(DescribedStreamsGroup {
            state: group.state().name(),
            epoch: group.epochs.epoch,
            target_epoch: group.target.epoch(),
            topology: group.described_topology(),
            members: members.collect(),
        })
    }
}

impl StreamsGroup {
    /// The topology with the sizes that were decided, once all topics are there; before that as it was handed in.
    fn described_topology(&self) -> Option<(i32, Vec<DescribedSubtopology>)> {
        let configured = self.live.configured.as_ref();
        match configured.and_then(|configured| Some((configured.epoch, configured.ready()?))) {
            Some((epoch, parts)) => Some((epoch, ready(parts))),
            None => self.topology.as_deref().map(|topology| (topology.epoch, handed_in(topology))),
        }
    }
}

fn ready(parts: &BTreeMap<SubtopologyId, ConfiguredSubtopology>) -> Vec<DescribedSubtopology> {
    let parts = parts.iter().map(|(id, part)| DescribedSubtopology {
        id: id.clone(),
        sources: part.sources.iter().cloned().collect(),
        repartition_sinks: part.repartition_sinks.iter().cloned().collect(),
        changelogs: part.changelogs.values().map(DescribedTopic::from).collect(),
        repartition_sources: part.repartition_sources.values().map(DescribedTopic::from).collect(),
    });
    parts.collect()
}

fn handed_in(topology: &Topology) -> Vec<DescribedSubtopology> {
    topology.by_id().into_values().map(handed_in_part).collect()
}

fn handed_in_part(part: &Subtopology) -> DescribedSubtopology {
    let sorted = |names: &[Arc<str>]| {
        let mut names = names.to_vec();
        names.sort();
        names
    };
    let topics = |topics: &[TopicInfo]| {
        let mut topics: Vec<DescribedTopic> = topics.iter().map(DescribedTopic::from).collect();
        topics.sort();
        topics
    };
    DescribedSubtopology {
        id: part.id.clone(),
        sources: sorted(&part.sources),
        repartition_sinks: sorted(&part.repartition_sinks),
        changelogs: topics(&part.changelogs),
        repartition_sources: topics(&part.repartition_sources),
    }
}
