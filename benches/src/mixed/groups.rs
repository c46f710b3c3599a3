//! Groups: a member comes, beats and commits for a while, and leaves; of the classic protocol one after the other in a few groups, of
//! the consumer protocol in one.

use anyhow::{Result, ensure};
use benches::asker::{Asker, Encoded};
use benches::consumer_beat;
use protocol::id::Uuid;
use protocol::messages::join_group::JoinGroupRequestProtocol;
use protocol::messages::sync_group::SyncGroupRequestAssignment;
use protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, Message, OffsetCommitResponse, SyncGroupRequest,
    SyncGroupResponse,
};

use super::load::{Load, TOPICS};
use crate::groups::commits;

/// How many groups of classic members there are, and how many commits one of them makes before it leaves.
const GROUPS: usize = 8;
const COMMITS: usize = 20;
/// How often a second something is committed, or a consumer is heard of, while nothing bursts.
const RATE: u32 = 20;

/// Waits until a group's coordinator is there.
fn find(asker: &mut Asker, group: &str) -> Result<()> {
    let request = FindCoordinatorRequest { key: group.to_owned().into(), ..Default::default() };
    asker.ask_until(&request, 3, |body| {
        Ok((FindCoordinatorResponse::decode(body, 3)?.error_code == 0).then_some(()))
    })
}

/// Members of the classic protocol.
pub fn of_classic_members(load: &Load) -> Result<()> {
    let mut pace = load.pace(RATE);
    for number in 0.. {
        if !load.goes_on() {
            break;
        }
        let mut member = Classic::join(load, format!("group-{}", number % GROUPS))?;
        let (topic, partitions) = TOPICS[number % TOPICS.len()];
        let mut commit = commits::request(&member.group, topic, partitions);
        commit.generation_id_or_member_epoch = member.generation;
        commit.member_id = member.id.clone().into();
        for _ in 0..COMMITS {
            if pace.next().is_none() {
                break;
            }
            member.asker.ask(&commit, 8, |body| {
                OffsetCommitResponse::decode(body, 8)?;
                commits::check(body, 8)
            })?;
            member.beat()?;
            load.note(2);
        }
        member.leave()?;
    }
    Ok(())
}

/// The only member of a group.
struct Classic {
    asker: Asker,
    group: String,
    id: String,
    generation: i32,
}

impl Classic {
    fn join(load: &Load, group: String) -> Result<Self> {
        let mut asker = Asker::open(load.address)?;
        find(&mut asker, &group)?;
        let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: vec![0, 0].into() };
        let join = JoinGroupRequest {
            group_id: group.clone().into(),
            session_timeout_ms: 30_000,
            rebalance_timeout_ms: 30_000,
            protocol_type: "consumer".into(),
            protocols: vec![protocol].into(),
            ..JoinGroupRequest::default()
        };
        let (id, generation) = asker.ask_until(&join, 3, |body| {
            let told = JoinGroupResponse::decode(body, 3)?;
            Ok((told.error_code == 0).then(|| (told.member_id.into_owned(), told.generation_id)))
        })?;
        let part = SyncGroupRequestAssignment { member_id: id.clone().into(), assignment: vec![0, 0].into() };
        let sync = SyncGroupRequest {
            group_id: group.clone().into(),
            generation_id: generation,
            member_id: id.clone().into(),
            assignments: vec![part].into(),
            ..SyncGroupRequest::default()
        };
        asker.ask(&sync, 3, |body| {
            let error = SyncGroupResponse::decode(body, 3)?.error_code;
            ensure!(error == 0, "a member's part is refused with error code {error}");
            Ok(())
        })?;
        load.note(3);
        Ok(Self { asker, group, id, generation })
    }

    fn beat(&mut self) -> Result<()> {
        let beat = HeartbeatRequest {
            group_id: self.group.clone().into(),
            generation_id: self.generation,
            member_id: self.id.clone().into(),
            ..HeartbeatRequest::default()
        };
        self.asker.ask(&beat, 4, |body| {
            let error = HeartbeatResponse::decode(body, 4)?.error_code;
            ensure!(error == 0, "a heartbeat is refused with error code {error}");
            Ok(())
        })
    }

    fn leave(mut self) -> Result<()> {
        let leave = LeaveGroupRequest {
            group_id: self.group.into(),
            member_id: self.id.into(),
            ..LeaveGroupRequest::default()
        };
        self.asker.ask(&leave, 1, |body| {
            let error = LeaveGroupResponse::decode(body, 1)?.error_code;
            ensure!(error == 0, "a member that leaves is refused with error code {error}");
            Ok(())
        })
    }
}

/// A member of the consumer protocol that comes and goes.
pub fn of_consumers(load: &Load) -> Result<()> {
    const GROUP: &str = "consumers";
    let mut pace = load.pace(RATE);
    while load.goes_on() {
        let mut asker = Asker::open(load.address)?;
        find(&mut asker, GROUP)?;
        let beat = consumer_beat::settled(&mut asker, GROUP, "one")?;
        for _ in 0..COMMITS {
            if pace.next().is_none() {
                break;
            }
            ask(&mut asker, &beat)?;
            load.note(1);
        }
        let leaves = ConsumerGroupHeartbeatRequest {
            group_id: GROUP.into(),
            member_id: Uuid([7; 16]).to_string().into(),
            member_epoch: -1,
            rebalance_timeout_ms: -1,
            ..ConsumerGroupHeartbeatRequest::default()
        };
        ask(&mut asker, &Encoded::new(&leaves, 1)?)?;
    }
    Ok(())
}

fn ask(asker: &mut Asker, beat: &Encoded) -> Result<()> {
    asker.send(beat)?;
    let error = ConsumerGroupHeartbeatResponse::decode(asker.receive(beat)?, 1)?.error_code;
    ensure!(error == 0, "a consumer's heartbeat is refused with error code {error}");
    Ok(())
}
