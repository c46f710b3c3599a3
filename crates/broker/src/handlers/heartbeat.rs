//! Heartbeat, 0 to 4: a member of a classic group is there.
//!
//! 3 adds static members (KIP-345). It is served on the spot, in the frame's own bytes, as most of what groups ask is
//! this; only where the log's directory does not keep up, or others have just written, is it waited for.

use std::sync::Arc;

use coordinator::group::classic::Heartbeat;
use coordinator::group::{Generation, GroupRefusal};
use protocol::ErrorCode;
use protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};

use super::Asked;
use crate::Broker;
use crate::net::{Answer, Outbound, Peer, Step};
use crate::runtime::coordinators::CoordinatorError;

/// What a member is told, or why it is told nothing.
type Told = Result<Result<(), GroupRefusal>, CoordinatorError<GroupRefusal>>;

/// Serves one request.
pub fn serve(broker: &Arc<Broker>, _: &Arc<Peer>, asked: Asked, body: &mut [u8], out: &mut Outbound) -> Step {
    let request = match asked.decode::<HeartbeatRequest<'_>>(body) {
        Ok(request) => request,
        Err(close) => return Step::Close(close),
    };
    let groups = &broker.coordinators.groups;
    let beat = beat(&request);
    let told = groups
        .hear(beat.group, |shard, ground| shard.hear(ground, beat))
        .or_else(|| groups.at_once(beat.group, |shard, ground| shard.heartbeat(ground, beat)));
    match told {
        Some(told) => {
            let is_of_shard = CoordinatorError::is_of_shard(&told);
            asked.step_of_group(asked.answer(&response(told), out), is_of_shard, broker)
        }
        None => wait(broker.clone(), asked, body.to_vec()),
    }
}

/// Serves one request from a copy.
fn wait(broker: Arc<Broker>, asked: Asked, body: Vec<u8>) -> Step {
    let answer: Answer = Box::pin(async move {
        let request = asked.decode::<HeartbeatRequest<'_>>(&body)?;
        let groups = &broker.coordinators.groups;
        let beat = beat(&request);
        let told = groups.submit(beat.group, |shard, ground| shard.heartbeat(ground, beat)).await;
        let mut out = Outbound::default();
        let written = asked.answer(&response(told), &mut out);
        broker.metrics.requests.note(asked.api as i16, asked.at.elapsed());
        written.map(|()| out)
    });
    Step::Wait(answer.into())
}

fn beat<'r>(request: &'r HeartbeatRequest<'_>) -> Heartbeat<'r> {
    Heartbeat {
        group: &request.group_id,
        member: &request.member_id,
        instance: request.group_instance_id.as_deref(),
        generation: Generation(request.generation_id),
    }
}

fn response(told: Told) -> HeartbeatResponse {
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
