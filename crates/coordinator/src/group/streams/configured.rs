//! A topology held against the topics that there are: how many tasks it comes to, and what is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metadata::Image;

use super::partition_counts::{Counting, existing};
use super::status::{Status, StatusCode, summary};
use super::tasks::SubtopologyId;
use super::topology::{Subtopology, TopicInfo, Topology};
use crate::group::GroupRefusal;

/// What is wrong with the topics that there are; it may be mended without the application's doing.
pub(super) type Misfit = Status;

/// Why a topology cannot be configured.
pub(super) enum Problem {
    /// The topics that there are do not fit; the group waits.
    Misfit(Misfit),
    /// The topology itself is none.
    Invalid(&'static str),
    /// It contradicts itself in a way that Kafka has no word for.
    Impossible,
}

/// A topic of the application's own, as it is or is to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InternalTopic {
    /// What it is called.
    pub name: Arc<str>,
    /// How many partitions it has.
    pub partitions: i32,
    /// How many replicas; none for the broker's default.
    pub replication_factor: Option<i16>,
    /// Its configuration.
    pub configs: BTreeMap<Arc<str>, Arc<str>>,
}

/// A part of the application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfiguredSubtopology {
    /// How many tasks it comes to.
    pub tasks: i32,
    /// What it reads of others.
    pub sources: BTreeSet<Arc<str>>,
    /// What it writes for other parts.
    pub repartition_sinks: BTreeSet<Arc<str>>,
    /// What it reads of other parts.
    pub repartition_sources: BTreeMap<Arc<str>, InternalTopic>,
    /// What it keeps its state in.
    pub changelogs: BTreeMap<Arc<str>, InternalTopic>,
}

impl ConfiguredSubtopology {
    /// Whether it keeps state.
    pub(super) fn is_stateful(&self) -> bool {
        !self.changelogs.is_empty()
    }

    /// Everything it reads.
    pub(super) fn inputs(&self) -> BTreeSet<&Arc<str>> {
        self.sources.iter().chain(self.repartition_sources.keys()).collect()
    }
}

/// A topology with its topics.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Configured {
    /// Which topology.
    pub(super) epoch: i32,
    /// Its parts; none where the topics are such that nothing can be said of them.
    pub(super) parts: Option<BTreeMap<SubtopologyId, ConfiguredSubtopology>>,
    /// Topics of its own that are not there.
    pub(super) missing: Vec<InternalTopic>,
    /// Why the application cannot begin.
    pub(super) problem: Option<Status>,
}

impl Configured {
    /// Holds a topology against the topics that there are.
    ///
    /// # Errors
    /// The topology is none.
    pub(super) fn new(topology: &Topology, image: &Image) -> Result<Self, GroupRefusal> {
        match configure(topology, image) {
            Ok(configured) => Ok(configured),
            Err(Problem::Misfit(misfit)) => {
                Ok(Self { epoch: topology.epoch, parts: None, missing: Vec::new(), problem: Some(misfit) })
            }
            Err(Problem::Invalid(why)) => Err(GroupRefusal::InvalidTopology(why)),
            Err(Problem::Impossible) => Err(GroupRefusal::ImpossibleTopology),
        }
    }

    /// Its parts, once all its topics are there.
    pub(super) fn ready(&self) -> Option<&BTreeMap<SubtopologyId, ConfiguredSubtopology>> {
        self.parts.as_ref().filter(|_| self.problem.is_none())
    }
}

fn configure(topology: &Topology, image: &Image) -> Result<Configured, Problem> {
    let sources = topology.subtopologies.iter().flat_map(|part| &part.sources);
    let absent: BTreeSet<&Arc<str>> = sources.filter(|topic| image.topics.by_name(topic).is_none()).collect();
    if !absent.is_empty() {
        let detail = format!("source topics are missing: {}", summary(absent.into_iter()));
        return Err(Problem::Misfit(Status::new(StatusCode::MissingSourceTopics, detail)));
    }
    let counting = Counting::decide(topology, image)?;
    let mut parts = BTreeMap::new();
    for part in &topology.subtopologies {
        parts.insert(part.id.clone(), configured(part, &counting)?);
    }
    let missing = missing(&parts, image)?;
    let problem = (!missing.is_empty()).then(|| {
        let names = summary(missing.iter().map(|topic| &topic.name));
        Status::new(StatusCode::MissingInternalTopics, format!("internal topics are missing: {names}"))
    });
    Ok(Configured { epoch: topology.epoch, parts: Some(parts), missing, problem })
}

fn configured(part: &Subtopology, counting: &Counting<'_>) -> Result<ConfiguredSubtopology, Problem> {
    let internal = |topics: &[TopicInfo]| {
        let topics = topics.iter().map(|topic| {
            let count =
                if topic.partitions == 0 { counting.decided(&topic.name) } else { Some(topic.partitions) };
            let topic = InternalTopic {
                name: topic.name.clone(),
                partitions: count.filter(|count| *count > 0)?,
                replication_factor: (topic.replication_factor != 0).then_some(topic.replication_factor),
                configs: topic.configs.iter().cloned().collect(),
            };
            Some((topic.name.clone(), topic))
        });
        topics.collect::<Option<BTreeMap<_, _>>>().ok_or(Problem::Impossible)
    };
    Ok(ConfiguredSubtopology {
        tasks: counting.tasks(part).filter(|tasks| *tasks > 0).ok_or(Problem::Impossible)?,
        sources: part.sources.iter().cloned().collect(),
        repartition_sinks: part.repartition_sinks.iter().cloned().collect(),
        repartition_sources: internal(&part.repartition_sources)?,
        changelogs: internal(&part.changelogs)?,
    })
}

/// The topics of the application's own that are not there. One that is there must be of the right size.
fn missing(
    parts: &BTreeMap<SubtopologyId, ConfiguredSubtopology>,
    image: &Image,
) -> Result<Vec<InternalTopic>, Problem> {
    let mut all: BTreeMap<&Arc<str>, &InternalTopic> = BTreeMap::new();
    for part in parts.values() {
        all.extend(&part.repartition_sources);
        all.extend(&part.changelogs);
    }
    let mut missing = Vec::new();
    for (name, topic) in all {
        match existing(image, name) {
            None => missing.push(topic.clone()),
            Some(count) if count == topic.partitions => {}
            Some(count) => {
                let detail =
                    format!("topic {name} has {count} partitions, and should have {}", topic.partitions);
                let status = Status::new(StatusCode::IncorrectlyPartitionedTopics, detail);
                return Err(Problem::Misfit(status));
            }
        }
    }
    Ok(missing)
}
