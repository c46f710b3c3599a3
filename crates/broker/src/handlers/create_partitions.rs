//! CreatePartitions, 0 to 3: adds partitions to topics, each topic by itself.
//!
//! The versions differ in their form only: the quota on mutations that 3 answers for (KIP-599) is not there, so
//! nothing is ever throttled.

use metadata::controller::partitions::{MorePartitions, decide_create_partitions};
use protocol::id::NodeId;
use protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
};

use super::Call;
use super::ask::{Refused, ask, wire};
use super::create_topics::{named_twice, seed};

/// Handles one request.
pub async fn handle<'a>(call: &Call, request: CreatePartitionsRequest<'a>) -> CreatePartitionsResponse<'a> {
    let twice = named_twice(request.topics.iter().map(|topic| topic.name));
    let mut results: Vec<_> = twice
        .iter()
        .map(|name| {
            let message = format!("topic '{name}' stands more than once in the request: name it once");
            result(name.clone(), Err(Refused::request(message)))
        })
        .collect();
    let wanted: Vec<_> = request.topics.iter().filter(|topic| !twice.contains(&topic.name)).collect();
    let topics = wanted.iter().map(more).collect();
    let (seed, validate_only) = (seed(), request.validate_only);
    let outcomes = ask(call, request.timeout_ms, move |image, _| {
        decide_create_partitions(image, topics, validate_only, seed)
    });
    match outcomes.await {
        Ok(outcomes) => results.extend(
            wanted
                .into_iter()
                .zip(outcomes)
                .map(|(topic, (_, outcome))| result(topic.name, outcome.map_err(Refused::from))),
        ),
        Err(refused) => {
            results.extend(wanted.into_iter().map(|topic| result(topic.name, Err(refused.clone()))));
        }
    }
    CreatePartitionsResponse { results: results.into(), ..CreatePartitionsResponse::default() }
}

fn more(topic: &CreatePartitionsTopic<'_>) -> MorePartitions {
    let assignments = topic.assignments.as_ref().map(|assignments| {
        assignments.iter().map(|one| one.broker_ids.iter().map(NodeId).collect()).collect()
    });
    MorePartitions { topic: topic.name.to_string(), count: topic.count, assignments }
}

fn result<'a>(
    name: std::borrow::Cow<'a, str>,
    outcome: Result<(), Refused>,
) -> CreatePartitionsTopicResult<'a> {
    let (error_code, error_message) = wire(outcome);
    CreatePartitionsTopicResult { name, error_code, error_message }
}
