//! DescribeGroups, 0 to 6: classic groups with their members.
//!
//! 3 adds authorized operations (KIP-430), 4 static members (KIP-345), 6 says of a group that it is not there (KIP-1043).

use coordinator::group::describe::DescribedGroup as Described;
use protocol::ErrorCode;
use protocol::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};

use super::Call;
use super::authorized_operations::{GROUP, NOT_ASKED};

/// The first version that says of a group that it is not there.
const NOT_FOUND_SINCE: i16 = 6;

/// Handles one request.
pub async fn handle(call: &Call, request: DescribeGroupsRequest<'_>) -> DescribeGroupsResponse<'static> {
    let groups = &call.broker.coordinators.groups;
    let operations = if request.include_authorized_operations { GROUP } else { NOT_ASKED };
    let mut described = Vec::new();
    for id in &request.groups {
        let found = groups.read(&id, |shard| shard.describe_classic(&id)).await;
        let group = match found {
            Ok(Some(group)) => told(group),
            Ok(None) => absent(call.asked.version, &id),
            Err(error) => {
                DescribedGroup { error_code: ErrorCode::from(error).into(), ..DescribedGroup::default() }
            }
        };
        let authorized_operations = if group.error_code == 0 { operations } else { NOT_ASKED };
        described.push(DescribedGroup { group_id: id.into_owned().into(), authorized_operations, ..group });
    }
    DescribeGroupsResponse { groups: described.into(), ..DescribeGroupsResponse::default() }
}

fn told(group: Described) -> DescribedGroup<'static> {
    let members = group.members.into_iter().map(|member| DescribedGroupMember {
        member_id: member.id.to_string().into(),
        group_instance_id: member.instance.map(|instance| instance.to_string().into()),
        client_id: member.client_id.to_string().into(),
        client_host: member.client_host.to_string().into(),
        member_metadata: member.metadata.to_vec().into(),
        member_assignment: member.assignment.to_vec().into(),
    });
    DescribedGroup {
        group_state: group.state.into(),
        protocol_type: group.protocol_type.to_string().into(),
        protocol_data: group.protocol.to_string().into(),
        members: members.collect(),
        ..DescribedGroup::default()
    }
}

fn absent(version: i16, id: &str) -> DescribedGroup<'static> {
    let dead = DescribedGroup { group_state: "Dead".into(), ..DescribedGroup::default() };
    if version < NOT_FOUND_SINCE {
        return dead;
    }
    DescribedGroup {
        error_code: ErrorCode::GroupIdNotFound.into(),
        error_message: Some(format!("there is no group '{id}'").into()),
        ..dead
    }
}
