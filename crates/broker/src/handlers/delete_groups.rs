//! DeleteGroups, 0 to 3: groups without members go, with their offsets (KIP-229).
//!
//! 3 adds messages.

use protocol::ErrorCode;
use protocol::messages::delete_groups::{DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse};

use super::Call;
use super::sentence::sentence;

/// Handles one request.
pub async fn handle(call: &Call, request: DeleteGroupsRequest<'_>) -> DeleteGroupsResponse<'static> {
    let groups = &call.broker.coordinators.groups;
    let mut results = Vec::new();
    for id in &request.groups_names {
        groups.settle(&id).await;
        let deleted = groups.submit(&id, |shard, _| shard.delete_group(&id)).await;
        let (error, message) = match deleted {
            Ok(()) => (ErrorCode::None, None),
            Err(error) => {
                let message = format!("group '{id}' is not deleted: {error}");
                (ErrorCode::from(error), Some(sentence(message)))
            }
        };
        results.push(DeletableGroupResult {
            group_id: id.into_owned().into(),
            error_code: error.into(),
            error_message: message,
        });
    }
    DeleteGroupsResponse { results: results.into(), ..DeleteGroupsResponse::default() }
}
