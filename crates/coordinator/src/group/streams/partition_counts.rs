//! How many partitions the topics of an application's own have: repartition topics as many as what flows into them,
//! those that are joined as many as each other, changelogs as many as there are tasks.
//!
//! A topic that is there counts as it is; where that is wrong is found once all are decided.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use metadata::Image;

use super::configured::{Misfit, Problem};
use super::status::{StatusCode, summary};
use super::topology::{CopartitionGroup, Subtopology, Topology};

/// Partition counts by topic.
pub(super) type Counts = BTreeMap<Arc<str>, i32>;

/// The counts while they are decided.
pub(super) struct Counting<'a> {
    topology: &'a Topology,
    image: &'a Image,
    decided: Counts,
    /// How many topics were looked up: the work, for tests.
    #[cfg(test)]
    pub(super) looks: std::cell::Cell<usize>,
}

/// The repartition topics that are read.
struct OwnTopics {
    /// Those that say how many partitions they must have.
    fixed: BTreeSet<Arc<str>>,
    /// Those that are to have as many as their neighbours.
    flexible: BTreeSet<Arc<str>>,
    /// How many all fixed ones have, once that was asked.
    fixed_count: Option<i32>,
}

impl<'a> Counting<'a> {
    /// Decides.
    ///
    /// # Errors
    /// The topology, or what is there of its topics, does not allow it.
    pub(super) fn decide(topology: &'a Topology, image: &'a Image) -> Result<Self, Problem> {
        let mut counting = Self {
            topology,
            image,
            decided: Counts::new(),
            #[cfg(test)]
            looks: std::cell::Cell::default(),
        };
        counting.repartition_topics()?;
        counting.copartitioned_topics()?;
        counting.changelogs()?;
        Ok(counting)
    }

    /// How many partitions a topic has, or is to have.
    pub(super) fn of(&self, topic: &str) -> Option<i32> {
        existing(self.image, topic).or_else(|| self.decided(topic))
    }

    /// How many a topic of the application's own is to have, whatever is there.
    pub(super) fn decided(&self, topic: &str) -> Option<i32> {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        self.decided.get(topic).copied()
    }

    /// How many tasks a part comes to.
    pub(super) fn tasks(&self, part: &Subtopology) -> Option<i32> {
        part.inputs().filter_map(|topic| self.of(topic)).max()
    }

    fn repartition_topics(&mut self) -> Result<(), Problem> {
        let topology = self.topology;
        for topic in topology.subtopologies.iter().flat_map(|part| &part.repartition_sources) {
            if topic.partitions != 0 {
                self.decided.insert(topic.name.clone(), topic.partitions);
            }
        }
        let mut readers: BTreeMap<&Arc<str>, Vec<&Subtopology>> = BTreeMap::new();
        for part in &topology.subtopologies {
            for topic in &part.repartition_sources {
                readers.entry(&topic.name).or_default().push(part);
            }
        }
        // What a part reads is gone through at most twice: at first, and when one of the topics has got a size. However
        // the parts hang together, the time is in proportion to the topology.
        let mut due: VecDeque<&Subtopology> = topology.subtopologies.iter().collect();
        let mut done: BTreeSet<&Arc<str>> = BTreeSet::new();
        while let Some(part) = due.pop_front() {
            if done.contains(&part.id) {
                continue;
            }
            let Some(count) = self.inflow(part) else { continue };
            done.insert(&part.id);
            for sink in &part.repartition_sinks {
                if self.decided(sink).is_none() {
                    self.decided.insert(sink.clone(), count);
                    due.extend(readers.get(sink).into_iter().flatten());
                }
            }
        }
        let mut sinks = topology.subtopologies.iter().flat_map(|part| &part.repartition_sinks);
        if !sinks.all(|sink| self.decided.contains_key(sink)) {
            return Err(Problem::Invalid(
                "the number of partitions of its repartition topics cannot be decided: there may be a loop",
            ));
        }
        let mut sources = topology.subtopologies.iter().flat_map(|part| &part.repartition_sources);
        if !sources.all(|topic| self.decided.contains_key(&topic.name)) {
            return Err(Problem::Invalid("a repartition topic is read that nothing writes to"));
        }
        Ok(())
    }

    /// The most partitions of what a part reads, as far as that is known.
    fn inflow(&self, part: &Subtopology) -> Option<i32> {
        let own = part.repartition_sources.iter().filter_map(|topic| self.decided(&topic.name));
        let foreign = part.sources.iter().filter_map(|topic| self.of(topic));
        own.chain(foreign).max()
    }

    fn copartitioned_topics(&mut self) -> Result<(), Problem> {
        let all = || self.topology.subtopologies.iter().flat_map(|part| &part.repartition_sources);
        let of_size = |is_fixed: bool| {
            let topics = all().filter(move |topic| (topic.partitions != 0) == is_fixed);
            topics.map(|topic| topic.name.clone()).collect()
        };
        let mut own = OwnTopics { fixed: of_size(true), flexible: of_size(false), fixed_count: None };
        for part in self.topology.by_id().into_values() {
            for group in &part.copartition_groups {
                let topics = topics_of(part, group).ok_or(Problem::Impossible)?;
                self.copartition(&topics, &mut own)?;
            }
        }
        Ok(())
    }

    fn copartition(&mut self, group: &BTreeSet<Arc<str>>, all: &mut OwnTopics) -> Result<(), Problem> {
        if group.is_empty() {
            return Ok(());
        }
        let (mut own, mut foreign) = (Counts::new(), Counts::new());
        for topic in group {
            let count = self.of(topic).ok_or(Problem::Impossible)?;
            let is_own = all.fixed.contains(topic) || all.flexible.contains(topic);
            if is_own { &mut own } else { &mut foreign }.insert(topic.clone(), count);
        }
        let count =
            if !foreign.is_empty() {
                same(&foreign)?
            } else if all.fixed.is_empty() {
                own.values().copied().max().filter(|count| *count > 0).ok_or(Problem::Invalid(
                    "none of the topics that must be of one size says of what size",
                ))?
            } else {
                self.fixed_count(all)?
            };
        for (topic, known) in own {
            if all.fixed.contains(&topic) && known != count {
                return Err(Problem::Misfit(Misfit::new(
                    StatusCode::IncorrectlyPartitionedTopics,
                    format!(
                        "repartition topic {topic} has {known} partitions, what it is joined with {count}"
                    ),
                )));
            }
            self.decided.insert(topic, count);
        }
        Ok(())
    }

    /// The count that all fixed topics have; as in Kafka all of them count, whatever group they are in. It is asked
    /// once: what groups decide of a fixed topic is the count that it has.
    fn fixed_count(&self, own: &mut OwnTopics) -> Result<i32, Problem> {
        if let Some(known) = own.fixed_count {
            return Ok(known);
        }
        let all = own.fixed.iter().map(|topic| Some((topic.clone(), self.of(topic)?)));
        let count = same(&all.collect::<Option<Counts>>().ok_or(Problem::Impossible)?)?;
        own.fixed_count = Some(count);
        Ok(count)
    }

    fn changelogs(&mut self) -> Result<(), Problem> {
        for part in &self.topology.subtopologies {
            let count = self.tasks(part).ok_or(Problem::Invalid("a subtopology reads no topic"))?;
            for topic in &part.changelogs {
                self.decided.insert(topic.name.clone(), count);
            }
        }
        Ok(())
    }
}

/// How many partitions a topic has that is there.
pub(super) fn existing(image: &Image, topic: &str) -> Option<i32> {
    image.topics.by_name(topic).map(|topic| i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX))
}

/// The topics of a group; none where it names a place that is not there.
fn topics_of(part: &Subtopology, group: &CopartitionGroup) -> Option<BTreeSet<Arc<str>>> {
    let place = |place: &i16| usize::try_from(*place).ok();
    let sources = group.sources.iter().map(|at| Some(part.sources.get(place(at)?)?.clone()));
    let own = &part.repartition_sources;
    let own = group.repartition_sources.iter().map(|at| Some(own.get(place(at)?)?.name.clone()));
    sources.chain(own).collect()
}

/// The count that all of them have.
fn same(counts: &Counts) -> Result<i32, Problem> {
    let mut all = counts.values().copied();
    let first = all.next().ok_or(Problem::Impossible)?;
    if all.all(|count| count == first) {
        return Ok(first);
    }
    let listed = summary(counts.iter().map(|(topic, count)| format!("{topic}={count}")));
    let detail = format!("topics that are joined have different numbers of partitions: {listed}");
    Err(Problem::Misfit(Misfit::new(StatusCode::IncorrectlyPartitionedTopics, detail)))
}
