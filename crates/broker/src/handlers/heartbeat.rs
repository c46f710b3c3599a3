//! Heartbeat, 0 to 4: a member of a classic group is there.
//!
//! 3 adds static members (KIP-345).

use std::sync::Arc;

use coordinator::group::Generation;
use coordinator::group::classic::Heartbeat;
use protocol::ErrorCode;
use protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};

use super::Call;

/// Handles one request.
pub async fn handle(call: &Call, request: HeartbeatRequest<'_>) -> HeartbeatResponse {
    let beat = Heartbeat {
        group: Arc::from(&*request.group_id),
        member: Arc::from(&*request.member_id),
        instance: request.group_instance_id.as_deref().map(Arc::from),
        generation: Generation(request.generation_id),
    };
    let groups = &call.broker.coordinators.groups;
    let told = groups.submit(&request.group_id, move |shard, ground| shard.heartbeat(ground, &beat)).await;
    let error = match told {
        Ok(Ok(())) => ErrorCode::None,
        Ok(Err(refusal)) => refusal.into(),
        // As in Kafka: whoever it is, it is not to give up while the log is read.
        Err(error) => match error.into() {
            ErrorCode::CoordinatorLoadInProgress => ErrorCode::None,
            error => error,
        },
    };
    HeartbeatResponse { error_code: error.into(), ..HeartbeatResponse::default() }
}
