//! What brokers report about their log directories: which are out of use, and which take no new replicas (KIP-858,
//! KIP-1066).

use std::collections::BTreeSet;

use protocol::id::{BrokerEpoch, DirectoryId, NodeId};
use protocol::messages::record::broker_registration_change_record::BrokerRegistrationChangeRecord;

use super::brokers::check_epoch;
use super::partition_change::{PartitionChange, election_of};
use super::partitions::{ReplicaDirectory, assigned};
use super::{Decision, Refusal};
use crate::image::{Image, Partition, Topic};
use crate::record::MetadataRecord;

/// Notes that directories of a broker have failed: it keeps the others, and leads and is in sync no more where its
/// replica lies in one of them.
pub fn decide_directories_offline(
    image: &Image,
    (id, epoch): (NodeId, BrokerEpoch),
    offline: &[DirectoryId],
) -> Result<Decision<()>, Refusal> {
    let broker = check_epoch(image, id, epoch)?;
    let (lost, kept): (Vec<DirectoryId>, Vec<DirectoryId>) =
        broker.log_dirs.iter().partition(|directory| offline.contains(directory));
    // A broker without any directory stops; nobody has to be told of its partitions but by its fencing.
    if lost.is_empty() || kept.is_empty() || !image.assigns_directories() {
        return Ok(Decision::answer(()));
    }
    let lost: BTreeSet<_> = lost.into_iter().collect();
    let mut records: Vec<MetadataRecord<'static>> = Vec::new();
    for topic in image.topics.iter() {
        let struck = topic.partitions.iter().filter(|partition| {
            let concerned = partition.leader == Some(id) || partition.isr.contains(&id);
            concerned && lost.contains(&partition.directory_of(id))
        });
        records.extend(struck.filter_map(|partition| without(image, topic, partition, id)));
    }
    let change = BrokerRegistrationChangeRecord {
        broker_id: id.0,
        broker_epoch: epoch.0,
        log_dirs: kept.into(),
        ..BrokerRegistrationChangeRecord::default()
    };
    records.push(change.into());
    Ok(Decision::new(records, ()))
}

/// The record that has a broker neither lead a partition nor be in sync with it, if there is anything to change.
fn without(
    image: &Image,
    topic: &Topic,
    partition: &Partition,
    leaving: NodeId,
) -> Option<MetadataRecord<'static>> {
    let change = PartitionChange {
        image,
        topic: topic.id,
        topic_name: &topic.name,
        partition,
        election: election_of(image, &topic.name),
        leaving: Some(leaving),
        unclean: None,
        joining: None,
    };
    change.build().map(Into::into)
}

/// Notes in which directories a broker's replicas lie, and says of each whether it may (AssignReplicasToDirs). What lies in
/// a directory that the broker does not have in use leads no more and is in sync no more.
pub fn decide_assign_replicas(
    image: &Image,
    (id, epoch): (NodeId, BrokerEpoch),
    replicas: &[ReplicaDirectory],
) -> Result<Decision<Vec<Result<(), Refusal>>>, Refusal> {
    if !image.assigns_directories() {
        let reason = "the cluster's metadata.version does not know directories of replicas yet";
        return Err(Refusal::UnsupportedVersion(reason.to_owned()));
    }
    let broker = check_epoch(image, id, epoch)?;
    let mut records: Vec<MetadataRecord<'static>> = Vec::new();
    let mut outcomes = Vec::with_capacity(replicas.len());
    for replica in replicas {
        let (topic, partition, place) = match find(image, id, replica) {
            Ok(found) => found,
            Err(refusal) => {
                outcomes.push(Err(refusal));
                continue;
            }
        };
        outcomes.push(Ok(()));
        let assigned = assigned(image, (topic, partition), (place, replica.directory));
        let moved = assigned.map(|(moved, record)| {
            records.push(record.into());
            moved
        });
        let known = replica.directory == DirectoryId::ZERO || broker.log_dirs.contains(&replica.directory);
        if !known && (partition.leader == Some(id) || partition.isr.contains(&id)) {
            records.extend(without(image, topic, moved.as_ref().unwrap_or(partition), id));
        }
    }
    Ok(Decision::new(records, outcomes))
}

fn find<'i>(
    image: &'i Image,
    broker: NodeId,
    replica: &ReplicaDirectory,
) -> Result<(&'i Topic, &'i Partition, usize), Refusal> {
    let topic = image.topics.get(replica.topic).ok_or(Refusal::UnknownTopicId(replica.topic))?;
    let (name, index) = (topic.name.clone(), replica.partition);
    let Some(partition) = topic.partition(index) else {
        return Err(Refusal::UnknownPartition { topic: name, partition: index });
    };
    match partition.replicas.iter().position(|&id| id == broker) {
        Some(place) => Ok((topic, partition, place)),
        None => Err(Refusal::NotAReplica { topic: name, partition: index, broker }),
    }
}

/// Notes which directories of a broker take no new replicas. What is known already needs no record.
pub fn decide_cordon(
    image: &Image,
    (id, epoch): (NodeId, BrokerEpoch),
    cordoned: &[DirectoryId],
) -> Result<Decision<()>, Refusal> {
    let broker = check_epoch(image, id, epoch)?;
    let known: BTreeSet<_> = broker.cordoned_log_dirs.iter().flatten().collect();
    if !image.cordons_directories() || known == cordoned.iter().collect() {
        return Ok(Decision::answer(()));
    }
    let change = BrokerRegistrationChangeRecord {
        broker_id: id.0,
        broker_epoch: epoch.0,
        cordoned_log_dirs: Some(cordoned.to_vec().into()),
        ..BrokerRegistrationChangeRecord::default()
    };
    Ok(Decision::new(vec![change.into()], ()))
}
