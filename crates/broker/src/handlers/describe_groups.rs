//! DescribeGroups, 0 to 6: classic groups with their members.
//!
//! 3 adds authorized operations (KIP-430), 4 static members (KIP-345), 6 says of a group that it is not there (KIP-1043).

use std::sync::Arc;

use coordinator::group::describe::{DescribedGroup as Described, DescribedMember};
use protocol::ErrorCode;
use protocol::messages::InPieces;
use protocol::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};

use super::Call;
use super::authorized_operations::{GROUP, NOT_ASKED};
use super::named_groups::NamedGroups;
use super::sentence::sentence;

/// The first version that says of a group that it is not there.
const NOT_FOUND_SINCE: i16 = 6;

/// Handles one request.
pub async fn handle<'a>(
    call: &Call,
    request: DescribeGroupsRequest<'a>,
) -> InPieces<'a, DescribeGroupsResponse<'a>> {
    let version = call.asked.version;
    let operations = if request.include_authorized_operations { GROUP } else { NOT_ASKED };
    let ids = request.groups.into_vec();
    let named = NamedGroups::look(call, ids, |_| None, |shard, id| shard.describe_classic(id));
    let named = Arc::new(named.await);
    let lengths: Vec<usize> = (0..named.count()).map(|place| members(&named, place).len()).collect();
    let of_members = named.clone();
    let member = move |place: usize, index: usize| told_member(&members(&of_members, place)[index]);
    let described = move |place: usize, _: bool| {
        let (id, group) = named.at(place);
        let group = match group {
            Ok(Some(group)) => told(group),
            Ok(None) => absent(version, id),
            Err(error) => DescribedGroup { error_code: (*error).into(), ..DescribedGroup::default() },
        };
        let authorized_operations = if group.error_code == 0 { operations } else { NOT_ASKED };
        DescribedGroup { group_id: id.clone(), authorized_operations, ..group }
    };
    let bare = DescribeGroupsResponse::default();
    InPieces::nested(bare, |response| &response.groups, &lengths, described, (|group| &group.members, member))
}

fn members<'n>(named: &'n NamedGroups<'_, Described>, place: usize) -> &'n [DescribedMember] {
    named.members(place, |group| &group.members)
}

/// A group but for its members.
fn told<'a>(group: &Described) -> DescribedGroup<'a> {
    DescribedGroup {
        group_state: group.state.into(),
        protocol_type: group.protocol_type.to_string().into(),
        protocol_data: group.protocol.to_string().into(),
        ..DescribedGroup::default()
    }
}

fn told_member<'a>(member: &DescribedMember) -> DescribedGroupMember<'a> {
    DescribedGroupMember {
        member_id: member.id.to_string().into(),
        group_instance_id: member.instance.as_ref().map(|instance| instance.to_string().into()),
        client_id: member.client_id.to_string().into(),
        client_host: member.client_host.to_string().into(),
        member_metadata: member.metadata.to_vec().into(),
        member_assignment: member.assignment.to_vec().into(),
    }
}

fn absent<'a>(version: i16, id: &str) -> DescribedGroup<'a> {
    let dead = DescribedGroup { group_state: "Dead".into(), ..DescribedGroup::default() };
    if version < NOT_FOUND_SINCE {
        return dead;
    }
    DescribedGroup {
        error_code: ErrorCode::GroupIdNotFound.into(),
        error_message: Some(sentence(format!("there is no group '{id}'"))),
        ..dead
    }
}
