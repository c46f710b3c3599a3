//! Topics of applications of Kafka Streams, which the coordinator has made for them (KIP-1071).
//!
//! A heartbeat that finds topics missing has them made and does not wait for it: the next one finds them there, or
//! hears why they are not. Each is asked for once at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use coordinator::group::streams::InternalTopic;
use metadata::Image;
use metadata::controller::placement::Seed;
use metadata::controller::topics::{
    CreateTopics, CreatedTopic, NewTopic, TopicDefaults, decide_create_topics,
};

use super::topic_creation::random_topic_id;
use crate::Broker;
use crate::config::ControllerCheck;

/// How many refusals are kept.
const REFUSALS_MAX: usize = 1000;

/// What is being made, and what could not be.
#[derive(Default)]
pub struct StreamsTopics(Mutex<State>);

#[derive(Default)]
struct State {
    making: BTreeSet<Arc<str>>,
    /// Why topics were not made, and until when that is told instead of trying again.
    refused: BTreeMap<Arc<str>, (String, Instant)>,
}

impl StreamsTopics {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Those of the topics that are to be made now.
    fn begin(&self, topics: &[InternalTopic]) -> Vec<InternalTopic> {
        let mut state = self.state();
        let now = Instant::now();
        state.refused.retain(|_, (_, until)| *until > now);
        let State { making, refused } = &mut *state;
        let due = topics.iter().filter(|topic| !refused.contains_key(&topic.name));
        due.filter(|topic| making.insert(topic.name.clone())).cloned().collect()
    }

    fn end(&self, topics: &[InternalTopic], refusals: Vec<(Arc<str>, String)>, keep: Duration) {
        let mut state = self.state();
        for topic in topics {
            state.making.remove(&topic.name);
        }
        let until = Instant::now() + keep;
        for (name, why) in refusals {
            if state.refused.len() < REFUSALS_MAX {
                state.refused.insert(name, (why, until));
            }
        }
    }

    /// Why topics were not made when it was tried last.
    pub fn refusals(&self, topics: &[InternalTopic]) -> Vec<(Arc<str>, String)> {
        let (state, now) = (self.state(), Instant::now());
        let known = topics.iter().filter_map(|topic| {
            let (why, until) = state.refused.get(&topic.name)?;
            (*until > now).then(|| (topic.name.clone(), why.clone()))
        });
        known.collect()
    }
}

/// Has topics made, on a task of their own. Why one could not be made is told for as long as `keep`.
pub fn have_made(broker: &Arc<Broker>, topics: &[InternalTopic], keep: Duration) {
    let topics = broker.streams_topics.begin(topics);
    if topics.is_empty() {
        return;
    }
    let broker = broker.clone();
    tokio::spawn(async move {
        let mut making = Making { all: &broker.streams_topics, topics: &topics, refusals: Vec::new(), keep };
        making.refusals = make(&broker, &topics).await;
    });
}

/// Topics that are being made, until it is dropped, however that comes about: a panic must not have them never made.
struct Making<'m> {
    all: &'m StreamsTopics,
    topics: &'m [InternalTopic],
    refusals: Vec<(Arc<str>, String)>,
    keep: Duration,
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.all.end(self.topics, std::mem::take(&mut self.refusals), self.keep);
    }
}

async fn make(broker: &Broker, topics: &[InternalTopic]) -> Vec<(Arc<str>, String)> {
    let config = broker.config();
    let create = CreateTopics {
        topics: topics.iter().map(new_topic).collect(),
        validate_only: false,
        defaults: TopicDefaults {
            partitions: config.topics.partitions,
            replication_factor: config.topics.replication_factor,
        },
        seed: Seed(uuid::Uuid::new_v4().as_u64_pair().0),
    };
    let made = broker.quorum.submit(move |image: &Image, _| {
        decide_create_topics(image, create, &ControllerCheck { config: &config, image })
    });
    match made.await {
        Ok(outcomes) => outcomes.into_iter().filter_map(|(name, outcome)| told(&name, outcome)).collect(),
        Err(error) => {
            tracing::warn!(%error, topics = topics.len(), "topics of a streams application were not made");
            topics.iter().map(|topic| (topic.name.clone(), error.to_string())).collect()
        }
    }
}

fn told(name: &str, outcome: Result<CreatedTopic, metadata::Refusal>) -> Option<(Arc<str>, String)> {
    match outcome {
        Ok(created) => {
            tracing::info!(topic = name, id = %created.id, partitions = created.partitions, "topic of a streams application made");
            None
        }
        Err(refusal) => {
            tracing::warn!(topic = name, %refusal, "topic of a streams application not made");
            Some((Arc::from(name), refusal.to_string()))
        }
    }
}

fn new_topic(topic: &InternalTopic) -> NewTopic {
    let configs = topic.configs.iter();
    NewTopic {
        name: topic.name.to_string(),
        id: random_topic_id(),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor.unwrap_or(-1),
        assignments: Vec::new(),
        configs: configs.map(|(key, value)| (key.to_string(), Some(value.to_string()))).collect(),
    }
}
