//! Metadata, 0 to 13: the brokers, and topics with their partitions.
//!
//! 1 adds racks, the controller and "all topics" as null, 2 the cluster id, 4 whether to create topics, 5 offline
//! replicas, 7 leader epochs (KIP-320), 8 authorised operations (KIP-430), 10 topic ids in answers and 12 in
//! requests (KIP-516), 13 an error of the whole (KIP-1102).
//!
//! deviation: a topic that is created by asking is answered as it then is, where Kafka answers
//! UNKNOWN_TOPIC_OR_PARTITION and has the client ask again after its back-off.

use std::collections::BTreeSet;
use std::sync::Arc;

use metadata::Image;
use metadata::controller::topics::name_fault;
use metadata::image::{Endpoint, Partition, Topic};
use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, NodeId, TopicId};
use protocol::messages::metadata::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::messages::{MetadataRequest, MetadataResponse};

use super::authorized_operations::{CLUSTER as CLUSTER_OPERATIONS, NOT_ASKED, TOPIC as TOPIC_OPERATIONS};
use super::{Call, replicas};
use crate::runtime::topic_creation;

/// Topic ids count from here on.
const IDS_SINCE: i16 = 12;

/// A topic as asked for.
enum Asked {
    Id(TopicId),
    Name(String),
}

/// Handles one request.
pub async fn handle(call: &Call, request: MetadataRequest<'_>) -> MetadataResponse<'static> {
    let version = call.asked.version;
    let Ok(asked) = asked(version, &request) else {
        return invalid(&request);
    };
    let mut image = call.broker.image();
    let wanted = match asked {
        None => image.topics.iter().map(|topic| Asked::Name(topic.name.to_string())).collect(),
        Some(asked) => {
            let missing = missing(&image, &asked);
            if request.allow_auto_topic_creation && !missing.is_empty() {
                topic_creation::create_missing(&call.broker, missing).await;
                image = call.broker.image();
            }
            asked
        }
    };
    let listener = &call.peer.listener;
    let view = View { image: &image, listener, version };
    let operations = request.include_topic_authorized_operations;
    let topics = wanted.into_iter().map(|asked| view.answer(asked, operations));
    MetadataResponse {
        topics: topics.collect(),
        brokers: view.brokers().collect(),
        cluster_id: Some(call.broker.cluster_id.to_string().into()),
        controller_id: view.any_broker().map_or(-1, |node| node.0),
        cluster_authorized_operations: if request.include_cluster_authorized_operations {
            CLUSTER_OPERATIONS
        } else {
            NOT_ASKED
        },
        ..MetadataResponse::default()
    }
}

/// The topics asked for, each once; `None` for all. Fails where ids, or topics without a name, came too early.
fn asked(version: i16, request: &MetadataRequest<'_>) -> Result<Option<Vec<Asked>>, ErrorCode> {
    let Some(topics) = request.topics.as_ref().filter(|topics| version > 0 || !topics.is_empty()) else {
        return Ok(None);
    };
    let early = |topic: &protocol::messages::metadata::MetadataRequestTopic<'_>| {
        version < IDS_SINCE && (topic.name.is_none() || !topic.topic_id.is_zero())
    };
    if topics.iter().any(|topic| early(&topic)) {
        return Err(ErrorCode::InvalidRequest);
    }
    let ids: BTreeSet<TopicId> =
        topics.iter().map(|topic| topic.topic_id).filter(|id| !id.is_zero()).collect();
    if !ids.is_empty() {
        // As in Kafka, names count only where no topic is asked for by id.
        return Ok(Some(ids.into_iter().map(Asked::Id).collect()));
    }
    let mut met = BTreeSet::new();
    let names = topics.iter().filter_map(|topic| topic.name).filter(|name| met.insert(name.to_string()));
    Ok(Some(names.map(|name| Asked::Name(name.into_owned())).collect()))
}

/// The topics asked for by a possible name that are not there.
fn missing(image: &Image, asked: &[Asked]) -> Vec<String> {
    let missing = asked.iter().filter_map(|asked| match asked {
        Asked::Name(name) if image.topics.by_name(name).is_none() && name_fault(name).is_none() => {
            Some(name.clone())
        }
        Asked::Name(_) | Asked::Id(_) => None,
    });
    missing.collect()
}

/// The answer to a request that asks by id in a version without ids: the topics, each with the error.
fn invalid(request: &MetadataRequest<'_>) -> MetadataResponse<'static> {
    let topics = request.topics.iter().flatten().map(|topic| MetadataResponseTopic {
        error_code: ErrorCode::InvalidRequest.into(),
        name: Some(topic.name.map_or_else(String::new, |name| name.into_owned()).into()),
        topic_id: topic.topic_id,
        topic_authorized_operations: NOT_ASKED,
        ..MetadataResponseTopic::default()
    });
    MetadataResponse { topics: topics.collect(), ..MetadataResponse::default() }
}

/// The cluster as a client of one listener sees it.
struct View<'a> {
    image: &'a Image,
    listener: &'a Arc<str>,
    version: i16,
}

impl View<'_> {
    fn endpoint(&self, node: NodeId) -> Option<&Endpoint> {
        let broker = self.image.cluster.broker(node).filter(|broker| !broker.fenced)?;
        broker.endpoints.iter().find(|endpoint| *endpoint.name == **self.listener)
    }

    fn brokers(&self) -> impl Iterator<Item = MetadataResponseBroker<'static>> {
        self.image.cluster.brokers.values().filter_map(|broker| {
            let endpoint = self.endpoint(broker.id)?;
            Some(MetadataResponseBroker {
                node_id: broker.id.0,
                host: endpoint.host.clone().into(),
                port: endpoint.port.into(),
                rack: broker.rack.clone().map(Into::into),
            })
        })
    }

    /// A broker that is up: clients send there what is for the controller, and it passes it on.
    fn any_broker(&self) -> Option<NodeId> {
        self.image.cluster.brokers.values().find(|broker| !broker.fenced).map(|broker| broker.id)
    }

    fn answer(&self, asked: Asked, operations: bool) -> MetadataResponseTopic<'static> {
        let found = match &asked {
            Asked::Id(id) => self.image.topics.get(*id),
            Asked::Name(name) => self.image.topics.by_name(name),
        };
        match (found, asked) {
            (Some(topic), _) => self.topic(topic, operations),
            (None, Asked::Id(topic_id)) => MetadataResponseTopic {
                error_code: ErrorCode::UnknownTopicId.into(),
                name: None,
                topic_id,
                topic_authorized_operations: NOT_ASKED,
                ..MetadataResponseTopic::default()
            },
            (None, Asked::Name(name)) => {
                let error = match name_fault(&name) {
                    Some(_) => ErrorCode::InvalidTopicException,
                    None => ErrorCode::UnknownTopicOrPartition,
                };
                MetadataResponseTopic {
                    error_code: error.into(),
                    is_internal: metadata::image::is_internal(&name),
                    name: Some(name.into()),
                    topic_authorized_operations: NOT_ASKED,
                    ..MetadataResponseTopic::default()
                }
            }
        }
    }

    fn topic(&self, topic: &Topic, operations: bool) -> MetadataResponseTopic<'static> {
        MetadataResponseTopic {
            error_code: ErrorCode::None.into(),
            name: Some(topic.name.to_string().into()),
            topic_id: topic.id,
            is_internal: metadata::image::is_internal(&topic.name),
            partitions: topic.partitions.iter().map(|partition| self.partition(partition)).collect(),
            topic_authorized_operations: if operations { TOPIC_OPERATIONS } else { NOT_ASKED },
        }
    }

    fn partition(&self, partition: &Partition) -> MetadataResponsePartition<'static> {
        let error = match partition.leader {
            Some(leader) if self.endpoint(leader).is_some() => ErrorCode::None,
            // A leader without this listener is told apart only from version 6 on.
            Some(leader) if self.version >= 6 && self.image.cluster.is_active(leader) => {
                ErrorCode::ListenerNotFound
            }
            Some(_) | None => ErrorCode::LeaderNotAvailable,
        };
        let leader = partition.leader.filter(|_| error == ErrorCode::None);
        let nodes = |nodes: &[NodeId]| nodes.iter().map(|node| node.0).collect();
        MetadataResponsePartition {
            error_code: error.into(),
            partition_index: partition.index.0,
            leader_id: leader.map_or(-1, |node| node.0),
            leader_epoch: partition.leader_epoch.max(LeaderEpoch::NONE).0,
            replica_nodes: nodes(&partition.replicas),
            isr_nodes: nodes(&partition.isr),
            offline_replicas: replicas::offline(self.image, partition, self.listener)
                .map(|node| node.0)
                .collect(),
        }
    }
}
