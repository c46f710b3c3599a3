//! ListGroups, 0 to 5: the groups that this broker coordinates.
//!
//! 4 adds states, told and asked for (KIP-518), 5 types (KIP-848).

use std::borrow::Cow;
use std::collections::BTreeSet;

use protocol::ErrorCode;
use protocol::messages::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use protocol::wire::Array;

use super::Call;

/// Handles one request.
pub async fn handle(call: &Call, request: ListGroupsRequest<'_>) -> ListGroupsResponse<'static> {
    let (states, types) = (lower(&request.states_filter), lower(&request.types_filter));
    let wanted =
        |words: &BTreeSet<String>, word: &str| words.is_empty() || words.contains(&word.to_lowercase());
    let groups = &call.broker.coordinators.groups;
    let all = groups.read_all(|shard| {
        let listed = shard.list().filter(|group| wanted(&states, group.state) && wanted(&types, group.kind));
        listed.collect::<Vec<_>>()
    });
    match all.await {
        Ok(all) => {
            let groups = all.into_iter().flatten().map(|group| ListedGroup {
                group_id: group.id.to_string().into(),
                protocol_type: group.protocol_type.to_string().into(),
                group_state: group.state.into(),
                group_type: group.kind.into(),
            });
            ListGroupsResponse { groups: groups.collect(), ..ListGroupsResponse::default() }
        }
        Err(error) => {
            ListGroupsResponse { error_code: ErrorCode::from(error).into(), ..ListGroupsResponse::default() }
        }
    }
}

/// Each word once: who asks may name a million.
fn lower(words: &Array<'_, Cow<'_, str>>) -> BTreeSet<String> {
    words.iter().map(|word| word.to_lowercase()).collect()
}
