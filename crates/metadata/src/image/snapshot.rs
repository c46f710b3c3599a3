//! An image as the records of a snapshot: replaying them into an empty image gives it back.

use protocol::id::{NodeId, ProducerId};
use protocol::messages::record::{
    client_quota_record::{ClientQuotaRecord, EntityData},
    config_record::ConfigRecord,
    feature_level_record::FeatureLevelRecord,
    partition_record::PartitionRecord,
    producer_ids_record::ProducerIdsRecord,
    register_broker_record::{BrokerEndpoint, BrokerFeature, RegisterBrokerRecord},
    register_controller_record::{ControllerEndpoint, ControllerFeature, RegisterControllerRecord},
    topic_record::TopicRecord,
};

use super::{Broker, Controller, Image, METADATA_VERSION, Partition, Topic};
use crate::record::MetadataRecord;

impl Image {
    /// Hands every record of a snapshot to `write`, the levels of features first: they decide how the others are
    /// written. Stops at the first error.
    pub fn snapshot<E>(&self, mut write: impl FnMut(MetadataRecord<'_>) -> Result<(), E>) -> Result<(), E> {
        let first = self.features.get_key_value(METADATA_VERSION);
        let others = self.features.iter().filter(|(name, _)| &***name != METADATA_VERSION);
        for (name, &feature_level) in first.into_iter().chain(others) {
            write(FeatureLevelRecord { name: (&**name).into(), feature_level }.into())?;
        }
        for broker in self.cluster.brokers.values() {
            write(broker_record(broker).into())?;
        }
        for controller in self.cluster.controllers.values() {
            write(controller_record(controller).into())?;
        }
        for topic in self.topics.by_id.values() {
            write(TopicRecord { name: (&*topic.name).into(), topic_id: topic.id }.into())?;
            for partition in &topic.partitions {
                write(partition_record(topic, partition).into())?;
            }
        }
        for (resource, values) in self.configs.iter() {
            for (key, value) in &**values {
                let record = ConfigRecord {
                    resource_type: resource.kind.0,
                    resource_name: resource.name.as_str().into(),
                    name: key.as_str().into(),
                    value: Some(value.as_str().into()),
                };
                write(record.into())?;
            }
        }
        for (entity, values) in self.quotas.iter() {
            for (key, &value) in &**values {
                let entity = entity
                    .iter()
                    .map(|(kind, name)| EntityData {
                        entity_type: kind.as_str().into(),
                        entity_name: name.as_deref().map(Into::into),
                    })
                    .collect();
                write(ClientQuotaRecord { entity, key: key.as_str().into(), value, remove: false }.into())?;
            }
        }
        if self.next_producer_id > ProducerId(0) {
            // Who asked last is not kept: only the next id matters, and Kafka writes the same placeholder.
            let next_producer_id = self.next_producer_id.0;
            write(ProducerIdsRecord { broker_id: -1, broker_epoch: -1, next_producer_id }.into())?;
        }
        self.security.acls.values().try_for_each(|acl| write((**acl).clone().into()))?;
        self.security.scram.values().try_for_each(|credential| write((**credential).clone().into()))?;
        self.security.tokens.values().try_for_each(|token| write((**token).clone().into()))
    }
}

fn broker_record(broker: &Broker) -> RegisterBrokerRecord<'_> {
    RegisterBrokerRecord {
        broker_id: broker.id.0,
        is_migrating_zk_broker: false,
        incarnation_id: broker.incarnation,
        broker_epoch: broker.epoch.0,
        end_points: broker
            .endpoints
            .iter()
            .map(|endpoint| BrokerEndpoint {
                name: endpoint.name.as_str().into(),
                host: endpoint.host.as_str().into(),
                port: endpoint.port,
                security_protocol: endpoint.security_protocol,
            })
            .collect(),
        features: broker
            .features
            .iter()
            .map(|(name, range)| BrokerFeature {
                name: name.as_str().into(),
                min_supported_version: range.min,
                max_supported_version: range.max,
            })
            .collect(),
        rack: broker.rack.as_deref().map(Into::into),
        fenced: broker.fenced,
        in_controlled_shutdown: broker.in_controlled_shutdown,
        log_dirs: broker.log_dirs.clone().into(),
        cordoned_log_dirs: broker.cordoned_log_dirs.clone().map(Into::into),
    }
}

/// A controller's registration as a record.
pub(crate) fn controller_record(controller: &Controller) -> RegisterControllerRecord<'static> {
    RegisterControllerRecord {
        controller_id: controller.id.0,
        incarnation_id: controller.incarnation,
        zk_migration_ready: controller.zk_migration_ready,
        end_points: controller
            .endpoints
            .iter()
            .map(|endpoint| ControllerEndpoint {
                name: endpoint.name.clone().into(),
                host: endpoint.host.clone().into(),
                port: endpoint.port,
                security_protocol: endpoint.security_protocol,
            })
            .collect(),
        features: controller
            .features
            .iter()
            .map(|(name, range)| ControllerFeature {
                name: name.clone().into(),
                min_supported_version: range.min,
                max_supported_version: range.max,
            })
            .collect(),
    }
}

/// A partition's whole state as a record.
pub(crate) fn partition_record(topic: &Topic, partition: &Partition) -> PartitionRecord<'static> {
    let numbers = |ids: &[NodeId]| ids.iter().map(|id| id.0).collect();
    let some_numbers = |ids: &[NodeId]| (!ids.is_empty()).then(|| numbers(ids));
    PartitionRecord {
        partition_id: partition.index.0,
        topic_id: topic.id,
        replicas: numbers(&partition.replicas),
        isr: numbers(&partition.isr),
        removing_replicas: numbers(partition.removing()),
        adding_replicas: numbers(partition.adding()),
        leader: partition.leader.map_or(-1, |leader| leader.0),
        leader_recovery_state: partition.leader_recovery.number(),
        leader_epoch: partition.leader_epoch.0,
        partition_epoch: partition.partition_epoch,
        directories: partition.directories.to_vec().into(),
        eligible_leader_replicas: some_numbers(partition.elr()),
        last_known_elr: some_numbers(partition.last_known_elr()),
    }
}
