//! Bringing the broker in line with an image of the metadata: logs made, led, configured and deleted.
//!
//! Called by the owner of the quorum for each batch of records it has replayed, before anybody is answered who
//! waits for them, and once with the whole image when the node starts. Only what the delta names is looked at.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use metadata::image::ConfigResource;
use metadata::image::{Partition, ResourceType, Topic};
use metadata::{Delta, Image};
use partition::watermarks::Role;
use protocol::id::{DirectoryId, NodeId, TopicId};
use storage::log_dirs::Placement;
use storage::{Fault, LogConfig, TopicPartition};

use super::directory_reports::cordoned;
use super::missing_replicas::MissingReplica;
use super::partitions::{Replica, ReplicaTopic};
use crate::Holdings;
use crate::config::{NodeConfig, Texts, TopicConfig};

/// Brings the broker in line with an image that differs from the last one by a delta.
pub fn apply(broker: &Holdings, image: &Image, delta: &Delta) {
    let _one_at_a_time = broker.applying.lock().unwrap_or_else(PoisonError::into_inner);
    // What the image before took out is not in the one that is shown by now.
    broker.partitions.forget_removed();
    if delta.whole || delta.configs.iter().any(|resource| resource.kind == ResourceType::BROKER) {
        reconfigure(broker, image);
    }
    if delta.whole {
        for topic in broker.partitions.topics() {
            if image.topics.get(topic.id).is_none() {
                delete_topic(broker, topic.id);
            }
        }
        for topic in image.topics.iter() {
            apply_topic(broker, image, (topic, false), topic.partitions.iter());
        }
        return;
    }
    for id in delta.topics_deleted.keys() {
        delete_topic(broker, *id);
    }
    for (id, indexes) in &delta.partitions {
        if let Some(topic) = image.topics.get(*id) {
            let changed = indexes.iter().filter_map(|index| topic.partition(*index));
            apply_topic(broker, image, (topic, true), changed);
        }
    }
    // Who serves a replica knows where it lies; to come for its log might be to wait for a disk that stalls.
    for (id, indexes) in &delta.directories {
        if let Some(topic) = image.topics.get(*id) {
            let known = broker.partitions.by_id(*id);
            let is_served = |index| known.as_ref().is_some_and(|known| known.get(index).is_some());
            let changed = indexes.iter().filter(|index| !is_served(**index));
            // Who is only told where one lies is told of one that was there before.
            apply_topic(broker, image, (topic, false), changed.filter_map(|index| topic.partition(*index)));
        }
    }
    for resource in &delta.configs {
        if resource.kind == ResourceType::TOPIC {
            configure_topic(broker, image, &resource.name);
        }
    }
}

/// Makes the logs that found no room, now that a directory has some.
pub fn make_missing(broker: &Holdings) {
    let _one_at_a_time = broker.applying.lock().unwrap_or_else(PoisonError::into_inner);
    for (id, missing) in broker.missing.without_room() {
        let MissingReplica { topic, partition, config, in_sync_min, .. } = &missing;
        let of = &replica_topic(broker, topic, id);
        let wanted = Wanted { of, partition, config, in_sync_min: *in_sync_min, new: true };
        broker.partitions.put(make(broker, &wanted).into_iter().collect());
    }
}

/// Says which logs found on disk belong to the cluster, and how they are configured.
pub fn placement<'a>(
    config: &'a NodeConfig,
    image: &'a Image,
) -> impl Fn(&TopicPartition, Option<TopicId>) -> Placement + Sync + 'a {
    // The partitions of a topic share its configuration, which takes a while to work out.
    let configs: Mutex<BTreeMap<Arc<str>, Arc<LogConfig>>> = Mutex::default();
    let config_of = move |name: &Arc<str>| {
        let mut configs = configs.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(config_of(config, image, name));
        configs.entry(Arc::clone(name)).or_insert_with(make).clone()
    };
    move |name, id| {
        let same = |topic: &&Arc<Topic>| id.is_none_or(|id| topic.id == id);
        // The directory of a replica on its way has no room for a very long name.
        let cut = || image.topics.get(id?).filter(|topic| topic.name.starts_with(&*name.topic));
        let topic = image.topics.by_name(&name.topic).filter(same).or_else(cut);
        let partition = topic.and_then(|topic| topic.partition(name.partition));
        let here = partition.is_some_and(|partition| partition.replicas.contains(&config.node_id));
        match topic.filter(|_| here) {
            Some(topic) if *topic.name == *name.topic => Placement::Here(config_of(&name.topic)),
            Some(topic) => {
                let whole = TopicPartition::new(topic.name.clone(), name.partition);
                let config = config_of(&whole.topic);
                Placement::HereAs(whole, config)
            }
            None => Placement::Stray,
        }
    }
}

/// Says in which log directory a replica lies, as far as the controller was told.
pub fn assigned<'a>(
    config: &'a NodeConfig,
    image: &'a Image,
) -> impl Fn(&TopicPartition) -> Option<DirectoryId> + 'a {
    move |name| {
        let partition = image.topics.by_name(&name.topic)?.partition(name.partition)?;
        Some(partition.directory_of(config.node_id))
    }
}

fn config_of(config: &NodeConfig, image: &Image, topic: &str) -> LogConfig {
    config.log_config(&topic_config(config, image, topic))
}

fn topic_config(config: &NodeConfig, image: &Image, topic: &str) -> TopicConfig {
    let nothing = Texts::new();
    let own = image.configs.of(&ConfigResource::topic(topic));
    config.topic_config(own.map_or(&nothing, |own| own))
}

fn apply_topic<'p>(
    broker: &Holdings,
    image: &Image,
    (topic, new): (&Topic, bool),
    partitions: impl Iterator<Item = &'p Arc<Partition>>,
) {
    let config = broker.config();
    let settings = topic_config(&config, image, &topic.name);
    let log_config = Arc::new(config.log_config(&settings));
    let in_sync_min = usize::try_from(settings.min_insync_replicas).unwrap_or(1);
    // Put into the table together: each time it is changed a topic's whole list is copied.
    let mut made = Vec::new();
    let of = LazyCell::new(|| replica_topic(broker, &topic.name, topic.id));
    for partition in partitions {
        let here = partition.replicas.contains(&broker.node_id);
        let known = broker.partitions.by_id(topic.id).and_then(|known| known.get(partition.index).cloned());
        let outcome = match (here, known) {
            (true, Some(replica)) => lead_or_follow(broker.node_id, &replica, partition, in_sync_min),
            (true, None) => {
                let wanted = Wanted { of: &of, partition, config: &log_config, in_sync_min, new };
                made.extend(make(broker, &wanted));
                Ok(())
            }
            (false, Some(replica)) => {
                broker.partitions.take(&replica);
                broker
                    .log_dirs
                    .delete(&TopicPartition::new(topic.name.clone(), partition.index), broker.now())
                    .map(drop)
            }
            (false, None) if broker.missing.contains(topic.id, partition.index) => {
                broker.missing.forget(topic.id, partition.index);
                let name = TopicPartition::new(topic.name.clone(), partition.index);
                broker.log_dirs.delete(&name, broker.now()).map(drop)
            }
            (false, None) => Ok(()),
        };
        if let Err(fault) = outcome {
            tracing::error!(topic = %topic.name, partition = %partition.index, %fault, "partition cannot be served");
        }
    }
    broker.partitions.put(made);
}

fn replica_topic(broker: &Holdings, name: &Arc<str>, id: TopicId) -> Arc<ReplicaTopic> {
    Arc::new(ReplicaTopic { name: name.clone(), id, metrics: broker.metrics.topics.of(name) })
}

/// What the log of a replica is to be.
struct Wanted<'a> {
    of: &'a Arc<ReplicaTopic>,
    partition: &'a Arc<Partition>,
    config: &'a Arc<LogConfig>,
    in_sync_min: usize,
    /// Whether the partition came while this broker ran, so that its log cannot lie anywhere yet.
    new: bool,
}

/// Makes or finds the log of a replica that belongs here, to be served; what has none is missing.
fn make(broker: &Holdings, wanted: &Wanted<'_>) -> Option<Arc<Replica>> {
    let &Wanted { of, partition, config, in_sync_min, .. } = wanted;
    let (name, id) = (&of.name, of.id);
    let made = open(broker, wanted).and_then(|replica| {
        lead_or_follow(broker.node_id, &replica, partition, in_sync_min)?;
        Ok(replica)
    });
    match made {
        Ok(replica) => {
            broker.missing.forget(id, partition.index);
            Some(Arc::new(replica))
        }
        Err(fault) => {
            tracing::error!(topic = %name, partition = %partition.index, %fault, "partition cannot be served");
            let (partition, config) = (partition.clone(), config.clone());
            let missing = MissingReplica { topic: name.clone(), partition, config, in_sync_min, fault };
            broker.missing.note(id, missing);
            None
        }
    }
}

fn open(
    broker: &Holdings,
    &Wanted { of, partition, config, new, .. }: &Wanted<'_>,
) -> Result<Replica, Fault> {
    let name = TopicPartition::new(of.name.clone(), partition.index);
    let said = partition.directory_of(broker.node_id);
    let known = broker.log_dirs.directory(said);
    if let Some(directory) = known {
        directory.state().check()?;
    } else if !new && broker.log_dirs.get(&name).is_none() {
        // It may lie where nobody can look: an empty log in its place would be taken for all there is.
        broker.log_dirs.check_all()?;
    }
    let directory = known.map(|directory| directory.id());
    let log = broker.log_dirs.plan(&name, of.id, config.clone(), directory, broker.now())?;
    let lies_in = log.lock().unwrap_or_else(PoisonError::into_inner).directory_id();
    if lies_in != said {
        broker.directory_reports.assign(of.id, partition.index, lies_in);
    }
    Ok(Replica::new(Arc::clone(of), partition.index, log))
}

fn lead_or_follow(
    local: NodeId,
    replica: &Replica,
    partition: &Partition,
    in_sync_min: usize,
) -> Result<(), Fault> {
    let in_sync_min = in_sync_min.min(partition.replicas.len());
    let mut log = replica.log()?;
    let leads = partition.leader == Some(local);
    let known = log.partition().current_leader_epoch() == partition.leader_epoch;
    match (leads, log.partition().role()) {
        (true, Role::Leader(_)) if known => {
            log.set_in_sync(partition.isr.iter().copied(), []);
            log.set_in_sync_min(in_sync_min);
        }
        (true, _) => {
            log.become_leader(partition.leader_epoch, local, in_sync_min, partition.isr.iter().copied())?
        }
        (false, _) => log.become_follower(partition.leader_epoch),
    }
    drop(log);
    replica.waiters.changed();
    Ok(())
}

fn delete_topic(broker: &Holdings, id: TopicId) {
    // One that could not be loaded is missing, and its directory goes all the same.
    let missing = broker.missing.forget_topic(id);
    let topic = broker.partitions.remove(id);
    let replicas = topic.iter().flat_map(|topic| topic.replicas.iter().flatten());
    let name = |replica: &Arc<Replica>| TopicPartition::new(replica.topic().clone(), replica.index);
    for name in missing.into_iter().chain(replicas.map(name)) {
        if let Err(fault) = broker.log_dirs.delete(&name, broker.now()) {
            tracing::error!(partition = %name, %fault, "the log of a deleted topic cannot be removed");
        }
    }
    let Some(topic) = topic else { return };
    broker.metrics.topics.forget(&topic.name);
}

fn configure_topic(broker: &Holdings, image: &Image, name: &str) {
    let config = broker.config();
    let settings = topic_config(&config, image, name);
    let log_config = Arc::new(config.log_config(&settings));
    let in_sync_min = usize::try_from(settings.min_insync_replicas).unwrap_or(1);
    if let Some(id) = image.topics.id_of(name) {
        broker.missing.configure(id, &log_config, in_sync_min);
    }
    let Some(topic) = broker.partitions.by_name(name) else {
        return;
    };
    for replica in topic.replicas.iter().flatten() {
        let replicas = image.topics.get(topic.id).and_then(|topic| topic.partition(replica.index));
        let in_sync_min = in_sync_min.min(replicas.map_or(1, |partition| partition.replicas.len()));
        match replica.log() {
            Ok(mut log) => {
                log.set_config(log_config.clone());
                if log.set_in_sync_min(in_sync_min) {
                    drop(log);
                    replica.waiters.changed();
                }
            }
            Err(fault) => {
                tracing::error!(topic = name, partition = %replica.index, %fault, "log cannot be configured")
            }
        }
    }
}

/// Puts the dynamic settings of this broker in force.
fn reconfigure(broker: &Holdings, image: &Image) {
    let nothing = BTreeMap::new();
    let of = |name: String| image.configs.of(&ConfigResource::broker(name));
    let (cluster, own) = (of(String::new()), of(broker.node_id.to_string()));
    let (cluster, own) = (cluster.map_or(&nothing, |texts| &**texts), own.map_or(&nothing, |texts| &**texts));
    let before = broker.config();
    if before.settings.cluster() == cluster && before.settings.broker() == own {
        return;
    }
    match before.with_dynamic(cluster, own) {
        Ok((config, left_out)) => {
            for warning in left_out {
                tracing::warn!("{warning}");
            }
            if config.listeners != before.listeners {
                tracing::warn!(
                    "listeners are opened when the node starts: what was recorded of them since is kept and not obeyed. \
                     Set them in server.properties, and restart"
                );
            }
            broker.log_dirs.cordon(cordoned(broker, &config));
            broker.directory_reports.look();
            broker.set_config(Arc::new(config));
        }
        Err(error) => {
            tracing::error!(%error, "the dynamic settings of this broker contradict each other and are not in force");
            return;
        }
    }
    for topic in broker.partitions.topics() {
        configure_topic(broker, image, &topic.name);
    }
}

#[cfg(test)]
mod tests;
