//! AlterPartitionReassignments, 0 to 1: moves replicas between brokers, or calls that off (KIP-455).
//!
//! 1 may forbid that the number of replicas changes (KIP-1190).

use std::borrow::Cow;

use metadata::controller::Decision;
use metadata::controller::reassignments::check_reassignment;
use metadata::{Image, Refusal};
use protocol::id::{NodeId, PartitionIndex};
use protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition,
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use protocol::{ErrorCode, wire::Array};

use super::Call;
use super::ask::{Refused, ask, wire};

/// A partition with the replicas that it shall have.
type Target = (PartitionIndex, Option<Vec<NodeId>>);

/// Handles one request.
pub async fn handle<'a>(
    call: &Call,
    request: AlterPartitionReassignmentsRequest<'a>,
) -> AlterPartitionReassignmentsResponse<'a> {
    let may_change = request.allow_replication_factor_change;
    let topics: Vec<(String, Vec<Target>)> = request
        .topics
        .iter()
        .map(|topic| (topic.name.to_string(), topic.partitions.iter().map(|one| target(&one)).collect()))
        .collect();
    let judge = move |image: &Image| {
        let of_topic = |(name, targets): &(String, Vec<Target>)| {
            targets.iter().map(|target| judged(image, name, target, may_change)).collect::<Vec<_>>()
        };
        topics.iter().map(of_topic).collect::<Vec<_>>()
    };
    match ask(call, request.timeout_ms, move |image, _| Ok(Decision::answer(judge(image)))).await {
        Ok(judged) => AlterPartitionReassignmentsResponse {
            allow_replication_factor_change: may_change,
            error_message: None,
            responses: answered(&request, judged),
            ..AlterPartitionReassignmentsResponse::default()
        },
        Err(why) => {
            let all = request.topics.iter().map(|topic| vec![Err(why.clone()); topic.partitions.len()]);
            let responses = answered(&request, all.collect());
            let (error_code, error_message) = wire(Err::<(), _>(why));
            AlterPartitionReassignmentsResponse {
                error_code,
                error_message,
                responses,
                ..AlterPartitionReassignmentsResponse::default()
            }
        }
    }
}

fn target(partition: &ReassignablePartition<'_>) -> Target {
    let replicas = partition.replicas.as_ref().map(|replicas| replicas.iter().map(NodeId).collect());
    (PartitionIndex(partition.partition_index), replicas)
}

/// Why one partition keeps its replicas is told without the names that stand beside it.
fn judged(image: &Image, topic: &str, (index, replicas): &Target, may_change: bool) -> Result<(), Refused> {
    let outcome = check_reassignment(image, (topic, *index), replicas.as_deref(), may_change);
    outcome.map_err(|refusal| match refusal {
        Refusal::UnknownPartition { .. } => Refused::new(
            ErrorCode::UnknownTopicOrPartition,
            "there is no such partition: look with kafka-topics --describe",
        ),
        other => other.into(),
    })
}

fn answered<'a>(
    request: &AlterPartitionReassignmentsRequest<'a>,
    judged: Vec<Vec<Result<(), Refused>>>,
) -> Array<'a, ReassignableTopicResponse<'a>> {
    let topics = request.topics.iter().zip(judged).map(|(topic, outcomes)| {
        let partitions = topic.partitions.iter().zip(outcomes).map(|(partition, outcome)| {
            let (error_code, error_message): (i16, Option<Cow<'static, str>>) = wire(outcome);
            let partition_index = partition.partition_index;
            ReassignablePartitionResponse { partition_index, error_code, error_message }
        });
        ReassignableTopicResponse { partitions: partitions.collect(), name: topic.name }
    });
    topics.collect()
}
