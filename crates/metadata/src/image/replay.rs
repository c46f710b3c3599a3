//! Replay: the one way an image changes.

use std::borrow::Cow;
use std::sync::Arc;

use protocol::id::{BrokerEpoch, LeaderEpoch, NodeId, PartitionIndex, ProducerId, Uuid};
use protocol::messages::record::{
    broker_registration_change_record::BrokerRegistrationChangeRecord,
    client_quota_record::ClientQuotaRecord, config_record::ConfigRecord,
    partition_change_record::PartitionChangeRecord, partition_record::PartitionRecord,
    register_broker_record::RegisterBrokerRecord, register_controller_record::RegisterControllerRecord,
    topic_record::TopicRecord,
};
use protocol::offset::Offset;
use protocol::wire::Array;

use super::{
    Broker, ConfigResource, Controller, Endpoint, FeatureRange, Image, LeaderRecovery, Nodes, Partition,
    ResourceType, Topic,
};
use crate::delta::Change;
use crate::record::MetadataRecord;

/// "No leader" in a record.
const NO_LEADER: i32 = -1;
/// "The leader stays" in a partition change.
const SAME_LEADER: i32 = -2;

impl Image {
    /// Takes in the record at `offset` and says what it changed.
    pub fn replay(&mut self, offset: Offset, record: &MetadataRecord<'_>) -> Change {
        let change = self.take_in(record);
        self.provenance.end = self.provenance.end.max(offset.plus(1));
        change
    }

    fn take_in(&mut self, record: &MetadataRecord<'_>) -> Change {
        match record {
            MetadataRecord::RegisterBroker(record) => self.register_broker(record),
            MetadataRecord::UnregisterBroker(record) => {
                self.cluster.brokers.remove(&NodeId(record.broker_id));
                Change::Broker(NodeId(record.broker_id))
            }
            MetadataRecord::FenceBroker(record) => {
                self.change_broker(NodeId(record.id), BrokerEpoch(record.epoch), |broker| {
                    broker.fenced = true
                })
            }
            MetadataRecord::UnfenceBroker(record) => {
                self.change_broker(NodeId(record.id), BrokerEpoch(record.epoch), |broker| {
                    broker.fenced = false
                })
            }
            MetadataRecord::BrokerRegistrationChange(record) => self.change_registration(record),
            MetadataRecord::RegisterController(record) => self.register_controller(record),
            MetadataRecord::UnregisterController(record) => {
                self.cluster.controllers.remove(&NodeId(record.controller_id));
                Change::Other
            }
            MetadataRecord::Topic(record) => self.create_topic(record),
            MetadataRecord::Partition(record) => self.put_partition(record),
            MetadataRecord::PartitionChange(record) => self.change_partition(record),
            MetadataRecord::RemoveTopic(record) => self.remove_topic(record.topic_id),
            MetadataRecord::ClearElr(record) => self.clear_elr(&record.topic_name),
            MetadataRecord::Config(record) => self.set_config(record),
            MetadataRecord::FeatureLevel(record) => {
                if record.feature_level == 0 {
                    self.features.remove(&*record.name);
                } else {
                    self.features.insert(record.name.as_ref().into(), record.feature_level);
                }
                Change::Feature
            }
            MetadataRecord::ProducerIds(record) => {
                self.next_producer_id = ProducerId(record.next_producer_id);
                Change::Other
            }
            MetadataRecord::NoOp(_) | MetadataRecord::ZkMigrationState(_) => Change::Nothing,
            MetadataRecord::BeginTransaction(_) => {
                self.before_transaction = Some(Arc::new(self.visible().clone()));
                Change::Nothing
            }
            MetadataRecord::EndTransaction(_) => {
                self.before_transaction = None;
                Change::Nothing
            }
            MetadataRecord::AbortTransaction(_) => self.undo_transaction(),
            record => self.replay_access(record),
        }
    }

    fn replay_access(&mut self, record: &MetadataRecord<'_>) -> Change {
        match record.clone().into_owned() {
            MetadataRecord::ClientQuota(record) => self.set_quota(&record),
            MetadataRecord::AccessControlEntry(record) => {
                self.security.acls.insert(record.id, Arc::new(record));
            }
            MetadataRecord::RemoveAccessControlEntry(record) => {
                self.security.acls.remove(&record.id);
            }
            MetadataRecord::UserScramCredential(record) => {
                self.security.scram.insert((record.name.to_string(), record.mechanism), Arc::new(record));
            }
            MetadataRecord::RemoveUserScramCredential(record) => {
                self.security.scram.remove(&(record.name.into_owned(), record.mechanism));
            }
            MetadataRecord::DelegationToken(record) => {
                self.security.tokens.insert(record.token_id.to_string(), Arc::new(record));
            }
            MetadataRecord::RemoveDelegationToken(record) => {
                self.security.tokens.remove(&record.token_id.into_owned());
            }
            record => unreachable!("record type {} is taken in before this", record.api_key()),
        }
        Change::Other
    }

    fn register_broker(&mut self, record: &RegisterBrokerRecord<'_>) -> Change {
        let id = NodeId(record.broker_id);
        let mut log_dirs: Vec<_> = record.log_dirs.iter().collect();
        log_dirs.sort_unstable();
        let broker = Broker {
            id,
            epoch: BrokerEpoch(record.broker_epoch),
            incarnation: record.incarnation_id,
            endpoints: record
                .end_points
                .iter()
                .map(|it| endpoint(it.name, it.host, it.port, it.security_protocol))
                .collect(),
            features: record
                .features
                .iter()
                .map(|it| feature(it.name, it.min_supported_version, it.max_supported_version))
                .collect(),
            rack: record.rack.as_ref().map(|rack| rack.to_string()),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            log_dirs,
            cordoned_log_dirs: record.cordoned_log_dirs.as_ref().map(|dirs| dirs.iter().collect()),
        };
        self.cluster.brokers.insert(id, Arc::new(broker));
        Change::Broker(id)
    }

    /// Changes a broker of this epoch; a record about an earlier incarnation says nothing.
    fn change_broker(&mut self, id: NodeId, epoch: BrokerEpoch, change: impl FnOnce(&mut Broker)) -> Change {
        match self.cluster.brokers.get_mut(&id) {
            Some(broker) if broker.epoch == epoch => {
                change(Arc::make_mut(broker));
                Change::Broker(id)
            }
            _ => Change::Nothing,
        }
    }

    fn change_registration(&mut self, record: &BrokerRegistrationChangeRecord<'_>) -> Change {
        let (id, epoch) = (NodeId(record.broker_id), BrokerEpoch(record.broker_epoch));
        self.change_broker(id, epoch, |broker| {
            match record.fenced {
                1 => broker.fenced = true,
                -1 => broker.fenced = false,
                _ => {}
            }
            if record.in_controlled_shutdown == 1 {
                broker.in_controlled_shutdown = true;
            }
            if !record.log_dirs.is_empty() {
                broker.log_dirs = record.log_dirs.iter().collect();
                broker.log_dirs.sort_unstable();
            }
            if let Some(cordoned) = &record.cordoned_log_dirs {
                broker.cordoned_log_dirs = Some(cordoned.iter().collect());
            }
        })
    }

    fn register_controller(&mut self, record: &RegisterControllerRecord<'_>) -> Change {
        let id = NodeId(record.controller_id);
        let controller = Controller {
            id,
            incarnation: record.incarnation_id,
            endpoints: record
                .end_points
                .iter()
                .map(|it| endpoint(it.name, it.host, it.port, it.security_protocol))
                .collect(),
            features: record
                .features
                .iter()
                .map(|it| feature(it.name, it.min_supported_version, it.max_supported_version))
                .collect(),
            zk_migration_ready: record.zk_migration_ready,
        };
        self.cluster.controllers.insert(id, Arc::new(controller));
        Change::Other
    }

    fn create_topic(&mut self, record: &TopicRecord<'_>) -> Change {
        let topic = Topic { name: record.name.as_ref().into(), id: record.topic_id, partitions: Vec::new() };
        self.topics.insert(topic);
        Change::TopicCreated(record.topic_id)
    }

    fn put_partition(&mut self, record: &PartitionRecord<'_>) -> Change {
        let mut partition = Partition {
            index: PartitionIndex(record.partition_id),
            replicas: nodes(&record.replicas),
            directories: record.directories.iter().collect(),
            isr: nodes(&record.isr),
            unsettled: None,
            leader: leader(record.leader),
            leader_recovery: LeaderRecovery::from_number(record.leader_recovery_state),
            leader_epoch: LeaderEpoch(record.leader_epoch),
            partition_epoch: record.partition_epoch,
        };
        partition.unsettle(|unsettled| {
            unsettled.removing = nodes(&record.removing_replicas);
            unsettled.adding = nodes(&record.adding_replicas);
            unsettled.elr = record.eligible_leader_replicas.as_ref().map(nodes).unwrap_or_default();
            unsettled.last_known_elr = record.last_known_elr.as_ref().map(nodes).unwrap_or_default();
        });
        let index = partition.index;
        if self.topics.put(record.topic_id, partition) {
            Change::Partition(record.topic_id, index)
        } else {
            Change::Nothing
        }
    }

    fn change_partition(&mut self, record: &PartitionChangeRecord<'_>) -> Change {
        let index = PartitionIndex(record.partition_id);
        let Some(partition) = self.topics.partition_mut(record.topic_id, index) else {
            return Change::Nothing;
        };
        if let Some(replicas) = &record.replicas {
            let replicas = nodes(replicas);
            if record.directories.is_none() && replicas != partition.replicas {
                partition.directories =
                    replicas.iter().map(|&replica| partition.directory_of(replica)).collect();
            }
            partition.replicas = replicas;
        }
        if let Some(directories) = &record.directories {
            partition.directories = directories.iter().collect();
        }
        if let Some(isr) = &record.isr {
            partition.isr = nodes(isr);
        }
        partition.unsettle(|unsettled| {
            let lists = [
                (&mut unsettled.removing, &record.removing_replicas),
                (&mut unsettled.adding, &record.adding_replicas),
                (&mut unsettled.elr, &record.eligible_leader_replicas),
                (&mut unsettled.last_known_elr, &record.last_known_elr),
            ];
            for (list, changed) in lists {
                if let Some(changed) = changed {
                    *list = nodes(changed);
                }
            }
        });
        if record.leader != SAME_LEADER {
            partition.leader = leader(record.leader);
            partition.leader_epoch = LeaderEpoch(partition.leader_epoch.0.saturating_add(1));
        }
        if record.leader_recovery_state >= 0 {
            partition.leader_recovery = LeaderRecovery::from_number(record.leader_recovery_state);
        }
        partition.partition_epoch = partition.partition_epoch.saturating_add(1);
        match says_directories_alone(record) {
            true => Change::Directories(record.topic_id, index),
            false => Change::Partition(record.topic_id, index),
        }
    }

    fn remove_topic(&mut self, id: Uuid) -> Change {
        match self.topics.remove(id) {
            Some(topic) => {
                self.configs.forget(&ConfigResource::topic(&*topic.name));
                Change::TopicDeleted(topic)
            }
            None => Change::Nothing,
        }
    }

    fn clear_elr(&mut self, name: &str) -> Change {
        let ids: Vec<Uuid> = match name {
            "" => self.topics.by_id.keys().copied().collect(),
            name => self.topics.id_of(name).into_iter().collect(),
        };
        for id in ids {
            let marked: Vec<_> = self.topics.get(id).map_or_else(Vec::new, |topic| {
                let kept = |p: &&Arc<Partition>| !p.elr().is_empty() || !p.last_known_elr().is_empty();
                topic.partitions.iter().filter(kept).map(|partition| partition.index).collect()
            });
            for index in marked {
                if let Some(partition) = self.topics.partition_mut(id, index) {
                    partition.unsettle(|unsettled| {
                        unsettled.elr.clear();
                        unsettled.last_known_elr.clear();
                    });
                }
            }
        }
        // Eligible replicas concern elections only; no broker acts on them.
        Change::Other
    }

    fn set_config(&mut self, record: &ConfigRecord<'_>) -> Change {
        let resource = ConfigResource {
            kind: ResourceType(record.resource_type),
            name: record.resource_name.to_string(),
        };
        self.configs.set(&resource, &record.name, record.value.as_deref());
        Change::Config(resource)
    }

    fn set_quota(&mut self, record: &ClientQuotaRecord<'_>) {
        let mut entity: Vec<_> = record
            .entity
            .iter()
            .map(|part| (part.entity_type.into_owned(), part.entity_name.map(|name| name.into_owned())))
            .collect();
        entity.sort_unstable();
        self.quotas.set(entity, &record.key, (!record.remove).then_some(record.value));
    }

    fn undo_transaction(&mut self) -> Change {
        match self.before_transaction.take() {
            Some(before) => {
                let provenance = self.provenance;
                *self = Arc::unwrap_or_clone(before);
                self.provenance = provenance;
                Change::Undone
            }
            None => Change::Nothing,
        }
    }
}

/// Where a broker or a controller is reached: their records say the same of it.
fn endpoint(name: Cow<'_, str>, host: Cow<'_, str>, port: u16, security_protocol: i16) -> Endpoint {
    Endpoint { name: name.into_owned(), host: host.into_owned(), port, security_protocol }
}

/// What a broker or a controller supports of a feature, by its name.
fn feature(name: Cow<'_, str>, min: i16, max: i16) -> (String, FeatureRange) {
    (name.into_owned(), FeatureRange { min, max })
}

fn nodes(ids: &Array<'_, i32>) -> Nodes {
    ids.iter().map(NodeId).collect()
}

fn leader(id: i32) -> Option<NodeId> {
    (id != NO_LEADER).then_some(NodeId(id))
}

/// Whether a change tells where replicas lie, and nothing of who leads or follows.
fn says_directories_alone(record: &PartitionChangeRecord<'_>) -> bool {
    let lists = [
        &record.isr,
        &record.replicas,
        &record.removing_replicas,
        &record.adding_replicas,
        &record.eligible_leader_replicas,
        &record.last_known_elr,
    ];
    record.directories.is_some()
        && record.leader == SAME_LEADER
        && record.leader_recovery_state < 0
        && lists.iter().all(|list| list.is_none())
}
