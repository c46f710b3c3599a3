//! CreateTopics, 2 to 7: creates topics, each by itself.
//!
//! 4 lets the broker's defaults stand in for -1 (KIP-464), which we do in every version, as Kafka does; 5 answers
//! with what was created and its configuration (KIP-525); 7 with the topic's id (KIP-516). The quota on mutations
//! that 6 answers for (KIP-599) is not there, so nothing is ever throttled. Policy classes (KIP-108) are Java and
//! stay out.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use metadata::controller::placement::Seed;
use metadata::controller::topics::{
    CreateTopics, CreatedTopic, NewTopic, TopicDefaults, decide_create_topics,
};
use metadata::image::METADATA_TOPIC;
use protocol::id::{NodeId, PartitionIndex, Uuid};
use protocol::messages::InPieces;
use protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use protocol::wire::Array;

use super::Call;
use super::ask::{Refused, ask, wire};

use crate::config::{ControllerCheck, NodeConfig, Texts, describe};

/// The first version that tells what was created.
const TELLS_CONFIGS: i16 = 5;

/// Handles one request.
pub async fn handle<'a>(
    call: &Call,
    request: CreateTopicsRequest<'a>,
) -> InPieces<'a, CreateTopicsResponse<'a>> {
    let twice = named_twice(request.topics.iter().map(|topic| topic.name));
    let single = || request.topics.iter().filter(|topic| !twice.contains(&topic.name));
    let (wanted, prohibited): (Vec<_>, Vec<_>) = single().partition(|topic| topic.name != METADATA_TOPIC);
    let created = create(call, &request, &wanted).await;
    let mut outcomes: Vec<(CreatableTopic<'a>, Result<CreatedTopic, Refused>)> =
        Vec::with_capacity(request.topics.len());
    match created {
        Ok(created) => {
            let created = created.into_iter().map(|(_, outcome)| outcome.map_err(Refused::from));
            outcomes.extend(wanted.into_iter().zip(created));
        }
        // What concerns all of them is said of each.
        Err(refused) => outcomes.extend(wanted.into_iter().map(|topic| (topic, Err(refused.clone())))),
    }
    for topic in prohibited {
        let refused = Refused::request(format!(
            "{METADATA_TOPIC} is the log of the metadata: no topic can be called so"
        ));
        outcomes.push((topic, Err(refused)));
    }
    for name in twice {
        let refused =
            Refused::request(format!("topic '{name}' stands more than once in the request: name it once"));
        outcomes.push((CreatableTopic { name, ..CreatableTopic::default() }, Err(refused)));
    }
    let (count, told) = (outcomes.len(), Told::new(call.asked.version, call.broker.config()));
    let result = move |place: usize| {
        let (topic, outcome) = &outcomes[place];
        let configs = if outcome.is_ok() { told.configs(topic) } else { Vec::new() };
        self::result(topic.name.clone(), outcome.clone(), configs)
    };
    InPieces::new(CreateTopicsResponse::default(), |response| &response.topics, count, result)
}

/// The names that stand more than once.
pub fn named_twice<'a>(names: impl Iterator<Item = Cow<'a, str>>) -> BTreeSet<Cow<'a, str>> {
    let mut seen = BTreeSet::new();
    let mut twice = BTreeSet::new();
    for name in names {
        if seen.contains(&name) {
            twice.insert(name);
        } else {
            seen.insert(name);
        }
    }
    twice
}

type Created = Vec<(String, Result<CreatedTopic, metadata::Refusal>)>;

async fn create(
    call: &Call,
    request: &CreateTopicsRequest<'_>,
    wanted: &[CreatableTopic<'_>],
) -> Result<Created, Refused> {
    let config = call.broker.config();
    let create = CreateTopics {
        topics: wanted.iter().map(new_topic).collect(),
        validate_only: request.validate_only,
        defaults: TopicDefaults {
            partitions: config.topics.partitions,
            replication_factor: config.topics.replication_factor,
        },
        seed: seed(),
    };
    ask(call, request.timeout_ms, move |image, _| {
        decide_create_topics(image, create, &ControllerCheck { config: &config, image })
    })
    .await
}

fn new_topic(topic: &CreatableTopic<'_>) -> NewTopic {
    let assignments = topic.assignments.iter().map(|assignment| {
        (PartitionIndex(assignment.partition_index), assignment.broker_ids.iter().map(NodeId).collect())
    });
    let configs = topic.configs.iter();
    NewTopic {
        name: topic.name.to_string(),
        id: random_topic_id(),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: assignments.collect(),
        configs: configs.map(|one| (one.name.into_owned(), one.value.map(Cow::into_owned))).collect(),
    }
}

/// A fresh id. As in Kafka, none that begins with a dash as text, which tools would take for a flag.
pub fn random_topic_id() -> Uuid {
    loop {
        let id = Uuid(uuid::Uuid::new_v4().into_bytes());
        if !id.to_string().starts_with('-') {
            return id;
        }
    }
}

/// Randomness for placing replicas.
pub fn seed() -> Seed {
    Seed(uuid::Uuid::new_v4().as_u64_pair().0)
}

/// What topics are configured with once created, for those who are told.
struct Told {
    version: i16,
    config: Arc<NodeConfig>,
    /// What every topic has that sets nothing itself: most topics of a large request.
    plain: OnceLock<Vec<CreatableTopicConfigs<'static>>>,
}

impl Told {
    fn new(version: i16, config: Arc<NodeConfig>) -> Self {
        Self { version, config, plain: OnceLock::new() }
    }

    fn configs(&self, topic: &CreatableTopic<'_>) -> Vec<CreatableTopicConfigs<'static>> {
        if self.version < TELLS_CONFIGS {
            return Vec::new();
        }
        let own =
            topic.configs.iter().filter_map(|one| Some((one.name.into_owned(), one.value?.into_owned())));
        let own: Texts = own.collect();
        if own.is_empty() {
            return self.plain.get_or_init(|| told(&self.config, &own)).clone();
        }
        told(&self.config, &own)
    }
}

fn told(config: &NodeConfig, own: &Texts) -> Vec<CreatableTopicConfigs<'static>> {
    let entries = describe::topic(&config.settings, own).into_iter();
    let told = entries.map(|entry| CreatableTopicConfigs {
        name: entry.name.into(),
        value: entry.value.map(Into::into),
        read_only: entry.read_only,
        config_source: entry.source as i8,
        is_sensitive: entry.sensitive,
    });
    told.collect()
}

fn result<'a>(
    name: Cow<'a, str>,
    outcome: Result<CreatedTopic, Refused>,
    configs: Vec<CreatableTopicConfigs<'static>>,
) -> CreatableTopicResult<'a> {
    let created = outcome.as_ref().ok().cloned();
    let (error_code, error_message) = wire(outcome);
    let shown = CreatableTopicResult { name, error_code, error_message, ..CreatableTopicResult::default() };
    match created {
        Some(created) => CreatableTopicResult {
            topic_id: created.id,
            num_partitions: created.partitions,
            replication_factor: created.replication_factor,
            configs: Some(configs.into()),
            ..shown
        },
        None => CreatableTopicResult { configs: Some(Array::default()), ..shown },
    }
}
