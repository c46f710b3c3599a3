//! JoinGroup, 0 to 9: a member comes into a classic group.
//!
//! 1 adds a rebalance time-out of its own (KIP-62), 4 has newcomers join again with the id they are given (KIP-394), 5
//! static members (KIP-345), 7 the protocol type in the answer (KIP-559), 8 the reason (KIP-800), 9 a leader that need
//! not assign (KIP-814).

use std::sync::Arc;

use coordinator::group::classic::{Join, JoinAnswer, Protocols};
use coordinator::group::{Answer, GroupRefusal, Millis};
use protocol::ErrorCode;
use protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};

use super::{Asked, Call, host_of, untaken};
use crate::Broker;
use crate::net::{Outbound, Peer, Step};
use crate::runtime::coordinators::CoordinatorError;
use crate::runtime::request_memory::Drawn;

/// The first version with a rebalance time-out; before, the session's counted for both.
const REBALANCE_TIMEOUT_SINCE: i16 = 1;
/// The first version in which a newcomer is given its id before it joins.
const PROMISED_IDS_SINCE: i16 = 4;
/// The first version in which there may be no protocol.
const NO_PROTOCOL_SINCE: i16 = 7;
/// The first version in which a leader may be told not to assign.
const SKIP_ASSIGNMENT_SINCE: i16 = 9;

/// Somebody new to a group is mostly given an id to join with, for which nobody is waited for.
pub fn at_once(
    broker: &Arc<Broker>,
    peer: &Peer,
    (asked, client_id): (Asked, &str),
    body: &[u8],
    out: &mut Outbound,
) -> Option<Step> {
    let request = asked.decode_small::<JoinGroupRequest<'_>>(body)?;
    if asked.version < PROMISED_IDS_SINCE || !request.member_id.is_empty() {
        return None;
    }
    let join = join(asked.version, (client_id.into(), host_of(peer).clone()), &request);
    let told = broker.coordinators.groups.at_once(&join.group, |shard, ground| shard.join(ground, &join))?;
    let is_of_shard = CoordinatorError::is_of_shard(&told);
    let response = response_to(asked.version, (&join.group, &join.member), told);
    Some(asked.step_of_group(asked.answer(&response, out), is_of_shard, broker))
}

/// What is asked for.
pub fn read(call: &Call, request: &JoinGroupRequest<'_>) -> Join {
    join(call.asked.version, (call.client_id.clone(), call.client_host()), request)
}

/// How a client joins that calls itself this and connects from there.
fn join(
    version: i16,
    (client_id, client_host): (Arc<str>, Arc<str>),
    request: &JoinGroupRequest<'_>,
) -> Join {
    let session_timeout = Millis(request.session_timeout_ms.into());
    let rebalance_timeout = if version >= REBALANCE_TIMEOUT_SINCE {
        Millis(request.rebalance_timeout_ms.into())
    } else {
        session_timeout
    };
    let protocols: Protocols = request
        .protocols
        .iter()
        .map(|protocol| (Arc::from(&*protocol.name), Arc::from(&*protocol.metadata)))
        .collect();
    Join {
        group: Arc::from(&*request.group_id),
        member: Arc::from(&*request.member_id),
        instance: request.group_instance_id.as_deref().map(Arc::from),
        client_id,
        client_host,
        session_timeout,
        rebalance_timeout,
        protocol_type: Arc::from(&*request.protocol_type),
        protocols,
        promises_id: version >= PROMISED_IDS_SINCE,
        may_skip_assignment: version >= SKIP_ASSIGNMENT_SINCE,
    }
}

/// Handles one request. What was drawn for it goes back once it is decided: it may wait for others for long.
pub async fn handle(call: &Call, join: Join, drawn: Drawn) -> JoinGroupResponse<'static> {
    let version = call.asked.version;
    let groups = &call.broker.coordinators.groups;
    let (group, member) = (join.group.clone(), join.member.clone());
    let told = groups.submit_and_let_go(&group, drawn, move |shard, ground| shard.join(ground, &join)).await;
    response_to(version, (&group, &member), told)
}

fn response_to(
    version: i16,
    (group, member): (&str, &str),
    told: Result<Answer, CoordinatorError<GroupRefusal>>,
) -> JoinGroupResponse<'static> {
    match told {
        Ok(Answer::Join(answer)) => response(version, answer),
        Ok(Answer::Sync(_) | Answer::Heartbeat(_)) => refused(version, member, ErrorCode::UnknownServerError),
        Err(error) => {
            untaken::tell(group, &error);
            refused(version, member, error.into())
        }
    }
}

fn response(version: i16, answer: JoinAnswer) -> JoinGroupResponse<'static> {
    let error = answer.refusal.map_or(ErrorCode::None, ErrorCode::from);
    let members = answer.members.into_iter().map(|member| JoinGroupResponseMember {
        member_id: member.id.to_string().into(),
        group_instance_id: member.instance.map(|instance| instance.to_string().into()),
        metadata: member.metadata.to_vec().into(),
    });
    JoinGroupResponse {
        throttle_time_ms: 0,
        error_code: error.into(),
        generation_id: answer.generation.0,
        protocol_type: answer.protocol_type.map(|name| name.to_string().into()),
        protocol_name: protocol(version, answer.protocol.map(|name| name.to_string())),
        leader: answer.leader.to_string().into(),
        skip_assignment: answer.skip_assignment,
        member_id: answer.member.to_string().into(),
        members: members.collect(),
    }
}

fn refused(version: i16, member: &str, error: ErrorCode) -> JoinGroupResponse<'static> {
    JoinGroupResponse {
        error_code: error.into(),
        generation_id: -1,
        protocol_name: protocol(version, None),
        member_id: member.to_owned().into(),
        ..JoinGroupResponse::default()
    }
}

/// Versions that know no absent protocol have an empty one.
fn protocol(version: i16, name: Option<String>) -> Option<std::borrow::Cow<'static, str>> {
    let name = if version < NO_PROTOCOL_SINCE { Some(name.unwrap_or_default()) } else { name };
    name.map(Into::into)
}
