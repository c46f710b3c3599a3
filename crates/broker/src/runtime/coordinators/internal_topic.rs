//! The topics that coordinators keep their logs in, created when somebody first asks for a coordinator.
//!
//! deviation: where fewer brokers are alive than the replication factor asks for, as many replicas are made as there
//! are brokers; Kafka makes none and has clients wait. Who starts with a single node gains.

use std::collections::BTreeMap;

use metadata::Refusal;
use metadata::controller::configs::ConfigCheck;
use metadata::controller::placement::Seed;
use metadata::controller::topics::{CreateTopics, NewTopic, TopicDefaults, decide_create_topics};
use metadata::image::{Broker as RegisteredBroker, ConfigResource, ResourceType};

use crate::Broker;
use crate::config::NodeConfig;
use crate::runtime::topic_creation::random_topic_id;

/// The settings of internal topics are the broker's own and need no judge.
struct OwnSettings;

impl ConfigCheck for OwnSettings {
    fn is_list(&self, _: ResourceType, _: &str) -> bool {
        false
    }

    fn default_value(&self, _: ResourceType, _: &str) -> Option<String> {
        None
    }

    fn check(&self, _: &ConfigResource, _: &BTreeMap<String, String>) -> Result<(), Refusal> {
        Ok(())
    }
}

/// How an internal topic is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalTopic {
    /// Its name.
    pub name: &'static str,
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas, where there are as many brokers.
    pub replication_factor: i16,
    /// Its own settings.
    pub configs: Vec<(&'static str, String)>,
}

impl InternalTopic {
    /// The topic of committed offsets.
    pub fn offsets(config: &NodeConfig) -> Self {
        Self {
            name: "__consumer_offsets",
            partitions: config.groups.partitions,
            replication_factor: config.groups.replication_factor,
            configs: vec![
                ("cleanup.policy", "compact".to_owned()),
                ("segment.bytes", config.groups.segment_bytes.to_string()),
                ("compression.type", "producer".to_owned()),
            ],
        }
    }
}

impl InternalTopic {
    /// The topic of transactions.
    pub fn transactions(config: &NodeConfig) -> Self {
        Self {
            name: "__transaction_state",
            partitions: config.transactions.partitions,
            replication_factor: config.transactions.replication_factor,
            configs: vec![
                ("cleanup.policy", "compact".to_owned()),
                ("segment.bytes", config.transactions.segment_bytes.to_string()),
                ("compression.type", "uncompressed".to_owned()),
                ("min.insync.replicas", config.transactions.in_sync_min.to_string()),
                ("unclean.leader.election.enable", "false".to_owned()),
            ],
        }
    }

    /// Its settings with so many replicas: no more can be asked to be in sync, or nobody could write to it.
    fn configs(self, replicas: i16) -> impl Iterator<Item = (String, Option<String>)> {
        self.configs.into_iter().map(move |(key, value)| {
            let in_sync = (key == "min.insync.replicas").then(|| value.parse::<i16>().ok()).flatten();
            let value = in_sync.map_or(value, |wanted| wanted.min(replicas).to_string());
            (key.to_owned(), Some(value))
        })
    }
}

/// Creates an internal topic unless it is there; says why it cannot be.
///
/// # Errors
/// Why the topic is not there afterwards.
pub async fn ensure(broker: &Broker, topic: InternalTopic) -> Result<(), String> {
    if broker.image().topics.by_name(topic.name).is_some() {
        return Ok(());
    }
    let seed = Seed(uuid::Uuid::new_v4().as_u64_pair().0);
    let id = random_topic_id();
    let name = topic.name;
    let submitted = broker.quorum.submit(move |image, _| {
        let brokers = image.cluster.brokers.values();
        let alive = brokers.filter(|broker| RegisteredBroker::is_active(broker)).count();
        let factor = topic.replication_factor.min(i16::try_from(alive).unwrap_or(i16::MAX)).max(1);
        let partitions = topic.partitions;
        let create = CreateTopics {
            topics: vec![NewTopic {
                name: topic.name.to_owned(),
                id,
                partitions,
                replication_factor: factor,
                assignments: Vec::new(),
                configs: topic.configs(factor).collect(),
            }],
            validate_only: false,
            defaults: TopicDefaults { partitions, replication_factor: factor },
            seed,
        };
        decide_create_topics(image, create, &OwnSettings)
    });
    match submitted.await {
        Ok(outcomes) => match outcomes.into_iter().next() {
            Some((_, Ok(created))) => {
                tracing::info!(topic = name, partitions = created.partitions, "internal topic created");
                Ok(())
            }
            Some((_, Err(Refusal::TopicAlreadyExists(_)))) => Ok(()),
            Some((_, Err(refusal))) => Err(refusal.to_string()),
            None => Err("the controller did not say what became of it".to_owned()),
        },
        Err(error) => Err(error.to_string()),
    }
}
