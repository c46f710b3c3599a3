//! The one member of a group, for what counts what its requests cost.

use benches::asker::{Asker, Encoded};
use protocol::messages::join_group::JoinGroupRequestProtocol;
use protocol::messages::sync_group::SyncGroupRequestAssignment;
use protocol::messages::{
    FindCoordinatorRequest, FindCoordinatorResponse, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    Message, SyncGroupRequest, SyncGroupResponse,
};

pub const GROUP: &str = "group";

/// A member that has its part.
pub struct Member {
    id: String,
    generation: i32,
}

impl Member {
    /// It is there: version 4.
    pub fn heartbeat(&self) -> Encoded {
        let beat = HeartbeatRequest {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.id.clone().into(),
            ..HeartbeatRequest::default()
        };
        Encoded::new(&beat, 4).unwrap()
    }

    /// It asks for its part once more: version 3.
    pub fn sync(&self) -> Encoded {
        let sync = SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.id.clone().into(),
            ..SyncGroupRequest::default()
        };
        Encoded::new(&sync, 3).unwrap()
    }
}

/// Somebody new asks for an id to join with: version 4.
pub fn newcomer() -> Encoded {
    Encoded::new(&joins(), 4).unwrap()
}

fn joins() -> JoinGroupRequest<'static> {
    let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: vec![0, 0].into() };
    JoinGroupRequest {
        group_id: GROUP.into(),
        session_timeout_ms: 300_000,
        rebalance_timeout_ms: 300_000,
        protocol_type: "consumer".into(),
        protocols: vec![protocol].into(),
        ..JoinGroupRequest::default()
    }
}

/// Waits until the coordinator of a key is there: of a group (0) or a transactional id (1).
pub fn find_coordinator(asker: &mut Asker, key: &str, kind: i8) {
    let request = FindCoordinatorRequest { key: key.to_owned().into(), key_type: kind, ..Default::default() };
    asker
        .ask_until(&request, 3, |body| {
            Ok((FindCoordinatorResponse::decode(body, 3)?.error_code == 0).then_some(()))
        })
        .unwrap();
}

/// The one member of the group.
pub fn joined(asker: &mut Asker) -> Member {
    find_coordinator(asker, GROUP, 0);
    let join = joins();
    let (member, generation) = asker
        .ask_until(&join, 3, |body| {
            let told = JoinGroupResponse::decode(body, 3)?;
            Ok((told.error_code == 0).then(|| (told.member_id.into_owned(), told.generation_id)))
        })
        .unwrap();
    let part = SyncGroupRequestAssignment { member_id: member.clone().into(), assignment: vec![0, 0].into() };
    let sync = SyncGroupRequest {
        group_id: GROUP.into(),
        generation_id: generation,
        member_id: member.clone().into(),
        assignments: vec![part].into(),
        ..SyncGroupRequest::default()
    };
    asker
        .ask(&sync, 3, |body| {
            assert_eq!(SyncGroupResponse::decode(body, 3)?.error_code, 0);
            Ok(())
        })
        .unwrap();
    Member { id: member, generation }
}
