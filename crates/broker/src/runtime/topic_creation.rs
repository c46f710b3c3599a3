//! Topics that come into being because somebody asks for them (`auto.create.topics.enable`).

use std::collections::BTreeMap;

use metadata::Refusal;
use metadata::controller::configs::ConfigCheck;
use metadata::controller::placement::Seed;
use metadata::controller::topics::{CreateTopics, NewTopic, TopicDefaults, decide_create_topics};
use metadata::image::{ConfigResource, ResourceType};
use protocol::id::Uuid;

use crate::Broker;

/// Topics made by asking carry no settings of their own, so there is nothing to judge.
struct NothingSet;

impl ConfigCheck for NothingSet {
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

/// Creates topics with the broker's defaults, where the broker allows it. Who asked looks for them afterwards: one
/// that could not be created is still unknown.
pub async fn create_missing(broker: &Broker, names: Vec<String>) {
    let defaults = broker.config().topics.clone();
    if !defaults.automatic {
        return;
    }
    let create = CreateTopics {
        topics: names.into_iter().filter(|name| !metadata::image::is_internal(name)).map(new_topic).collect(),
        validate_only: false,
        defaults: TopicDefaults {
            partitions: defaults.partitions,
            replication_factor: defaults.replication_factor,
        },
        seed: Seed(uuid::Uuid::new_v4().as_u64_pair().0),
    };
    if create.topics.is_empty() {
        return;
    }
    match broker.quorum.submit(move |image, _| decide_create_topics(image, create, &NothingSet)).await {
        Ok(outcomes) => {
            for (name, outcome) in outcomes {
                match outcome {
                    Ok(topic) => {
                        tracing::info!(topic = name, id = %topic.id, partitions = topic.partitions, "topic created by asking");
                    }
                    Err(Refusal::TopicAlreadyExists(_)) => {}
                    Err(refusal) => tracing::info!(topic = name, %refusal, "topic not created by asking"),
                }
            }
        }
        Err(error) => tracing::warn!(%error, "topics could not be created by asking"),
    }
}

fn new_topic(name: String) -> NewTopic {
    NewTopic {
        name,
        id: random_topic_id(),
        partitions: -1,
        replication_factor: -1,
        assignments: Vec::new(),
        configs: Vec::new(),
    }
}

/// A fresh id. As in Kafka, none whose text begins with a dash, which tools would take for a flag.
pub fn random_topic_id() -> Uuid {
    loop {
        let id = Uuid(uuid::Uuid::new_v4().into_bytes());
        if !id.to_string().starts_with('-') {
            return id;
        }
    }
}
