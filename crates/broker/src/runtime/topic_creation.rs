//! Topics that come into being because somebody asks for them (`auto.create.topics.enable`).

use std::collections::BTreeMap;
use std::time::Instant;

use metadata::Refusal;
use metadata::controller::configs::ConfigCheck;
use metadata::controller::placement::Seed;
use metadata::controller::topics::{
    CreateTopics, CreatedTopic, NewTopic, TopicDefaults, decide_create_topics,
};
use metadata::image::{ConfigResource, ResourceType};
use protocol::id::Uuid;

use crate::Broker;
use crate::seldom::Seldom;

static CREATED: Seldom = Seldom::new();
static REFUSED: Seldom = Seldom::new();
static FAILED: Seldom = Seldom::new();

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
        Ok(outcomes) => tell(outcomes),
        Err(error) => {
            if let Some(unsaid) = FAILED.due(Instant::now()) {
                tracing::warn!(%error, unsaid, "topics could not be created by asking");
            }
        }
    }
}

/// Says what came of it, the first of many for all of them.
fn tell(outcomes: Vec<(String, Result<CreatedTopic, Refusal>)>) {
    let (created, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|(_, outcome)| outcome.is_ok());
    if let Some((topic, Ok(first))) = created.first()
        && let Some(unsaid) = CREATED.due(Instant::now())
    {
        let topics = created.len();
        tracing::info!(topic, id = %first.id, partitions = first.partitions, topics, unsaid, "topics created by asking");
    }
    let refused = refused.iter().find_map(|(name, outcome)| match outcome {
        Err(Refusal::TopicAlreadyExists(_)) | Ok(_) => None,
        Err(refusal) => Some((name, refusal)),
    });
    if let Some((topic, refusal)) = refused
        && let Some(unsaid) = REFUSED.due(Instant::now())
    {
        tracing::info!(topic, %refusal, unsaid, "topic not created by asking");
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
