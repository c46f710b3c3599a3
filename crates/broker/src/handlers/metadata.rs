//! Metadata, 0 to 13: the brokers, and topics with their partitions.
//!
//! 1 adds racks, the controller and "all topics" as null, 2 the cluster id, 4 whether to create topics, 5 offline
//! replicas, 7 leader epochs (KIP-320), 8 authorised operations (KIP-430), 10 topic ids in answers and 12 in
//! requests (KIP-516), 13 an error of the whole (KIP-1102).
//!
//! deviation: a topic that is created by asking is answered as it then is, where Kafka answers
//! UNKNOWN_TOPIC_OR_PARTITION and has the client ask again after its back-off.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use metadata::Image;
use metadata::controller::topics::{PARTITIONS_MAX, name_fault};
use metadata::image::{Endpoint, Partition, Topic};
use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, NodeId, TopicId};
use protocol::messages::metadata::{
    MetadataRequestTopic, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::messages::{InPieces, MetadataRequest, MetadataResponse};
use protocol::wire::Array;

use super::authorized_operations::{CLUSTER as CLUSTER_OPERATIONS, NOT_ASKED, TOPIC as TOPIC_OPERATIONS};
use super::{Call, replicas};
use crate::runtime::topic_creation;

/// Topic ids count from here on.
const IDS_SINCE: i16 = 12;

/// A topic as asked for.
enum Asked<'a> {
    Id(TopicId),
    Name(Cow<'a, str>),
    /// One that is there.
    Known(Arc<Topic>),
}

/// Handles one request.
pub async fn handle<'a>(call: &Call, request: MetadataRequest<'a>) -> InPieces<'a, MetadataResponse<'a>> {
    let version = call.asked.version;
    let asked = match asked(version, &request) {
        Ok(asked) => asked,
        Err(error) => return refused(request, error),
    };
    let mut image = call.broker.image();
    let wanted = match asked {
        None => image.topics.iter().cloned().map(Asked::Known).collect(),
        Some(asked) => {
            let missing = missing(&image, &asked);
            if request.allow_auto_topic_creation && !missing.is_empty() {
                topic_creation::create_missing(&call.broker, missing).await;
                image = call.broker.image();
            }
            asked
        }
    };
    let view = View { image, listener: call.peer.listener.clone(), version };
    let operations = request.include_topic_authorized_operations;
    let response = MetadataResponse {
        brokers: view.brokers().collect(),
        cluster_id: Some(call.broker.cluster_id.to_string().into()),
        controller_id: view.any_broker().map_or(-1, |node| node.0),
        cluster_authorized_operations: if request.include_cluster_authorized_operations {
            CLUSTER_OPERATIONS
        } else {
            NOT_ASKED
        },
        ..MetadataResponse::default()
    };
    InPieces::new(
        response,
        |response| &response.topics,
        wanted.len(),
        move |place| view.answer(&wanted[place], operations),
    )
}

/// The topics asked for, each once; `None` for all. Fails where ids, or topics without a name, came too early, and
/// where a topic has neither.
fn asked<'a>(version: i16, request: &MetadataRequest<'a>) -> Result<Option<Vec<Asked<'a>>>, ErrorCode> {
    let Some(topics) = request.topics.as_ref().filter(|topics| version > 0 || !topics.is_empty()) else {
        return Ok(None);
    };
    let early = |topic: &MetadataRequestTopic<'_>| {
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
    if topics.iter().any(|topic| topic.name.is_none()) {
        // Kafka trips over it, and says no more than that.
        return Err(ErrorCode::UnknownServerError);
    }
    let mut met = BTreeSet::new();
    let names = topics.iter().filter_map(|topic| topic.name).filter(|name| met.insert(name.clone()));
    Ok(Some(names.map(Asked::Name).collect()))
}

/// The topics asked for by a possible name that are not there; of more than can be created at once some.
fn missing(image: &Image, asked: &[Asked<'_>]) -> Vec<String> {
    let missing = asked.iter().filter_map(|asked| match asked {
        Asked::Name(name) if image.topics.by_name(name).is_none() && name_fault(name).is_none() => {
            Some(name.to_string())
        }
        Asked::Name(_) | Asked::Id(_) | Asked::Known(_) => None,
    });
    missing.take(PARTITIONS_MAX + 1).collect()
}

/// The answer to a request that cannot be meant: the topics, each with the error.
fn refused<'a>(request: MetadataRequest<'a>, error: ErrorCode) -> InPieces<'a, MetadataResponse<'a>> {
    let asked: Vec<_> = request.topics.into_iter().flat_map(Array::into_vec).collect();
    let count = asked.len();
    let topic = move |place: usize| {
        let topic: &MetadataRequestTopic<'a> = &asked[place];
        MetadataResponseTopic {
            error_code: error.into(),
            name: Some(topic.name.clone().unwrap_or_default()),
            topic_id: topic.topic_id,
            topic_authorized_operations: NOT_ASKED,
            ..MetadataResponseTopic::default()
        }
    };
    let whole = if error == ErrorCode::UnknownServerError { error } else { ErrorCode::None };
    let response = MetadataResponse { error_code: whole.into(), ..MetadataResponse::default() };
    InPieces::new(response, |response| &response.topics, count, topic)
}

/// The cluster as a client of one listener sees it.
struct View {
    image: Arc<Image>,
    listener: Arc<str>,
    version: i16,
}

impl View {
    fn endpoint(&self, node: NodeId) -> Option<&Endpoint> {
        let broker = self.image.cluster.broker(node).filter(|broker| !broker.fenced)?;
        broker.endpoints.iter().find(|endpoint| *endpoint.name == *self.listener)
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

    fn answer<'a>(&self, asked: &Asked<'a>, operations: bool) -> MetadataResponseTopic<'a> {
        let found = match asked {
            Asked::Id(id) => self.image.topics.get(*id),
            Asked::Name(name) => self.image.topics.by_name(name),
            Asked::Known(topic) => Some(topic),
        };
        match (found, asked) {
            (Some(topic), _) | (None, Asked::Known(topic)) => self.topic(topic, operations),
            (None, Asked::Id(topic_id)) => MetadataResponseTopic {
                error_code: ErrorCode::UnknownTopicId.into(),
                name: None,
                topic_id: *topic_id,
                topic_authorized_operations: NOT_ASKED,
                ..MetadataResponseTopic::default()
            },
            (None, Asked::Name(name)) => {
                let error = match name_fault(name) {
                    Some(_) => ErrorCode::InvalidTopicException,
                    None => ErrorCode::UnknownTopicOrPartition,
                };
                MetadataResponseTopic {
                    error_code: error.into(),
                    is_internal: metadata::image::is_internal(name),
                    name: Some(name.clone()),
                    topic_authorized_operations: NOT_ASKED,
                    ..MetadataResponseTopic::default()
                }
            }
        }
    }

    fn topic<'a>(&self, topic: &Topic, operations: bool) -> MetadataResponseTopic<'a> {
        MetadataResponseTopic {
            error_code: ErrorCode::None.into(),
            name: Some(topic.name.to_string().into()),
            topic_id: topic.id,
            is_internal: metadata::image::is_internal(&topic.name),
            partitions: topic.partitions.iter().map(|partition| self.partition(partition)).collect(),
            topic_authorized_operations: if operations { TOPIC_OPERATIONS } else { NOT_ASKED },
        }
    }

    fn partition<'a>(&self, partition: &Partition) -> MetadataResponsePartition<'a> {
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
            offline_replicas: replicas::offline(&self.image, partition, &self.listener)
                .map(|node| node.0)
                .collect(),
        }
    }
}
