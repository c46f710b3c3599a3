//! FindCoordinator, 0 to 6: which broker coordinates a group or a transactional id.
//!
//! 1 adds key types (KIP-98), 4 many keys at once (KIP-699), 6 share groups (KIP-932).
//!
//! This broker runs no coordinators yet and says so in the words Kafka has for it while its own are not there:
//! COORDINATOR_NOT_AVAILABLE, which clients take as "try again later".

use std::borrow::Cow;

use protocol::ErrorCode;
use protocol::id::Uuid;
use protocol::messages::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};

use super::Call;

const KEY_TYPE_TRANSACTION: i8 = 1;
const KEY_TYPE_SHARE: i8 = 2;
const NOT_AVAILABLE: &str = "this broker runs no group, transaction or share coordinators yet";

/// Handles one request.
pub async fn handle(call: &Call, request: FindCoordinatorRequest<'_>) -> FindCoordinatorResponse<'static> {
    let refusal_of = |key: &str| refusal(call.asked.version, request.key_type, key);
    let (error, message) = refusal_of(&request.key);
    if call.asked.version < 4 {
        return FindCoordinatorResponse {
            error_code: error.into(),
            error_message: Some(message.into()),
            node_id: -1,
            port: -1,
            ..FindCoordinatorResponse::default()
        };
    }
    let coordinators = request.coordinator_keys.iter().map(|key| {
        let (error, message) = refusal_of(&key);
        Coordinator {
            key: Cow::Owned(key.into_owned()),
            node_id: -1,
            host: Cow::Borrowed(""),
            port: -1,
            error_code: error.into(),
            error_message: Some(message.into()),
        }
    });
    FindCoordinatorResponse { coordinators: coordinators.collect(), ..FindCoordinatorResponse::default() }
}

fn refusal(version: i16, key_type: i8, key: &str) -> (ErrorCode, &'static str) {
    match key_type {
        0 | KEY_TYPE_TRANSACTION => (ErrorCode::CoordinatorNotAvailable, NOT_AVAILABLE),
        KEY_TYPE_SHARE if version >= 6 && names_share_partition(key) => {
            (ErrorCode::CoordinatorNotAvailable, NOT_AVAILABLE)
        }
        KEY_TYPE_SHARE if version >= 6 => {
            (ErrorCode::InvalidRequest, "the key of a share coordinator is group:topicId:partition")
        }
        _ => (
            ErrorCode::InvalidRequest,
            "key types are 0 (group), 1 (transaction) and, from version 6, 2 (share)",
        ),
    }
}

/// Whether a key is `group:topicId:partition`.
fn names_share_partition(key: &str) -> bool {
    let parts: Vec<_> = key.split(':').collect();
    let [group, topic, partition] = parts[..] else { return false };
    !group.trim().is_empty() && Uuid::parse(topic).is_some() && partition.parse::<i32>().is_ok()
}
