//! Adding partitions to topics, and what brokers report about their replicas.

use std::collections::BTreeSet;

use protocol::id::{BrokerEpoch, DirectoryId, NodeId, PartitionIndex, TopicId};
use protocol::messages::record::partition_change_record::PartitionChangeRecord;

use super::brokers::check_epoch;
use super::partition_change::{PartitionChange, election_of};
use super::placement::{Seed, place};
use super::topics::{PARTITIONS_MAX, check_assignment, new_partition};
use super::{Decision, Refusal};
use crate::image::{Image, LeaderRecovery, Partition, Topic};
use crate::record::MetadataRecord;

/// How far a topic is to grow.
#[derive(Clone, Debug)]
pub struct MorePartitions {
    /// The topic.
    pub topic: String,
    /// How many partitions it shall have.
    pub count: i32,
    /// Replicas of the new ones by hand, in their order; `None` to have them placed.
    pub assignments: Option<Vec<Vec<NodeId>>>,
}

/// The outcome for each topic, in the request's order.
pub type GrownTopics = Vec<(String, Result<(), Refusal>)>;

/// Adds partitions to topics, each by itself.
pub fn decide_create_partitions(
    image: &Image,
    topics: Vec<MorePartitions>,
    validate_only: bool,
    mut seed: Seed,
) -> Result<Decision<GrownTopics>, Refusal> {
    let mut seen = BTreeSet::new();
    let doubled: BTreeSet<String> =
        topics.iter().filter(|more| !seen.insert(&more.topic)).map(|more| more.topic.clone()).collect();
    let single = topics.iter().filter(|more| !doubled.contains(&more.topic));
    let asked: usize = single.map(|more| partitions_asked(image, more)).sum();
    if asked > PARTITIONS_MAX {
        return Err(Refusal::TooManyPartitions { asked, max: PARTITIONS_MAX });
    }
    let mut records = Vec::new();
    let mut response: GrownTopics = Vec::new();
    let mut answered = BTreeSet::new();
    for more in topics {
        if doubled.contains(&more.topic) {
            if answered.insert(more.topic.clone()) {
                response.push((more.topic.clone(), Err(Refusal::DuplicateTopic(more.topic))));
            }
            continue;
        }
        seed.0 = seed.0.wrapping_add(1);
        let result = grow(image, &more, seed).map(|more| records.extend(more));
        response.push((more.topic, result));
    }
    if validate_only {
        records.clear();
    }
    Ok(Decision::new(records, response))
}

/// How many partitions a topic would gain.
fn partitions_asked(image: &Image, more: &MorePartitions) -> usize {
    let present = image.topics.by_name(&more.topic).map_or(0, |topic| topic.partitions.len());
    usize::try_from(more.count).unwrap_or(0).saturating_sub(present)
}

fn grow(image: &Image, more: &MorePartitions, seed: Seed) -> Result<Vec<MetadataRecord<'static>>, Refusal> {
    let name = &more.topic;
    let topic = image.topics.by_name(name).ok_or_else(|| Refusal::UnknownTopic(name.clone()))?;
    let present = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    if more.count == present {
        return Err(Refusal::InvalidPartitions(format!("topic '{name}' already has {present} partition(s)")));
    }
    if more.count < present {
        return Err(Refusal::InvalidPartitions(format!(
            "topic '{name}' currently has {present} partition(s), {} would not be an increase: partitions cannot be taken away",
            more.count
        )));
    }
    let added = usize::try_from(more.count - present).unwrap_or(0);
    let factor = topic.partitions.first().map_or(0, |partition| partition.replicas.len());
    let assignments = match &more.assignments {
        None => place(image, added, i16::try_from(factor).unwrap_or(i16::MAX), seed)?,
        Some(assignments) if assignments.len() != added => {
            return Err(Refusal::InvalidReplicaAssignment(format!(
                "attempted to add {added} additional partition(s), but {} assignment(s) were specified",
                assignments.len()
            )));
        }
        Some(assignments) => {
            for replicas in assignments {
                check_assignment(image, replicas, Some(factor))?;
                if !replicas.iter().any(|&id| image.cluster.is_active(id)) {
                    let sentence = "all brokers specified in the manual partition assignment are fenced or in controlled shutdown";
                    return Err(Refusal::InvalidReplicaAssignment(sentence.to_owned()));
                }
            }
            assignments.clone()
        }
    };
    let indexes = (present..).map(PartitionIndex);
    Ok(indexes
        .zip(assignments)
        .map(|(index, replicas)| new_partition(image, topic.id, index, replicas).into())
        .collect())
}

/// In which directory a broker keeps a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaDirectory {
    /// The topic.
    pub topic: TopicId,
    /// The partition.
    pub partition: PartitionIndex,
    /// The directory.
    pub directory: DirectoryId,
}

/// Notes the directories that a broker with several chose for its replicas (KIP-858). What is known already, or
/// no longer there, needs no record.
pub fn decide_assign_directories(
    image: &Image,
    (broker, epoch): (NodeId, BrokerEpoch),
    replicas: &[ReplicaDirectory],
) -> Result<Decision<()>, Refusal> {
    check_epoch(image, broker, epoch)?;
    if !image.assigns_directories() {
        return Ok(Decision::answer(()));
    }
    let mut records = Vec::new();
    for replica in replicas {
        let Some(topic) = image.topics.get(replica.topic) else { continue };
        let Some(partition) = topic.partition(replica.partition) else { continue };
        let Some(place) = partition.replicas.iter().position(|&id| id == broker) else { continue };
        let assigned = assigned(image, (topic, partition), (place, replica.directory));
        records.extend(assigned.map(|(_, record)| record.into()));
    }
    Ok(Decision::new(records, ()))
}

/// The partition with its replica at this place in a directory, and the record that says so; `None` where it is known.
pub(super) fn assigned(
    image: &Image,
    (topic, partition): (&Topic, &Partition),
    (place, directory): (usize, DirectoryId),
) -> Option<(Partition, PartitionChangeRecord<'static>)> {
    let mut directories: Vec<_> = partition.replicas.iter().map(|&id| partition.directory_of(id)).collect();
    if std::mem::replace(&mut directories[place], directory) == directory {
        return None;
    }
    // A partition that lost its leader with a directory may have found it again in another.
    let moved = Partition { directories: directories.iter().copied().collect(), ..partition.clone() };
    let elected = (partition.leader.is_none()).then(|| elect(image, topic, &moved)).flatten();
    let record = PartitionChangeRecord {
        partition_id: partition.index.0,
        topic_id: topic.id,
        directories: Some(directories.into()),
        ..elected.unwrap_or_default()
    };
    Some((moved, record))
}

fn elect(image: &Image, topic: &Topic, partition: &Partition) -> Option<PartitionChangeRecord<'static>> {
    let change = PartitionChange {
        image,
        topic: topic.id,
        topic_name: &topic.name,
        partition,
        election: election_of(image, &topic.name),
        leaving: None,
        unclean: None,
        joining: None,
    };
    change.build()
}

/// Notes that a broker has finished recovering the partitions it was elected for uncleanly, which it does by
/// taking its own log for the truth.
pub fn decide_recovered(image: &Image, leader: NodeId) -> Result<Decision<()>, Refusal> {
    let mut records: Vec<MetadataRecord<'static>> = Vec::new();
    for topic in image.topics.iter() {
        for partition in &topic.partitions {
            if partition.leader == Some(leader) && partition.leader_recovery == LeaderRecovery::Recovering {
                let record = PartitionChangeRecord {
                    partition_id: partition.index.0,
                    topic_id: topic.id,
                    leader_recovery_state: LeaderRecovery::Recovered.number(),
                    ..PartitionChangeRecord::default()
                };
                records.push(record.into());
            }
        }
    }
    Ok(Decision::new(records, ()))
}
