//! StreamsGroupHeartbeat, 0 to 1: a member of a streams group joins, is there, or leaves (KIP-1071).
//!
//! 1 has the acceptable recovery lag in 64 bits, and asks for the topology's description where there is a plugin to
//! keep it; there is none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use coordinator::group::streams::{
    Endpoint, EndpointPartitions, HeldTasks, Offsets, Status as Told, StatusCode, StreamsAnswer,
    StreamsHeartbeat, Tasks, Topology,
};
use coordinator::group::{Epoch, Millis};
use metadata::controller::topics::name_fault;
use metadata::image::is_internal;
use protocol::ErrorCode;
use protocol::id::PartitionIndex;
use protocol::messages::streams_group_heartbeat::{
    EndpointToPartitions, RequestTaskIds, ResponseEndpoint, ResponseTaskIds, Status,
    StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse, TaskOffset, TopicPartition,
};
use protocol::wire::Array;

use super::sentence::sentence;
use super::{Call, untaken};
use crate::runtime::coordinators::CoordinatorError;
use crate::runtime::streams_topics;

/// How many topics are named that could not be made.
const REFUSALS_TOLD: usize = 3;

/// Handles one request.
pub async fn handle(
    call: &Call,
    request: StreamsGroupHeartbeatRequest<'_>,
) -> StreamsGroupHeartbeatResponse<'static> {
    if !call.broker.serves_streams_groups() {
        return refused(ErrorCode::UnsupportedVersion, None);
    }
    let beat = heartbeat(call, &request);
    if let Some(fault) = beat.topology.as_deref().and_then(names_fault) {
        return refused(ErrorCode::StreamsInvalidTopology, Some(fault));
    }
    if let Err(invalid) = beat.check() {
        return refused(ErrorCode::from(&invalid), Some(invalid.to_string()));
    }
    let groups = &call.broker.coordinators.groups;
    let told =
        groups.submit(&request.group_id, move |shard, ground| shard.streams_heartbeat(ground, &beat)).await;
    match told {
        Ok(answer) => {
            let answer = with_topics(call, answer);
            response(answer)
        }
        Err(error) => {
            untaken::tell(&request.group_id, &error);
            let message = match &error {
                CoordinatorError::Refused(refusal) => Some(refusal.to_string()),
                _ => None,
            };
            refused(error.into(), message)
        }
    }
}

/// What is wrong with the names of a topology's topics.
fn names_fault(topology: &Topology) -> Option<String> {
    let topics = topology.subtopologies.iter().flat_map(|part| {
        let own = part.repartition_sources.iter().chain(&part.changelogs).map(|topic| &topic.name);
        part.sources.iter().chain(&part.repartition_sinks).chain(own)
    });
    let topics: Vec<&Arc<str>> = topics.collect();
    if let Some(topic) = topics.iter().find(|topic| is_internal(topic)) {
        return Some(format!(
            "{topic} is a topic of Kafka's own: no application can have it in its topology"
        ));
    }
    let fault = topics.into_iter().find_map(|topic| Some((topic, name_fault(topic)?)));
    fault.map(|(topic, why)| format!("'{topic}' is no name of a topic: {why}"))
}

fn heartbeat(call: &Call, request: &StreamsGroupHeartbeatRequest<'_>) -> StreamsHeartbeat {
    let mut tells_twice = false;
    let mut offsets = |told: Option<&Array<'_, TaskOffset<'_>>>| {
        let mut offsets = Offsets::new();
        for told in told?.iter() {
            let of_part = offsets.entry(Arc::from(&*told.subtopology_id)).or_default();
            tells_twice |= of_part.insert(PartitionIndex(told.partition), told.offset).is_some();
        }
        Some(offsets)
    };
    let (task_offsets, end_offsets) =
        (offsets(request.task_offsets.as_ref()), offsets(request.task_end_offsets.as_ref()));
    let timeout = request.rebalance_timeout_ms;
    let tags = request.client_tags.as_ref().map(|tags| {
        tags.iter().map(|tag| (Arc::from(&*tag.key), Arc::from(&*tag.value))).collect::<BTreeMap<_, _>>()
    });
    StreamsHeartbeat {
        version: call.asked.version,
        group: Arc::from(&*request.group_id),
        member: Arc::from(&*request.member_id),
        epoch: Epoch(request.member_epoch),
        instance: request.instance_id.as_deref().map(Arc::from),
        rack: request.rack_id.as_deref().map(Arc::from),
        rebalance_timeout: (timeout != -1).then(|| Millis(timeout.into())),
        topology: request.topology.as_ref().map(|topology| Arc::new(Topology::from(topology))),
        active: request.active_tasks.as_ref().map(tasks),
        standby: request.standby_tasks.as_ref().map(tasks),
        warmup: request.warmup_tasks.as_ref().map(tasks),
        process: request.process_id.as_deref().map(Arc::from),
        endpoint: request
            .user_endpoint
            .as_ref()
            .map(|at| Endpoint { host: Arc::from(&*at.host), port: at.port }),
        tags,
        offsets: task_offsets,
        end_offsets,
        tells_twice,
        shutdown: request.shutdown_application,
        endpoint_epoch: request.endpoint_information_epoch,
        client_id: call.client_id.clone(),
        client_host: call.client_host(),
    }
}

fn tasks(told: &Array<'_, RequestTaskIds<'_>>) -> Tasks {
    let mut tasks = Tasks::new();
    for told in told {
        let of_part = tasks.entry(Arc::from(&*told.subtopology_id)).or_default();
        of_part.extend(told.partitions.iter().map(PartitionIndex));
    }
    tasks
}

/// Has the topics made that are missing, and says why those are missing still that were tried before.
fn with_topics(call: &Call, mut answer: StreamsAnswer) -> StreamsAnswer {
    if answer.missing_topics.is_empty() {
        return answer;
    }
    let keep = Duration::from_millis(u64::try_from(answer.interval.0).unwrap_or(0).saturating_mul(2));
    streams_topics::have_made(&call.broker, &answer.missing_topics, keep);
    let refusals = call.broker.streams_topics.refusals(&answer.missing_topics);
    let missing = |status: &&mut Told| status.code == StatusCode::MissingInternalTopics;
    if let Some(status) = answer.statuses.iter_mut().find(missing).filter(|_| !refusals.is_empty()) {
        let told = refusals.iter().take(REFUSALS_TOLD).map(|(topic, why)| format!("{topic} ({why})"));
        let more = match refusals.len().saturating_sub(REFUSALS_TOLD) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let told: Vec<String> = told.collect();
        status.detail.push_str(&format!("; not made: {}{more}", told.join(", ")));
    }
    answer
}

fn response(answer: StreamsAnswer) -> StreamsGroupHeartbeatResponse<'static> {
    let narrow = |millis: Millis| i32::try_from(millis.0).unwrap_or(i32::MAX);
    let statuses = answer
        .statuses
        .into_iter()
        .map(|status| Status { status_code: status.code.number(), status_detail: sentence(status.detail) });
    let held = answer.tasks.as_deref();
    let endpoints = answer.endpoints.map(|all| all.into_iter().map(endpoint).collect());
    StreamsGroupHeartbeatResponse {
        member_id: answer.member.to_string().into(),
        member_epoch: answer.epoch.0,
        heartbeat_interval_ms: narrow(answer.interval),
        task_offset_interval_ms: narrow(answer.task_offset_interval),
        acceptable_recovery_lag: answer.acceptable_recovery_lag.unwrap_or(-1),
        status: Some(statuses.collect()),
        active_tasks: held.map(|held| active(&held.active)),
        standby_tasks: held.map(|held| copies(&held.standby)),
        warmup_tasks: held.map(|held| copies(&held.warmup)),
        endpoint_information_epoch: answer.endpoint_epoch,
        partitions_by_user_endpoint: endpoints,
        ..StreamsGroupHeartbeatResponse::default()
    }
}

fn active(tasks: &HeldTasks) -> Array<'static, ResponseTaskIds<'static>> {
    let of_part = tasks.iter().map(|(id, tasks)| ResponseTaskIds {
        subtopology_id: id.to_string().into(),
        partitions: tasks.keys().map(|task| task.0).collect(),
    });
    of_part.collect()
}

fn copies(tasks: &Tasks) -> Array<'static, ResponseTaskIds<'static>> {
    let of_part = tasks.iter().map(|(id, tasks)| ResponseTaskIds {
        subtopology_id: id.to_string().into(),
        partitions: tasks.iter().map(|task| task.0).collect(),
    });
    of_part.collect()
}

fn endpoint(at: EndpointPartitions) -> EndpointToPartitions<'static> {
    let topics = |topics: Vec<(Arc<str>, Vec<PartitionIndex>)>| {
        let topics = topics.into_iter().map(|(topic, partitions)| TopicPartition {
            topic: topic.to_string().into(),
            partitions: partitions.into_iter().map(|index| index.0).collect(),
        });
        topics.collect()
    };
    EndpointToPartitions {
        user_endpoint: ResponseEndpoint { host: at.endpoint.host.to_string().into(), port: at.endpoint.port },
        active_partitions: topics(at.active),
        standby_partitions: topics(at.standby),
    }
}

fn refused(error: ErrorCode, message: Option<String>) -> StreamsGroupHeartbeatResponse<'static> {
    StreamsGroupHeartbeatResponse {
        error_code: error.into(),
        error_message: message.map(sentence),
        status: Some(Array::default()),
        ..StreamsGroupHeartbeatResponse::default()
    }
}
