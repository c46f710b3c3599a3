//! Creating and deleting topics.

use std::collections::{BTreeMap, BTreeSet};

use protocol::id::{NodeId, PartitionIndex, TopicId};
use protocol::messages::record::{
    partition_record::PartitionRecord, remove_topic_record::RemoveTopicRecord, topic_record::TopicRecord,
};

use super::configs::{self, ConfigCheck};
use super::placement::{Seed, place};
use super::{Decision, Refusal};
use crate::image::{ConfigResource, DIRECTORY_UNASSIGNED, Image, METADATA_TOPIC};
use crate::record::MetadataRecord;

/// The longest topic name: a directory name of 255 bytes less the partition's number and a suffix.
const NAME_BYTES_MAX: usize = 249;

/// The most partitions that one request may bring, as in Kafka.
pub const PARTITIONS_MAX: usize = 10_000;

/// A topic to create.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// A fresh random id.
    pub id: TopicId,
    /// How many partitions, -1 for the default or where they are assigned by hand.
    pub partitions: i32,
    /// How many replicas each, -1 for the default or where they are assigned by hand.
    pub replication_factor: i16,
    /// Replicas by hand; empty to have them placed.
    pub assignments: Vec<(PartitionIndex, Vec<NodeId>)>,
    /// Values to set.
    pub configs: Vec<(String, Option<String>)>,
}

/// What stands in for -1.
#[derive(Clone, Copy, Debug)]
pub struct TopicDefaults {
    /// `num.partitions`.
    pub partitions: i32,
    /// `default.replication.factor`.
    pub replication_factor: i16,
}

/// Topics to create together.
#[derive(Clone, Debug)]
pub struct CreateTopics {
    /// The topics.
    pub topics: Vec<NewTopic>,
    /// Whether to judge only.
    pub validate_only: bool,
    /// What stands in for -1.
    pub defaults: TopicDefaults,
    /// Randomness for placing replicas.
    pub seed: Seed,
}

/// A topic that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its id.
    pub id: TopicId,
    /// How many partitions it has.
    pub partitions: i32,
    /// How many replicas each has.
    pub replication_factor: i16,
}

/// The outcome for each topic of a request, in its order.
pub type CreatedTopics = Vec<(String, Result<CreatedTopic, Refusal>)>;

/// Creates topics; each succeeds or fails by itself.
pub fn decide_create_topics(
    image: &Image,
    request: CreateTopics,
    check: &dyn ConfigCheck,
) -> Result<Decision<CreatedTopics>, Refusal> {
    let mut names = BTreeMap::<&str, usize>::new();
    for topic in &request.topics {
        *names.entry(&topic.name).or_default() += 1;
    }
    let doubled: BTreeSet<String> =
        names.iter().filter(|(_, times)| **times > 1).map(|(name, _)| (*name).to_owned()).collect();
    let single = request.topics.iter().filter(|topic| !doubled.contains(&topic.name));
    let asked: usize = single.map(|topic| partitions_asked(topic, &request)).sum();
    if asked > PARTITIONS_MAX {
        return Err(Refusal::TooManyPartitions { asked, max: PARTITIONS_MAX });
    }
    let mut creation = Creation { image, defaults: request.defaults, seed: request.seed, check };
    let mut records = Vec::new();
    let mut response = Vec::new();
    let mut answered = BTreeSet::new();
    for topic in request.topics {
        if doubled.contains(&topic.name) {
            // Kafka answers once for a name that stands twice.
            if answered.insert(topic.name.clone()) {
                response.push((topic.name.clone(), Err(Refusal::DuplicateTopic(topic.name))));
            }
            continue;
        }
        let result = creation.create(&topic).map(|(created, more)| {
            records.extend(more);
            created
        });
        response.push((topic.name, result));
    }
    if records.len() > PARTITIONS_MAX {
        // As in Kafka, whose bound is really on the records of a batch: a topic takes one of its own.
        return Err(Refusal::TooManyPartitions { asked, max: PARTITIONS_MAX });
    }
    if request.validate_only {
        records.clear();
    }
    Ok(Decision::new(records, response))
}

fn partitions_asked(topic: &NewTopic, request: &CreateTopics) -> usize {
    if topic.assignments.is_empty() {
        let asked = if topic.partitions == -1 { request.defaults.partitions } else { topic.partitions };
        usize::try_from(asked).unwrap_or(0)
    } else {
        topic.assignments.len()
    }
}

struct Creation<'a> {
    image: &'a Image,
    defaults: TopicDefaults,
    seed: Seed,
    check: &'a dyn ConfigCheck,
}

impl Creation<'_> {
    fn create(&mut self, topic: &NewTopic) -> Result<(CreatedTopic, Vec<MetadataRecord<'static>>), Refusal> {
        self.check_name(&topic.name)?;
        let mut records: Vec<MetadataRecord<'static>> =
            vec![TopicRecord { name: topic.name.clone().into(), topic_id: topic.id }.into()];
        records.extend(self.config_records(topic)?);
        let assignments = if topic.assignments.is_empty() {
            self.place_partitions(topic)?
        } else {
            manual_partitions(self.image, topic)?
        };
        let replication_factor = assignments.first().map_or(0, Vec::len);
        let created = CreatedTopic {
            id: topic.id,
            partitions: i32::try_from(assignments.len()).unwrap_or(i32::MAX),
            replication_factor: i16::try_from(replication_factor).unwrap_or(i16::MAX),
        };
        for (index, replicas) in (0..).zip(assignments) {
            records.push(new_partition(self.image, topic.id, PartitionIndex(index), replicas).into());
        }
        Ok((created, records))
    }

    fn check_name(&self, name: &str) -> Result<(), Refusal> {
        if let Some(reason) = name_fault(name) {
            return Err(Refusal::IllegalTopicName { name: name.to_owned(), reason });
        }
        // Its partition 0 would lie where the metadata log lies.
        if name == METADATA_TOPIC {
            let reason = "it is the log of the metadata".to_owned();
            return Err(Refusal::IllegalTopicName { name: name.to_owned(), reason });
        }
        if self.image.topics.by_name(name).is_some() {
            return Err(Refusal::TopicAlreadyExists(name.to_owned()));
        }
        // As in Kafka only topics that are there count: two of one request that collide come in together.
        match self.image.topics.colliding(name) {
            Some(existing) => {
                Err(Refusal::CollidingTopicName { name: name.to_owned(), existing: existing.to_owned() })
            }
            None => Ok(()),
        }
    }

    fn config_records(&self, topic: &NewTopic) -> Result<Vec<MetadataRecord<'static>>, Refusal> {
        let without: Vec<_> =
            topic.configs.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key.as_str()).collect();
        if !without.is_empty() {
            let sentence = format!("null value not supported for topic configs: {}", without.join(","));
            return Err(Refusal::InvalidConfig(sentence));
        }
        let values = topic.configs.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
        configs::set_all(&ConfigResource::topic(&*topic.name), values.collect(), self.check)
    }

    fn place_partitions(&mut self, topic: &NewTopic) -> Result<Vec<Vec<NodeId>>, Refusal> {
        if topic.replication_factor < -1 || topic.replication_factor == 0 {
            let sentence = "replication factor must be larger than 0, or -1 to use the default value";
            return Err(Refusal::InvalidReplicationFactor(sentence.to_owned()));
        }
        if topic.partitions < -1 || topic.partitions == 0 {
            let sentence = "number of partitions must be larger than 0, or -1 to use the default value";
            return Err(Refusal::InvalidPartitions(sentence.to_owned()));
        }
        let or_default = |asked, default| if asked == -1 { default } else { asked };
        let partitions = or_default(topic.partitions, self.defaults.partitions);
        let factor = if topic.replication_factor == -1 {
            self.defaults.replication_factor
        } else {
            topic.replication_factor
        };
        self.seed.0 = self.seed.0.wrapping_add(1);
        place(self.image, usize::try_from(partitions).unwrap_or(0), factor, self.seed)
    }
}

fn manual_partitions(image: &Image, topic: &NewTopic) -> Result<Vec<Vec<NodeId>>, Refusal> {
    if topic.replication_factor != -1 {
        let sentence =
            "a manual partition assignment was specified, but replication factor was not set to -1";
        return Err(Refusal::InvalidRequest(sentence.to_owned()));
    }
    if topic.partitions != -1 {
        let sentence = "a manual partition assignment was specified, but numPartitions was not set to -1";
        return Err(Refusal::InvalidRequest(sentence.to_owned()));
    }
    let mut by_index = BTreeMap::new();
    let mut factor = None;
    for (index, replicas) in &topic.assignments {
        if by_index.contains_key(index) {
            let sentence = format!("found multiple manual partition assignments for partition {index}");
            return Err(Refusal::InvalidReplicaAssignment(sentence));
        }
        check_assignment(image, replicas, factor)?;
        factor = Some(replicas.len());
        if !replicas.iter().any(|&id| image.cluster.is_active(id)) {
            let sentence = format!(
                "all brokers specified in the manual partition assignment for partition {index} are fenced or in controlled shutdown"
            );
            return Err(Refusal::InvalidReplicaAssignment(sentence));
        }
        by_index.insert(*index, replicas.clone());
    }
    if !by_index.keys().map(|index| index.0).eq(0..by_index.len() as i32) {
        let sentence = "partitions should be a consecutive 0-based integer sequence";
        return Err(Refusal::InvalidReplicaAssignment(sentence.to_owned()));
    }
    Ok(by_index.into_values().collect())
}

/// Whether replicas chosen by hand can be: registered brokers, each once, as many as for the other partitions.
pub(super) fn check_assignment(
    image: &Image,
    replicas: &[NodeId],
    factor: Option<usize>,
) -> Result<(), Refusal> {
    let refuse = |what: String| {
        Err(Refusal::InvalidReplicaAssignment(format!("the manual partition assignment includes {what}")))
    };
    if replicas.is_empty() {
        return refuse("an empty replica list".to_owned());
    }
    let mut seen = BTreeSet::new();
    for &id in replicas {
        if image.cluster.broker(id).is_none() {
            return refuse(format!("broker {id}, but no such broker is registered"));
        }
        if !seen.insert(id) {
            return refuse(format!("the broker {id} more than once"));
        }
    }
    match factor {
        Some(factor) if factor != replicas.len() => refuse(format!(
            "a partition with {} replica(s), but this is not consistent with other partitions, which have {factor} replica(s)",
            replicas.len()
        )),
        _ => Ok(()),
    }
}

/// The record of a new partition. Every active replica begins in sync, and the first of them leads.
pub(super) fn new_partition(
    image: &Image,
    topic: TopicId,
    index: PartitionIndex,
    replicas: Vec<NodeId>,
) -> PartitionRecord<'static> {
    let isr: Vec<i32> = replicas.iter().filter(|id| image.cluster.is_active(**id)).map(|id| id.0).collect();
    let directory = |id: &NodeId| match image.cluster.broker(*id).map(|broker| broker.log_dirs.as_slice()) {
        // With one directory there is no question where the replica goes.
        Some(&[only]) => only,
        _ => DIRECTORY_UNASSIGNED,
    };
    let assigned = image.assigns_directories();
    PartitionRecord {
        partition_id: index.0,
        topic_id: topic,
        directories: replicas.iter().filter(|_| assigned).map(directory).collect(),
        replicas: replicas.iter().map(|id| id.0).collect(),
        leader: isr.first().copied().unwrap_or(-1),
        isr: isr.into(),
        leader_epoch: 0,
        partition_epoch: 0,
        ..PartitionRecord::default()
    }
}

/// How a request names a topic to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicRef {
    /// By its name.
    Name(String),
    /// By its id.
    Id(TopicId),
}

/// The topic a request names.
pub fn find_topic<'a>(
    image: &'a Image,
    topic: &TopicRef,
) -> Result<&'a std::sync::Arc<crate::image::Topic>, Refusal> {
    match topic {
        TopicRef::Name(name) => image.topics.by_name(name).ok_or_else(|| Refusal::UnknownTopic(name.clone())),
        TopicRef::Id(id) => image.topics.get(*id).ok_or(Refusal::UnknownTopicId(*id)),
    }
}

/// The outcome for each topic to delete, in the request's order.
pub type DeletedTopics = Vec<(TopicRef, Result<TopicId, Refusal>)>;

/// Deletes topics, each by itself. A topic named twice, by name or id, is deleted once and refused the second time.
pub fn decide_delete_topics(
    image: &Image,
    topics: Vec<TopicRef>,
) -> Result<Decision<DeletedTopics>, Refusal> {
    let mut gone = BTreeSet::new();
    let mut records = Vec::new();
    let mut response = Vec::new();
    for topic in topics {
        let result = find_topic(image, &topic).and_then(|found| {
            if !gone.insert(found.id) {
                return Err(Refusal::DuplicateTopic(found.name.to_string()));
            }
            records.push(RemoveTopicRecord { topic_id: found.id }.into());
            Ok(found.id)
        });
        response.push((topic, result));
    }
    Ok(Decision::new(records, response))
}

/// What makes a name illegal, if anything does.
pub fn name_fault(name: &str) -> Option<String> {
    let illegal = |character: char| !(character.is_ascii_alphanumeric() || "._-".contains(character));
    match name {
        "" => Some("it is empty".to_owned()),
        "." | ".." => Some("it must not be '.' or '..'".to_owned()),
        name if name.len() > NAME_BYTES_MAX => {
            Some(format!("it has {} characters, at most {NAME_BYTES_MAX} are possible", name.len()))
        }
        name if name.chars().any(illegal) => {
            Some("only ASCII letters, digits, '.', '_' and '-' are possible".to_owned())
        }
        _ => None,
    }
}

/// What two names that collide have in common: metrics write '.' as '_'.
pub(crate) fn collision_key(name: &str) -> String {
    name.replace('.', "_")
}
