//! A group of very many members of the classic protocol: they join, and then they join again because the leader does.

use anyhow::{Context, Result, ensure};
use benches::asker::{Asker, Encoded};
use protocol::messages::join_group::JoinGroupRequestProtocol;
use protocol::messages::leave_group::MemberIdentity;
use protocol::messages::sync_group::SyncGroupRequestAssignment;
use protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, Message, SyncGroupRequest, SyncGroupResponse,
};

use super::{Figure, Groups, INITIAL_DELAY, Run, Side, timed};

/// The versions of a client of today.
const JOIN: i16 = 9;
const SYNC: i16 = 5;
/// The last version in which a newcomer joins at once.
const OLD_JOIN: i16 = 3;
/// How many groups one after the other make a run.
const ROUNDS: u32 = 3;
const MEMBER_ID_REQUIRED: i16 = 79;
const REBALANCE_IN_PROGRESS: i16 = 27;

/// A member and its connection.
pub struct Member {
    asker: Asker,
    id: String,
    generation: i32,
    leads: bool,
}

impl Member {
    /// Beats until the group rebalances.
    fn await_rebalance(&mut self, group: &str) -> Result<()> {
        let request = HeartbeatRequest {
            group_id: group.to_owned().into(),
            generation_id: self.generation,
            member_id: self.id.clone().into(),
            ..HeartbeatRequest::default()
        };
        self.asker.ask_until(&request, 4, |body| {
            let response = HeartbeatResponse::decode(body, 4)?;
            Ok((response.error_code == REBALANCE_IN_PROGRESS).then_some(()))
        })
    }
}

/// The members of one group.
pub struct Joined<'g> {
    group: &'g str,
    pub members: Vec<Member>,
}

pub fn run(groups: &Groups, side: &mut Side) -> Result<Run> {
    let mut askers = Asker::open_many(side.address(), groups.members)?;
    let (mut join, mut again) = ((0.0, 0.0), (0.0, 0.0));
    for _ in 0..ROUNDS {
        let group = side.fresh("joins");
        let (mut joined, wall, cpu) = timed(side, || Joined::new(&group, askers))?;
        // It waits for others twice, as others come while it first does.
        join = (join.0 + wall - 2.0 * INITIAL_DELAY.as_secs_f64() * 1e3, join.1 + cpu);
        let ((), wall, cpu) = timed(side, || joined.again())?;
        again = (again.0 + wall, again.1 + cpu);
        askers = joined.leave()?;
    }
    let each = f64::from(ROUNDS);
    Ok(vec![
        Figure::least("join: ms beyond the delay", join.0 / each),
        Figure::least("join: CPU ms", join.1 / each),
        Figure::least("rebalance: ms", again.0 / each),
        Figure::least("rebalance: CPU ms", again.1 / each),
    ])
}

fn request(group: &str, member: &str, session_ms: i32) -> JoinGroupRequest<'static> {
    // As a consumer of one topic says it.
    let subscription =
        b"\0\x03\0\0\0\x01\0\x05topic\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\xff\xff".to_vec();
    let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: subscription.into() };
    JoinGroupRequest {
        group_id: group.to_owned().into(),
        session_timeout_ms: session_ms,
        rebalance_timeout_ms: 300_000,
        member_id: member.to_owned().into(),
        protocol_type: "consumer".into(),
        protocols: vec![protocol].into(),
        ..JoinGroupRequest::default()
    }
}

impl<'g> Joined<'g> {
    /// Has a member join over each connection, and everybody fetch their part.
    pub fn new(group: &'g str, mut askers: Vec<Asker>) -> Result<Self> {
        let newcomer = Encoded::new(&request(group, "", 300_000), JOIN)?;
        for asker in &mut askers {
            asker.send(&newcomer)?;
        }
        let mut members = Vec::with_capacity(askers.len());
        for mut asker in askers {
            let response = JoinGroupResponse::decode(asker.receive(&newcomer)?, JOIN)?;
            ensure!(response.error_code == MEMBER_ID_REQUIRED, "a newcomer: error {}", response.error_code);
            let id = response.member_id.into_owned();
            members.push(Member { asker, id, generation: -1, leads: false });
        }
        let mut joined = Self { group, members };
        joined.again()?;
        Ok(joined)
    }

    /// Has one member join each of these groups, over a connection each, and fetch its part; `see` hears of group, member and
    /// generation.
    pub fn alone(
        groups: &[String],
        mut askers: Vec<Asker>,
        mut see: impl FnMut(&str, &str, i32) -> Result<()>,
    ) -> Result<Vec<Asker>> {
        let newcomers = groups.iter().map(|group| Encoded::new(&request(group, "", 1_800_000), OLD_JOIN));
        let newcomers = newcomers.collect::<Result<Vec<_>>>()?;
        for (asker, newcomer) in askers.iter_mut().zip(&newcomers) {
            asker.send(newcomer)?;
        }
        let mut joined = Vec::with_capacity(groups.len());
        for ((asker, newcomer), group) in askers.into_iter().zip(&newcomers).zip(groups) {
            let mut asker = asker;
            let response = JoinGroupResponse::decode(asker.receive(newcomer)?, OLD_JOIN)?;
            ensure!(response.error_code == 0, "a lone member: error {}", response.error_code);
            let (id, generation) = (response.member_id.into_owned(), response.generation_id);
            see(group, &id, generation)?;
            let member = Member { asker, id, generation, leads: true };
            joined.push(Joined { group, members: vec![member] });
        }
        let requests = joined.iter().map(Joined::syncs).collect::<Result<Vec<_>>>()?;
        for (joined, requests) in joined.iter_mut().zip(&requests) {
            joined.members[0].asker.send(&requests[0])?;
        }
        let mut askers = Vec::with_capacity(joined.len());
        for (mut joined, requests) in joined.into_iter().zip(&requests) {
            joined.synced(requests)?;
            askers.extend(joined.members.into_iter().map(|member| member.asker));
        }
        Ok(askers)
    }

    /// Has everybody join again, the leader first, and fetch their part.
    pub fn again(&mut self) -> Result<()> {
        let group = self.group;
        self.members.sort_by_key(|member| !member.leads);
        let joins =
            self.members.iter().map(|member| Encoded::new(&request(group, &member.id, 300_000), JOIN));
        let joins = joins.collect::<Result<Vec<_>>>()?;
        for (place, (member, join)) in self.members.iter_mut().zip(&joins).enumerate() {
            // Who joins again before the group rebalances is told that nothing has changed.
            if place == 1 && member.generation >= 0 {
                member.await_rebalance(group)?;
            }
            member.asker.send(join)?;
        }
        for (member, join) in self.members.iter_mut().zip(&joins) {
            let response = JoinGroupResponse::decode(member.asker.receive(join)?, JOIN)?;
            ensure!(response.error_code == 0, "a member: error {}", response.error_code);
            (member.generation, member.leads) =
                (response.generation_id, response.leader == response.member_id);
        }
        self.sync()
    }

    fn sync(&mut self) -> Result<()> {
        let requests = self.syncs()?;
        for (member, request) in self.members.iter_mut().zip(&requests) {
            member.asker.send(request)?;
        }
        self.synced(&requests)
    }

    /// How everybody asks for their part; the leader assigns.
    fn syncs(&self) -> Result<Vec<Encoded>> {
        let part = |member: &Member| SyncGroupRequestAssignment {
            member_id: member.id.clone().into(),
            assignment: b"\0\x03\0\0\0\x01\0\x05topic\0\0\0\x01\0\0\0\0\xff\xff\xff\xff".to_vec().into(),
        };
        let requests = self.members.iter().map(|member| {
            let assignments = if member.leads { self.members.iter().map(part).collect() } else { Vec::new() };
            let request = SyncGroupRequest {
                group_id: self.group.to_owned().into(),
                generation_id: member.generation,
                member_id: member.id.clone().into(),
                protocol_type: Some("consumer".into()),
                protocol_name: Some("range".into()),
                assignments: assignments.into(),
                ..SyncGroupRequest::default()
            };
            Encoded::new(&request, SYNC)
        });
        requests.collect()
    }

    fn synced(&mut self, requests: &[Encoded]) -> Result<()> {
        for (member, request) in self.members.iter_mut().zip(requests) {
            let response = SyncGroupResponse::decode(member.asker.receive(request)?, SYNC)?;
            ensure!(response.error_code == 0, "a part: error {}", response.error_code);
            ensure!(!response.assignment.is_empty(), "an empty part");
        }
        Ok(())
    }

    /// Everybody leaves, in one request.
    fn leave(mut self) -> Result<Vec<Asker>> {
        let leaving = |member: &Member| MemberIdentity {
            member_id: member.id.clone().into(),
            ..MemberIdentity::default()
        };
        let members: Vec<_> = self.members.iter().map(leaving).collect();
        let request = LeaveGroupRequest {
            group_id: self.group.to_owned().into(),
            members: members.into(),
            ..LeaveGroupRequest::default()
        };
        let first = self.members.first_mut().context("a member")?;
        first.asker.ask(&request, 5, |body| {
            ensure!(LeaveGroupResponse::decode(body, 5)?.error_code == 0, "members that cannot leave");
            Ok(())
        })?;
        Ok(self.members.into_iter().map(|member| member.asker).collect())
    }
}
