//! Brokers: registration, heartbeats, fencing, controlled shutdown, and what these do to their partitions.

use std::collections::{BTreeMap, BTreeSet};

use protocol::id::{BrokerEpoch, DirectoryId, NodeId, Timestamp, Uuid};
use protocol::messages::record::{
    broker_registration_change_record::BrokerRegistrationChangeRecord,
    register_broker_record::{BrokerEndpoint, BrokerFeature, RegisterBrokerRecord},
};
use protocol::offset::Offset;

use super::partition_change::{PartitionChange, election_of};
use super::{Decision, Refusal};
use crate::image::{Broker, Controller, Endpoint, FeatureRange, Image, Partition, controller_record};
use crate::record::MetadataRecord;

/// Who wants to be part of the cluster.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The node id.
    pub id: NodeId,
    /// The id the process gave itself.
    pub incarnation: Uuid,
    /// Where it is reached.
    pub endpoints: Vec<Endpoint>,
    /// What it supports.
    pub features: BTreeMap<String, FeatureRange>,
    /// Its rack.
    pub rack: Option<String>,
    /// Its log directories.
    pub log_dirs: Vec<DirectoryId>,
    /// Those that take no new replicas.
    pub cordoned_log_dirs: Option<Vec<DirectoryId>>,
    /// The epoch of the incarnation that stopped cleanly in these directories, -1 after a crash (KIP-966).
    pub previous_epoch: BrokerEpoch,
}

/// When brokers were last heard of. Soft state of the active controller, never in the log: a controller that takes
/// over gives every broker a whole session again.
#[derive(Clone, Debug)]
pub struct Sessions {
    timeout_ms: i64,
    last_contact: BTreeMap<NodeId, Timestamp>,
}

impl Sessions {
    /// No broker heard of yet. `timeout_ms` is `broker.session.timeout.ms`.
    pub fn new(timeout_ms: i64) -> Self {
        Self { timeout_ms, last_contact: BTreeMap::new() }
    }

    /// Notes that a broker was heard of.
    pub fn touch(&mut self, broker: NodeId, now: Timestamp) {
        self.last_contact.insert(broker, now);
    }

    /// Forgets a broker: its session can no longer run out.
    pub fn forget(&mut self, broker: NodeId) {
        self.last_contact.remove(&broker);
    }

    /// Whether a broker's session is running.
    pub fn is_alive(&self, broker: NodeId, now: Timestamp) -> bool {
        self.last_contact.get(&broker).is_some_and(|last| last.0.saturating_add(self.timeout_ms) > now.0)
    }

    /// The brokers whose session has run out.
    pub fn expired(&self, now: Timestamp) -> Vec<NodeId> {
        self.last_contact.keys().copied().filter(|&broker| !self.is_alive(broker, now)).collect()
    }

    /// When the next session runs out.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        let first = self.last_contact.values().min()?;
        Some(Timestamp(first.0.saturating_add(self.timeout_ms)))
    }
}

/// Registers a broker, fenced, and answers with the epoch of this incarnation. `alive` says whether the
/// incarnation registered now was heard of within its session.
pub fn decide_register_broker(
    image: &Image,
    registration: &Registration,
    alive: bool,
) -> Result<Decision<BrokerEpoch>, Refusal> {
    check_registration(image, registration, alive)?;
    let present = image.cluster.broker(registration.id);
    let same = present.filter(|broker| broker.incarnation == registration.incarnation);
    let mut records = Vec::new();
    if let Some(present) = present
        && same.is_none()
    {
        // A new incarnation may not lead on what the old one had in sync: if that stopped uncleanly, the end of
        // its logs may be gone.
        let clean = present.epoch == registration.previous_epoch;
        let departure = if clean { Departure::Clean } else { Departure::Unclean };
        records = partitions_left(image, registration.id, departure);
    }
    let epoch = same.map_or(BrokerEpoch(image.end().0), |broker| broker.epoch);
    // What the finalised metadata.version has no place for is left out.
    let mut log_dirs = if image.assigns_directories() { registration.log_dirs.clone() } else { Vec::new() };
    log_dirs.sort_unstable();
    let cordoned = registration.cordoned_log_dirs.clone().filter(|_| image.cordons_directories());
    let record = RegisterBrokerRecord {
        broker_id: registration.id.0,
        is_migrating_zk_broker: false,
        incarnation_id: registration.incarnation,
        broker_epoch: epoch.0,
        end_points: registration
            .endpoints
            .iter()
            .map(|endpoint| BrokerEndpoint {
                name: endpoint.name.clone().into(),
                host: endpoint.host.clone().into(),
                port: endpoint.port,
                security_protocol: endpoint.security_protocol,
            })
            .collect(),
        features: registration
            .features
            .iter()
            .map(|(name, range)| BrokerFeature {
                name: name.clone().into(),
                min_supported_version: range.min,
                max_supported_version: range.max,
            })
            .collect(),
        rack: registration.rack.clone().map(Into::into),
        fenced: same.is_none_or(|broker| broker.fenced),
        in_controlled_shutdown: same.is_some_and(|broker| broker.in_controlled_shutdown),
        log_dirs: log_dirs.into(),
        cordoned_log_dirs: cordoned.map(Into::into),
    };
    records.push(record.into());
    Ok(Decision::new(records, epoch))
}

fn check_registration(image: &Image, registration: &Registration, alive: bool) -> Result<(), Refusal> {
    let id = registration.id;
    if let Some(present) = image.cluster.broker(id)
        && present.incarnation != registration.incarnation
        && !present.fenced
        && alive
    {
        return Err(Refusal::DuplicateBrokerRegistration { id, incarnation: present.incarnation });
    }
    if registration.log_dirs.is_empty() {
        return Err(Refusal::InvalidRegistration(format!("broker {id} names no log directory")));
    }
    let own: BTreeSet<_> = registration.log_dirs.iter().collect();
    if own.len() != registration.log_dirs.len() {
        return Err(Refusal::InvalidRegistration(format!("broker {id} names a log directory twice")));
    }
    for other in image.cluster.brokers.values().filter(|other| other.id != id) {
        if let Some(shared) = other.log_dirs.iter().find(|dir| own.contains(dir)) {
            return Err(Refusal::InvalidRegistration(format!(
                "log directory {shared} of broker {id} is registered for broker {}: a directory was copied",
                other.id
            )));
        }
    }
    for (name, &level) in &image.features {
        let range = registration.features.get(&**name).copied().unwrap_or(FeatureRange { min: 0, max: 0 });
        if level < range.min || level > range.max {
            return Err(Refusal::UnsupportedVersion(format!(
                "broker {id} supports {name} {} to {}, the cluster has finalised {level}",
                range.min, range.max
            )));
        }
    }
    Ok(())
}

/// The record by which a controller makes itself known.
pub fn register_controller(controller: &Controller) -> MetadataRecord<'static> {
    controller_record(controller).into()
}

/// What a broker says with each heartbeat.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    /// The broker.
    pub id: NodeId,
    /// Its incarnation.
    pub epoch: BrokerEpoch,
    /// Up to where it has applied the metadata log, inclusive as on the wire.
    pub metadata_offset: Offset,
    /// Whether it wants to stay or become fenced.
    pub want_fence: bool,
    /// Whether it wants to stop.
    pub want_shutdown: bool,
}

/// What a broker is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeartbeatAnswer {
    /// Whether it has applied its own registration.
    pub caught_up: bool,
    /// Whether it is fenced.
    pub fenced: bool,
    /// Whether it may stop now.
    pub should_shut_down: bool,
}

/// Moves a broker between fenced, active and stopping.
pub fn decide_heartbeat(image: &Image, beat: Heartbeat) -> Result<Decision<HeartbeatAnswer>, Refusal> {
    let broker = check_epoch(image, beat.id, beat.epoch)?;
    let caught_up = beat.metadata_offset.0 >= beat.epoch.0;
    let answer = |fenced, should_shut_down| HeartbeatAnswer { caught_up, fenced, should_shut_down };
    if broker.fenced {
        if beat.want_shutdown {
            return Ok(Decision::answer(answer(true, true)));
        }
        if beat.want_fence || !caught_up {
            return Ok(Decision::answer(answer(true, false)));
        }
        let mut records = vec![fencing_record(broker, -1)];
        records.extend(partitions_gained(image, beat.id));
        return Ok(Decision::new(records, answer(false, false)));
    }
    if beat.want_fence && !beat.want_shutdown {
        return Ok(Decision::new(fence(image, broker), answer(true, false)));
    }
    if !beat.want_shutdown {
        return Ok(Decision::answer(answer(false, false)));
    }
    if broker.in_controlled_shutdown {
        // It may go once no partition is led there any more, and is fenced in going.
        let leads = partitions(image).any(|(_, partition)| partition.leader == Some(beat.id));
        if leads {
            return Ok(Decision::answer(answer(false, false)));
        }
        return Ok(Decision::new(vec![fencing_record(broker, 1)], answer(true, true)));
    }
    let change = BrokerRegistrationChangeRecord {
        broker_id: beat.id.0,
        broker_epoch: beat.epoch.0,
        in_controlled_shutdown: 1,
        ..BrokerRegistrationChangeRecord::default()
    };
    let mut records = vec![change.into()];
    records.extend(partitions_left(image, beat.id, Departure::Clean));
    Ok(Decision::new(records, answer(false, false)))
}

/// Fences brokers whose session ran out.
pub fn decide_fence(image: &Image, brokers: &[NodeId]) -> Result<Decision<()>, Refusal> {
    let active = brokers.iter().filter_map(|&id| image.cluster.broker(id)).filter(|broker| !broker.fenced);
    // Each fencing is decided against the image before all of them: two replicas of one partition that go at once
    // are rare, and the second record then says what the first one said.
    let records = active.flat_map(|broker| fence(image, broker)).collect();
    Ok(Decision::new(records, ()))
}

/// The broker with this id, if the epoch is its present one.
pub(super) fn check_epoch(image: &Image, id: NodeId, epoch: BrokerEpoch) -> Result<&Broker, Refusal> {
    let broker = image.cluster.broker(id).ok_or(Refusal::UnknownBroker(id))?;
    if broker.epoch != epoch {
        return Err(Refusal::StaleBrokerEpoch { id, asked: epoch, known: broker.epoch });
    }
    Ok(broker)
}

fn fence(image: &Image, broker: &Broker) -> Vec<MetadataRecord<'static>> {
    let mut records = partitions_left(image, broker.id, Departure::Clean);
    records.push(fencing_record(broker, 1));
    records
}

fn fencing_record(broker: &Broker, fenced: i8) -> MetadataRecord<'static> {
    let record = BrokerRegistrationChangeRecord {
        broker_id: broker.id.0,
        broker_epoch: broker.epoch.0,
        fenced,
        ..BrokerRegistrationChangeRecord::default()
    };
    record.into()
}

fn partitions(image: &Image) -> impl Iterator<Item = (&crate::image::Topic, &Partition)> {
    image.topics.iter().flat_map(|topic| topic.partitions.iter().map(|partition| (&**topic, &**partition)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Departure {
    Clean,
    Unclean,
}

/// The partitions that change when a broker leaves their in-sync replicas.
fn partitions_left(image: &Image, broker: NodeId, departure: Departure) -> Vec<MetadataRecord<'static>> {
    let unclean = (departure == Departure::Unclean).then_some(broker);
    let concerned = partitions(image).filter(|(_, partition)| {
        partition.isr.contains(&broker)
            || partition.leader == Some(broker)
            || (unclean.is_some() && partition.elr().contains(&broker))
    });
    let changed = concerned.filter_map(|(topic, partition)| {
        let change = PartitionChange {
            image,
            topic: topic.id,
            topic_name: &topic.name,
            partition,
            election: election_of(image, &topic.name),
            leaving: Some(broker),
            unclean,
            joining: None,
        };
        change.build().map(Into::into)
    });
    changed.collect()
}

/// The partitions that find a leader when a broker becomes active.
fn partitions_gained(image: &Image, broker: NodeId) -> Vec<MetadataRecord<'static>> {
    let leaderless = partitions(image).filter(|(_, partition)| partition.leader.is_none());
    let changed = leaderless.filter_map(|(topic, partition)| {
        let change = PartitionChange {
            image,
            topic: topic.id,
            topic_name: &topic.name,
            partition,
            election: election_of(image, &topic.name),
            leaving: None,
            unclean: None,
            joining: Some(broker),
        };
        change.build().map(Into::into)
    });
    changed.collect()
}

#[cfg(test)]
pub(crate) mod tests;
