//! ListPartitionReassignments, 0: the partitions whose replicas are on their way between brokers (KIP-455).

use std::sync::Arc;

use metadata::controller::reassignments::is_reassigned;
use metadata::image::{Partition, Topic};
use protocol::id::{NodeId, PartitionIndex};
use protocol::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, OngoingPartitionReassignment,
    OngoingTopicReassignment,
};
use protocol::wire::Array;

use super::Call;

/// Handles one request.
pub async fn handle(
    call: &Call,
    request: ListPartitionReassignmentsRequest<'_>,
) -> ListPartitionReassignmentsResponse<'static> {
    let image = call.broker.quorum.image();
    let topics: Vec<_> = match &request.topics {
        None => image.topics.iter().filter_map(|topic| under_way(topic, topic.partitions.iter())).collect(),
        Some(named) => named
            .iter()
            .filter_map(|named| {
                let topic = image.topics.by_name(&named.name)?;
                let indexes = named.partition_indexes.iter();
                under_way(topic, indexes.filter_map(|index| topic.partition(PartitionIndex(index))))
            })
            .collect(),
    };
    ListPartitionReassignmentsResponse {
        error_message: None,
        topics: topics.into(),
        ..ListPartitionReassignmentsResponse::default()
    }
}

/// A topic with those of its partitions that are being reassigned, if any is.
fn under_way<'a>(
    topic: &Topic,
    partitions: impl Iterator<Item = &'a Arc<Partition>>,
) -> Option<OngoingTopicReassignment<'static>> {
    let partitions: Vec<_> =
        partitions.filter(|partition| is_reassigned(partition)).map(|one| described(one)).collect();
    let name = topic.name.to_string().into();
    (!partitions.is_empty()).then(|| OngoingTopicReassignment { name, partitions: partitions.into() })
}

fn described(partition: &Partition) -> OngoingPartitionReassignment<'static> {
    OngoingPartitionReassignment {
        partition_index: partition.index.0,
        replicas: numbers(&partition.replicas),
        adding_replicas: numbers(partition.adding()),
        removing_replicas: numbers(partition.removing()),
    }
}

fn numbers(nodes: &[NodeId]) -> Array<'static, i32> {
    nodes.iter().map(|node| node.0).collect()
}
