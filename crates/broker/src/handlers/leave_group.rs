//! LeaveGroup, 0 to 5: members leave a classic group.
//!
//! 3 takes many members at once, also by their own names (KIP-345), 5 the reason (KIP-800).

use std::sync::Arc;

use coordinator::group::classic::{Leave, Leaver};
use protocol::ErrorCode;
use protocol::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberResponse};

use super::Call;

/// The first version with many members.
const MEMBERS_SINCE: i16 = 3;

/// Handles one request.
pub async fn handle<'a>(call: &Call, request: LeaveGroupRequest<'a>) -> LeaveGroupResponse<'a> {
    let many = call.asked.version >= MEMBERS_SINCE;
    let members = if many {
        let members = request.members.iter();
        let leaver = |member: &str, instance: Option<&str>| Leaver {
            member: Arc::from(member),
            instance: instance.map(Arc::from),
        };
        members.map(|member| leaver(&member.member_id, member.group_instance_id.as_deref())).collect()
    } else {
        vec![Leaver { member: Arc::from(&*request.member_id), instance: None }]
    };
    let leave = Leave { group: Arc::from(&*request.group_id), members };
    let groups = &call.broker.coordinators.groups;
    let told = groups.submit(&request.group_id, move |shard, ground| shard.leave(ground, &leave)).await;
    let outcomes = match told {
        Ok(outcomes) => outcomes,
        Err(error) => {
            let error = ErrorCode::from(error);
            return LeaveGroupResponse { error_code: error.into(), ..LeaveGroupResponse::default() };
        }
    };
    let errors =
        outcomes.into_iter().map(|outcome| outcome.map_or_else(ErrorCode::from, |()| ErrorCode::None));
    if !many {
        let error = errors.into_iter().next().unwrap_or(ErrorCode::None);
        return LeaveGroupResponse { error_code: error.into(), ..LeaveGroupResponse::default() };
    }
    let members = request.members.iter().zip(errors).map(|(member, error)| MemberResponse {
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        error_code: error.into(),
    });
    LeaveGroupResponse { members: members.collect(), ..LeaveGroupResponse::default() }
}
