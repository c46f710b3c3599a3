//! SyncGroup, 0 to 5: the leader of a classic group hands in the assignment, everybody fetches their part.
//!
//! 3 adds static members (KIP-345), 5 what the member takes the protocol for (KIP-559).

use std::sync::Arc;

use coordinator::group::classic::{Sync, SyncAnswer};
use coordinator::group::{Answer, Generation, GroupRefusal};
use protocol::ErrorCode;
use protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use super::{Asked, Call};
use crate::Broker;
use crate::net::{Outbound, Peer, Step};
use crate::runtime::coordinators::CoordinatorError;
use crate::runtime::request_memory::Drawn;

/// The first version that says what it takes the protocol for; it must.
const PROTOCOL_SINCE: i16 = 5;

/// Once the leader has assigned nobody has to be waited for.
pub fn at_once(
    broker: &Arc<Broker>,
    _: &Peer,
    (asked, _): (Asked, &str),
    body: &[u8],
    out: &mut Outbound,
) -> Option<Step> {
    let request = asked.decode_small::<SyncGroupRequest<'_>>(body)?;
    if !request.assignments.is_empty() {
        return None;
    }
    let sync = sync(asked.version, &request)?;
    let told = broker.coordinators.groups.at_once(&sync.group, |shard, ground| shard.sync(ground, &sync))?;
    let is_of_shard = CoordinatorError::is_of_shard(&told);
    Some(asked.step_of_group(asked.answer(&response_to(told), out), is_of_shard, broker))
}

/// What is asked for; `None` where it says less than it must.
pub fn read(call: &Call, request: &SyncGroupRequest<'_>) -> Option<Sync> {
    sync(call.asked.version, request)
}

fn sync(version: i16, request: &SyncGroupRequest<'_>) -> Option<Sync> {
    let says = request.protocol_type.is_some() && request.protocol_name.is_some();
    if version >= PROTOCOL_SINCE && !says {
        return None;
    }
    Some(Sync {
        group: Arc::from(&*request.group_id),
        member: Arc::from(&*request.member_id),
        instance: request.group_instance_id.as_deref().map(Arc::from),
        generation: Generation(request.generation_id),
        protocol_type: request.protocol_type.as_deref().map(Arc::from),
        protocol: request.protocol_name.as_deref().map(Arc::from),
        assignments: request
            .assignments
            .iter()
            .map(|part| (Arc::from(&*part.member_id), Arc::from(&*part.assignment)))
            .collect(),
    })
}

/// Handles one request. What was drawn for it goes back once it is decided: it may wait for others for long.
pub async fn handle(call: &Call, sync: Option<Sync>, drawn: Drawn) -> SyncGroupResponse<'static> {
    let Some(sync) = sync else { return refused(ErrorCode::InconsistentGroupProtocol) };
    let groups = &call.broker.coordinators.groups;
    let group = sync.group.clone();
    let told = groups.submit_and_let_go(&group, drawn, move |shard, ground| shard.sync(ground, &sync)).await;
    response_to(told)
}

fn response_to(told: Result<Answer, CoordinatorError<GroupRefusal>>) -> SyncGroupResponse<'static> {
    match told {
        Ok(Answer::Sync(answer)) => response(answer),
        Ok(Answer::Join(_) | Answer::Heartbeat(_)) => refused(ErrorCode::UnknownServerError),
        // Who cannot be answered yet is to join again once the coordinator is there.
        Err(error) => match error.into() {
            ErrorCode::CoordinatorLoadInProgress => refused(ErrorCode::RebalanceInProgress),
            error => refused(error),
        },
    }
}

fn response(answer: SyncAnswer) -> SyncGroupResponse<'static> {
    let error = answer.refusal.map_or(ErrorCode::None, ErrorCode::from);
    SyncGroupResponse {
        throttle_time_ms: 0,
        error_code: error.into(),
        protocol_type: answer.protocol_type.map(|name| name.to_string().into()),
        protocol_name: answer.protocol.map(|name| name.to_string().into()),
        assignment: answer.assignment.to_vec().into(),
    }
}

fn refused(error: ErrorCode) -> SyncGroupResponse<'static> {
    SyncGroupResponse { error_code: error.into(), ..SyncGroupResponse::default() }
}
