//! The replicas that the metadata places on this broker and that have no log here, because their directory is offline
//! or had no room for them. Clients are told KAFKA_STORAGE_ERROR of them; those that lacked room are made once there is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metadata::image::Partition;
use protocol::id::{PartitionIndex, TopicId};
use storage::{Fault, LogConfig, TopicPartition};

/// A replica without a log.
#[derive(Clone, Debug)]
pub struct MissingReplica {
    /// Its topic's name.
    pub topic: Arc<str>,
    /// Its partition, as the metadata has it.
    pub partition: Arc<Partition>,
    /// How its log is to be configured.
    pub config: Arc<LogConfig>,
    /// `min.insync.replicas` of its topic.
    pub in_sync_min: usize,
    /// Why it has no log.
    pub fault: Fault,
}

/// All of them. Bound: the replicas that the metadata places here.
#[derive(Debug, Default)]
pub struct MissingReplicas(Mutex<BTreeMap<(TopicId, PartitionIndex), MissingReplica>>);

impl MissingReplicas {
    /// Whether a replica is missing.
    pub fn contains(&self, topic: TopicId, index: PartitionIndex) -> bool {
        self.lock().contains_key(&(topic, index))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Notes one.
    pub fn note(&self, topic: TopicId, replica: MissingReplica) {
        self.lock().insert((topic, replica.partition.index), replica);
    }

    /// Forgets one: it is there now, or does not belong here any more.
    pub fn forget(&self, topic: TopicId, index: PartitionIndex) {
        self.lock().remove(&(topic, index));
    }

    /// Forgets those of a topic; says which they were.
    pub fn forget_topic(&self, topic: TopicId) -> Vec<TopicPartition> {
        let mut forgotten = Vec::new();
        self.lock().retain(|(other, index), replica| {
            if *other == topic {
                forgotten.push(TopicPartition::new(replica.topic.clone(), *index));
            }
            *other != topic
        });
        forgotten
    }

    /// Takes another configuration for those of a topic.
    pub fn configure(&self, topic: TopicId, config: &Arc<LogConfig>, in_sync_min: usize) {
        for ((other, _), replica) in self.lock().iter_mut() {
            if *other == topic {
                (replica.config, replica.in_sync_min) = (config.clone(), in_sync_min);
            }
        }
    }

    /// Those that had no room.
    pub fn without_room(&self) -> Vec<(TopicId, MissingReplica)> {
        let missing = self.lock();
        let without_room = missing.iter().filter(|(_, replica)| replica.fault.no_space());
        without_room.map(|((topic, _), replica)| (*topic, replica.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(TopicId, PartitionIndex), MissingReplica>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
