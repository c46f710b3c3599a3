//! ElectLeaders, 0 to 2: elects the preferred leaders of partitions, or any replica where none leads (KIP-183).
//!
//! 1 has unclean elections and an error for the whole (KIP-460). Without a list all partitions are looked at, and
//! of each topic only those are answered that needed an election.

use std::borrow::Cow;
use std::sync::Arc;

use metadata::Refusal;
use metadata::controller::elections::{ElectionType, decide_elect_leaders};
use protocol::ErrorCode;
use protocol::id::PartitionIndex;
use protocol::messages::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult, TopicPartitions,
};
use protocol::wire::Array;

use super::Call;
use super::ask::{Refused, ask, wire};

/// Handles one request.
pub async fn handle<'a>(call: &Call, request: ElectLeadersRequest<'a>) -> ElectLeadersResponse<'a> {
    let kind = match request.election_type {
        0 => ElectionType::Preferred,
        1 => ElectionType::Unclean,
        other => {
            let message = format!("{other} is no election type: it must be 0 (preferred) or 1 (unclean)");
            return refused(&request, &Refused::request(message));
        }
    };
    match &request.topic_partitions {
        Some(topics) => match elect_named(call, kind, topics, request.timeout_ms).await {
            Ok(results) => answer(results),
            Err(why) => refused(&request, &why),
        },
        None => match elect_all(call, kind, request.timeout_ms).await {
            Ok(results) => answer(results),
            Err(why) => refused(&request, &why),
        },
    }
}

async fn elect_named<'a>(
    call: &Call,
    kind: ElectionType,
    topics: &Array<'a, TopicPartitions<'a>>,
    timeout_ms: i32,
) -> Result<Vec<ReplicaElectionResult<'a>>, Refused> {
    let named = topics.iter().map(|topic| {
        (Arc::from(&*topic.topic), topic.partitions.iter().map(PartitionIndex).collect::<Vec<_>>())
    });
    let named = named.collect();
    let outcomes =
        ask(call, timeout_ms, move |image, _| decide_elect_leaders(image, kind, Some(named))).await?;
    let results = topics.iter().zip(outcomes).map(|(topic, (_, outcomes))| of_topic(topic.topic, outcomes));
    Ok(results.collect())
}

async fn elect_all<'a>(
    call: &Call,
    kind: ElectionType,
    timeout_ms: i32,
) -> Result<Vec<ReplicaElectionResult<'a>>, Refused> {
    let outcomes = ask(call, timeout_ms, move |image, _| decide_elect_leaders(image, kind, None)).await?;
    Ok(outcomes.into_iter().map(|(name, outcomes)| of_topic(name.to_string().into(), outcomes)).collect())
}

fn of_topic<'a>(
    topic: Cow<'a, str>,
    outcomes: Vec<(PartitionIndex, Result<(), Refusal>)>,
) -> ReplicaElectionResult<'a> {
    let results = outcomes.into_iter().map(|(index, outcome)| partition(index.0, outcome.map_err(why_not)));
    ReplicaElectionResult { topic, partition_result: results.collect() }
}

/// Why one partition had no election, without the names that stand beside it in the answer: a request for
/// many partitions of one topic must not be answered by as many copies of its name.
fn why_not(refusal: Refusal) -> Refused {
    let message = match &refusal {
        Refusal::ElectionNotNeeded { .. } => "the partition has the leader asked for already",
        Refusal::UnknownPartition { .. } => "there is no such partition: look with kafka-topics --describe",
        Refusal::PreferredLeaderNotAvailable { .. } => {
            "the preferred leader is not in sync or not running: wait for it, or reassign the partition"
        }
        Refusal::EligibleLeadersNotAvailable { .. } => {
            "no replica that may lead is running: start one of its brokers, or ask for an unclean election"
        }
        _ => return refusal.into(),
    };
    Refused::new(ErrorCode::from(&refusal), message)
}

fn answer(results: Vec<ReplicaElectionResult<'_>>) -> ElectLeadersResponse<'_> {
    ElectLeadersResponse { replica_election_results: results.into(), ..ElectLeadersResponse::default() }
}

fn refused<'a>(request: &ElectLeadersRequest<'a>, why: &Refused) -> ElectLeadersResponse<'a> {
    let results = request.topic_partitions.iter().flat_map(Array::iter).map(|topic| {
        let results = topic.partitions.iter().map(|index| partition(index, Err(why.clone())));
        ReplicaElectionResult { partition_result: results.collect(), topic: topic.topic }
    });
    ElectLeadersResponse {
        error_code: why.code.into(),
        replica_election_results: results.collect(),
        ..ElectLeadersResponse::default()
    }
}

fn partition<'a>(partition_id: i32, outcome: Result<(), Refused>) -> PartitionResult<'a> {
    let (error_code, error_message) = wire(outcome);
    PartitionResult { partition_id, error_code, error_message }
}
