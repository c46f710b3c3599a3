//! The logs of a node by their names, in order. The partitions of a topic lie in one list: very many of them take little
//! more room there than their addresses.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use protocol::id::PartitionIndex;

use super::SharedLog;
use crate::disk::Disk;
use crate::names::TopicPartition;

/// Logs by name.
pub(super) struct Logs<D: Disk> {
    /// Ascending by index; no topic is without any.
    topics: BTreeMap<Arc<str>, Vec<(PartitionIndex, SharedLog<D>)>>,
}

impl<D: Disk> Default for Logs<D> {
    fn default() -> Self {
        Self { topics: BTreeMap::new() }
    }
}

impl<D: Disk> Logs<D> {
    /// The log of this name.
    pub(super) fn get(&self, name: &TopicPartition) -> Option<&SharedLog<D>> {
        let partitions = self.topics.get(&name.topic)?;
        let place = partitions.binary_search_by_key(&name.partition, |(index, _)| *index).ok()?;
        Some(&partitions[place].1)
    }

    /// Adds a log, or puts it in the place of another of its name.
    pub(super) fn insert(&mut self, name: TopicPartition, log: SharedLog<D>) {
        let partitions = self.topics.entry(name.topic).or_default();
        match partitions.binary_search_by_key(&name.partition, |(index, _)| *index) {
            Ok(place) => partitions[place].1 = log,
            Err(place) => {
                if partitions.is_empty() {
                    // Very many topics may have one partition each.
                    partitions.reserve_exact(1);
                }
                partitions.insert(place, (name.partition, log));
            }
        }
    }

    /// Takes a log out.
    pub(super) fn remove(&mut self, name: &TopicPartition) -> Option<SharedLog<D>> {
        let partitions = self.topics.get_mut(&name.topic)?;
        let place = partitions.binary_search_by_key(&name.partition, |(index, _)| *index).ok()?;
        let (_, log) = partitions.remove(place);
        if partitions.is_empty() {
            self.topics.remove(&name.topic);
        }
        Some(log)
    }

    /// All logs.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TopicPartition, SharedLog<D>)> {
        self.behind(None)
    }

    /// The logs whose names come behind this one.
    pub(super) fn behind(
        &self,
        last: Option<&TopicPartition>,
    ) -> impl Iterator<Item = (TopicPartition, SharedLog<D>)> {
        let first = last.map_or(Bound::Unbounded, |last| Bound::Included(&*last.topic));
        let topics = self.topics.range::<str, _>((first, Bound::Unbounded));
        topics.flat_map(move |(topic, partitions)| {
            let met = last.filter(|last| last.topic == *topic).map(|last| last.partition);
            let first = partitions.partition_point(|(index, _)| met.is_some_and(|met| *index <= met));
            let of_topic = partitions[first..].iter();
            of_topic
                .map(move |(index, log)| (TopicPartition::new(Arc::clone(topic), *index), Arc::clone(log)))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::prelude::*;
    use protocol::id::{TopicId, Uuid};

    use super::*;
    use crate::descriptors::Descriptors;
    use crate::disk::RealDisk;
    use crate::log::Log;
    use crate::log_config::LogConfig;
    use crate::log_directory::LogDirectory;

    const TOPIC: TopicId = Uuid([7; 16]);

    fn name(number: u8) -> TopicPartition {
        TopicPartition::new(
            ["a", "b", "c"][usize::from(number / 8 % 3)],
            PartitionIndex(i32::from(number % 8)),
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Against a map, whatever comes and goes, and from whatever name on they are asked for.
        #[test]
        fn logs_are_found_and_met_in_the_order_of_their_names(changes in proptest::collection::vec((any::<bool>(), 0..24_u8), 0..60)) {
            let temp = tempfile::tempdir().unwrap();
            let descriptors = Descriptors::new(RealDisk, 4);
            let home = Arc::new(LogDirectory::start(temp.path(), TOPIC, descriptors, 0).unwrap());
            let mut logs = Logs::default();
            let mut known = BTreeMap::new();
            for (comes, number) in changes {
                let name = name(number);
                if comes {
                    let config = Arc::new(LogConfig::default());
                    let log = Log::plan(home.clone(), name.clone(), TOPIC, config, protocol::id::Timestamp(0)).unwrap();
                    let log: SharedLog = Arc::new(Mutex::new(log));
                    known.insert(name.clone(), log.clone());
                    logs.insert(name, log);
                } else {
                    let (removed, was) = (logs.remove(&name), known.remove(&name));
                    prop_assert_eq!(removed.map(|log| Arc::as_ptr(&log)), was.map(|log| Arc::as_ptr(&log)));
                }
            }
            for number in 0..24 {
                let name = name(number);
                prop_assert_eq!(logs.get(&name).map(Arc::as_ptr), known.get(&name).map(Arc::as_ptr));
                let behind: Vec<_> = logs.behind(Some(&name)).map(|(name, _)| name).collect();
                let expected = known.keys().filter(|known| **known > name);
                prop_assert_eq!(behind, expected.cloned().collect::<Vec<_>>());
            }
            prop_assert!(logs.iter().map(|(name, _)| name).eq(known.keys().cloned()));
        }
    }
}
