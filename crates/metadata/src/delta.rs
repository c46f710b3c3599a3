//! What changed between two images, so that a broker applies only that.
//!
//! Gathered from what [`Image::replay`](crate::Image::replay) reports for each record; never computed by comparing
//! images, so its cost is that of the change, whatever the number of topics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::id::{NodeId, PartitionIndex, TopicId};

use crate::image::{ConfigResource, Topic};

/// What one record changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Nothing that an image shows.
    Nothing,
    /// A topic came.
    TopicCreated(TopicId),
    /// A partition came or changed.
    Partition(TopicId, PartitionIndex),
    /// The log directories of a partition's replicas changed, and nothing else of it.
    Directories(TopicId, PartitionIndex),
    /// A topic went; this is what it last was.
    TopicDeleted(Arc<Topic>),
    /// A value of a resource's configuration changed.
    Config(ConfigResource),
    /// A broker came, changed or went.
    Broker(NodeId),
    /// A feature level changed.
    Feature,
    /// Anything else: producer ids, quotas, ACLs, credentials, tokens, controllers.
    Other,
    /// A transaction was aborted: what it had changed is undone.
    Undone,
}

/// What several records changed.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Delta {
    /// Topics that came.
    pub topics_created: BTreeSet<TopicId>,
    /// Partitions that came or changed, by topic; topics that came stand here too.
    pub partitions: BTreeMap<TopicId, BTreeSet<PartitionIndex>>,
    /// Partitions whose replicas lie in other log directories, by topic, where nothing else of them changed.
    pub directories: BTreeMap<TopicId, BTreeSet<PartitionIndex>>,
    /// Topics that went, as they last were. A topic that came and went within is not listed.
    pub topics_deleted: BTreeMap<TopicId, Arc<Topic>>,
    /// Resources with another configuration.
    pub configs: BTreeSet<ConfigResource>,
    /// Brokers that came, changed or went.
    pub brokers: BTreeSet<NodeId>,
    /// Whether a feature level changed.
    pub features: bool,
    /// Whether anything else changed.
    pub other: bool,
    /// Whether the image must be compared whole: it was loaded, or a transaction undone.
    pub whole: bool,
}

impl Delta {
    /// The delta of an image that was not there before.
    pub fn whole() -> Self {
        Self { whole: true, ..Self::default() }
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what one more record changed.
    pub fn note(&mut self, change: Change) {
        match change {
            Change::Nothing => {}
            Change::TopicCreated(id) => {
                self.topics_created.insert(id);
            }
            Change::Partition(id, partition) => {
                self.partitions.entry(id).or_default().insert(partition);
            }
            Change::Directories(id, partition) => {
                self.directories.entry(id).or_default().insert(partition);
            }
            Change::TopicDeleted(topic) => {
                self.partitions.remove(&topic.id);
                self.directories.remove(&topic.id);
                if !self.topics_created.remove(&topic.id) {
                    self.topics_deleted.insert(topic.id, topic);
                }
            }
            Change::Config(resource) => {
                self.configs.insert(resource);
            }
            Change::Broker(id) => {
                self.brokers.insert(id);
            }
            Change::Feature => self.features = true,
            Change::Other => self.other = true,
            Change::Undone => self.whole = true,
        }
    }
}
