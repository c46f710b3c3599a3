//! What brokers report about their log directories: which are out of use, and which take no new replicas (KIP-858,
//! KIP-1066).

use std::collections::BTreeSet;

use protocol::id::{BrokerEpoch, DirectoryId, NodeId};
use protocol::messages::record::broker_registration_change_record::BrokerRegistrationChangeRecord;

use super::brokers::check_epoch;
use super::partition_change::{PartitionChange, election_of};
use super::{Decision, Refusal};
use crate::image::Image;
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
        records.extend(struck.filter_map(|partition| {
            let election = election_of(image, &topic.name);
            let change = PartitionChange {
                image,
                topic: topic.id,
                topic_name: &topic.name,
                partition,
                election,
                leaving: Some(id),
                unclean: None,
                joining: None,
            };
            change.build().map(Into::into)
        }));
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
