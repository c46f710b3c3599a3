//! JoinGroup: a member comes, or comes again because the group rebalances.

use std::sync::Arc;

use super::super::{
    Answer, Generation, Group, GroupDecision, GroupGround, GroupId, GroupRefusal, GroupShard, MemberId,
    Millis, Transition,
};
use super::turn::Turn;
use super::{Live, Member, Protocols, State, Wait};
use crate::shard::Ground;

/// How long a member may wait that has never been told its id: it cannot send heartbeats, and may be long gone.
const NEWCOMER_TIMEOUT: Millis = Millis(5 * 60 * 1000);

/// Who wants to join, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The group.
    pub group: GroupId,
    /// The id that the coordinator gave; empty for a newcomer.
    pub member: MemberId,
    /// The static member's own name.
    pub instance: Option<Arc<str>>,
    /// What the client calls itself.
    pub client_id: Arc<str>,
    /// Where it connects from.
    pub client_host: Arc<str>,
    /// How long it may be silent.
    pub session_timeout: Millis,
    /// How long it may take to join again.
    pub rebalance_timeout: Millis,
    /// What the members of the group are.
    pub protocol_type: Arc<str>,
    /// What it can do, the best first.
    pub protocols: Protocols,
    /// Whether a newcomer is first given an id to join with (KIP-394).
    pub promises_id: bool,
    /// Whether it understands that it leads without having to assign (KIP-814).
    pub may_skip_assignment: bool,
}

/// What a member is told.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinAnswer {
    /// Why it has not joined, if it has not.
    pub refusal: Option<GroupRefusal>,
    /// The generation that begins.
    pub generation: Generation,
    /// What the members are.
    pub protocol_type: Option<Arc<str>>,
    /// The protocol that all of them use.
    pub protocol: Option<Arc<str>>,
    /// Who assigns; empty for nobody.
    pub leader: MemberId,
    /// Whether the leader is to leave the assignment as it is.
    pub skip_assignment: bool,
    /// What the member is called.
    pub member: MemberId,
    /// For the leader: everybody.
    pub members: Vec<JoinedMember>,
}

/// A member, as the leader is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// Its id.
    pub id: MemberId,
    /// Its own name.
    pub instance: Option<Arc<str>>,
    /// What it told under the protocol in use.
    pub metadata: Arc<[u8]>,
}

impl JoinAnswer {
    /// It has not joined.
    pub fn refused(member: MemberId, refusal: GroupRefusal) -> Self {
        Self {
            refusal: Some(refusal),
            generation: Generation::NONE,
            protocol_type: None,
            protocol: None,
            leader: Arc::from(""),
            skip_assignment: false,
            member,
            members: Vec::new(),
        }
    }
}

impl GroupShard {
    /// A member joins.
    ///
    /// # Errors
    /// It may not.
    pub fn join(&self, ground: &GroupGround<'_>, join: &Join) -> Result<GroupDecision<Answer>, GroupRefusal> {
        if join.group.is_empty() {
            return Err(GroupRefusal::InvalidGroupId);
        }
        if join.session_timeout < ground.config.session_min
            || join.session_timeout > ground.config.session_max
        {
            return Err(GroupRefusal::InvalidSessionTimeout);
        }
        if let Some(decision) = self.only_promises(ground, join).or_else(|| self.only_waits(ground, join)) {
            return Ok(decision);
        }
        let newcomer = join.member.is_empty();
        let live = match self.group(&join.group) {
            Some(Group::Classic(group)) => group.live.clone(),
            Some(Group::Consumer(group)) if !group.is_empty() => {
                // As in Kafka: who is refused here is not told its own name.
                let refused = |refusal| {
                    let told = JoinAnswer::refused(Arc::from(""), refusal);
                    Ok(GroupDecision::reply(Answer::Join(told)))
                };
                return self.join_consumers(ground, group, join).or_else(refused);
            }
            Some(Group::Streams(group)) if !group.is_empty() => {
                return Err(GroupRefusal::InconsistentProtocol);
            }
            // A group of another kind that nobody is in makes room for a classic one.
            _ if newcomer => Live { since: ground.now, ..Live::default() },
            _ => return Err(GroupRefusal::UnknownMember),
        };
        let is_new_group = !matches!(self.group(&join.group), Some(Group::Classic(_)));
        let mut turn = Turn::new(join.group.clone(), live, ground.now, ground.config);
        let token = ground.token;
        if !turn.live.has_room_for(&join.member, ground.config.members_max) {
            turn.remove(&join.member);
            let full = JoinAnswer::refused(Arc::from(""), GroupRefusal::GroupMaxSizeReached);
            return Ok(turn.decision(Some(Answer::Join(full))));
        }
        if !turn.live.supports(&join.protocol_type, &join.protocols) {
            return Err(GroupRefusal::InconsistentProtocol);
        }
        let told = if newcomer { turn.newcomer(ground, join) } else { turn.rejoin(ground, join)? };
        if is_new_group && turn.records.is_empty() {
            // The group is there from now on, whoever leads this partition next.
            turn.records.push(
                Live { since: ground.now, ..Live::default() }.record(&join.group, |_, _| Arc::from([])),
            );
        }
        if is_new_group {
            turn.records.splice(0..0, self.tombstones_if_empty(&join.group));
        }
        Ok(match told {
            Some(answer) => turn.decision(Some(Answer::Join(answer))),
            None => turn.decision_for(token),
        })
    }
}

impl GroupShard {
    /// Somebody new to a group that is there is given an id to join with: nothing else changes.
    fn only_promises(&self, ground: &GroupGround<'_>, join: &Join) -> Option<GroupDecision<Answer>> {
        let (group_id, Group::Classic(group)) = self.groups.get_key_value(&join.group)? else { return None };
        let is_promised = join.promises_id && join.member.is_empty() && join.instance.is_none();
        let is_taken = group.live.has_room_for(&join.member, ground.config.members_max)
            && group.live.supports(&join.protocol_type, &join.protocols);
        (is_promised && is_taken).then(|| {
            let (id, until) = (new_id(ground, join), join.session_timeout.after(ground.now));
            let told = JoinAnswer::refused(id.clone(), GroupRefusal::MemberIdRequired);
            GroupDecision::reply(Answer::Join(told)).transition(Transition::ClassicPromises(
                group_id.clone(),
                id,
                until,
            ))
        })
    }

    /// A member joins again as it was before, while others are still to come: all that changes is that it waits. Most
    /// requests of a rebalance are this.
    fn only_waits(&self, ground: &GroupGround<'_>, join: &Join) -> Option<GroupDecision<Answer>> {
        let (group_id, Group::Classic(group)) = self.groups.get_key_value(&join.group)? else { return None };
        let (live, joining) = (&group.live, group.live.members.joining());
        let others_are_to_come = joining + 1 < live.members.len() && joining < ground.config.members_max;
        if live.state != State::PreparingRebalance || !others_are_to_come {
            return None;
        }
        let (id, member) = live.validate(&join.member, join.instance.as_deref()).ok()?;
        let is_as_before = member.joins.is_none()
            && member.session_timeout == join.session_timeout
            && member.rebalance_timeout == join.rebalance_timeout
            && member.protocols == join.protocols
            && live.supports(&join.protocol_type, &join.protocols);
        is_as_before.then(|| {
            let wait = Wait::ToJoin(ground.token);
            GroupDecision::wait().transition(Transition::ClassicWaits(group_id.clone(), id.clone(), wait))
        })
    }
}

type Told = Option<JoinAnswer>;

impl Live {
    /// Whether a group of at most so many takes this member. Of those who are to join again, only so many may.
    fn has_room_for(&self, member: &str, most: usize) -> bool {
        let known = self.members.get(member);
        match self.state {
            State::Empty => true,
            State::PreparingRebalance => {
                known.is_some_and(|member| member.joins.is_some()) || self.members.joining() < most
            }
            State::CompletingRebalance | State::Stable => known.is_some() || self.members.len() < most,
        }
    }
}

impl Turn<'_> {
    fn newcomer<C>(&mut self, ground: &Ground<'_, C>, join: &Join) -> Told {
        let id = new_id(ground, join);
        if let Some(instance) = &join.instance {
            if let Some(known) = self.live.instances.get(instance).cloned() {
                return self.replace_static(ground, join, &known, id);
            }
            self.add(ground, join, id);
            return None;
        }
        if join.promises_id {
            self.live.promise(id.clone(), join.session_timeout.after(self.now));
            return Some(JoinAnswer::refused(id, GroupRefusal::MemberIdRequired));
        }
        self.add(ground, join, id);
        None
    }

    fn add<C>(&mut self, ground: &Ground<'_, C>, join: &Join, id: MemberId) {
        let member = Member {
            instance: join.instance.clone(),
            client_id: join.client_id.clone(),
            client_host: join.client_host.clone(),
            session_timeout: join.session_timeout,
            rebalance_timeout: join.rebalance_timeout,
            protocols: join.protocols.clone(),
            assignment: Arc::from([]),
            deadline: Some(NEWCOMER_TIMEOUT.after(self.now)),
            is_new: true,
            joins: Some(ground.token),
            syncs: None,
        };
        if self.live.state == State::PreparingRebalance && self.live.was_empty {
            self.live.newcomers = true;
        }
        if self.live.members.is_empty() {
            self.live.protocol_type = Some(join.protocol_type.clone());
        }
        self.live.leader.get_or_insert_with(|| id.clone());
        self.live.promised.take(&id);
        self.live.instances.extend(join.instance.clone().map(|instance| (instance, id.clone())));
        self.live.members.insert(id, Arc::new(member));
        self.rebalance_or_complete();
    }

    fn rejoin<C>(&mut self, ground: &Ground<'_, C>, join: &Join) -> Result<Told, GroupRefusal> {
        if self.live.promised.contains(&join.member) && join.instance.is_none() {
            self.add(ground, join, join.member.clone());
            return Ok(None);
        }
        let (_, member) = self.live.validate(&join.member, join.instance.as_deref())?;
        let unchanged = member.protocols == join.protocols;
        let leads = self.live.leader.as_ref() == Some(&join.member);
        match self.live.state {
            State::Empty => Err(GroupRefusal::UnknownMember),
            // It may not have heard the answer to its last JoinGroup.
            State::CompletingRebalance if unchanged => Ok(Some(self.joined(&join.member))),
            State::Stable if unchanged && !leads => Ok(Some(self.joined(&join.member))),
            _ => {
                self.update(ground, join, &join.member.clone());
                self.rebalance_or_complete();
                Ok(None)
            }
        }
    }

    /// A known member joins anew: takes over what it says, and has it wait.
    pub(super) fn update<C>(&mut self, ground: &Ground<'_, C>, join: &Join, id: &MemberId) {
        let given_up = self.live.members.change(id, |member| {
            member.protocols = join.protocols.clone();
            member.session_timeout = join.session_timeout;
            member.rebalance_timeout = join.rebalance_timeout;
            member.joins.replace(ground.token)
        });
        // Only one JoinGroup of a member waits; the client has given the one before up.
        let given_up = given_up.flatten();
        if let Some(token) = given_up.filter(|token| *token != ground.token) {
            let refused = JoinAnswer::refused(id.clone(), GroupRefusal::RebalanceInProgress);
            self.answers.push((token, Answer::Join(refused)));
        }
    }
}

/// An id for who has none.
fn new_id<C>(ground: &Ground<'_, C>, join: &Join) -> MemberId {
    let base = join.instance.as_deref().unwrap_or(&join.client_id);
    Arc::from(format!("{base}-{}", hyphenated(ground.random_id().0)))
}

/// The form of a random id that Kafka hangs on a member's name.
fn hyphenated(id: [u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(id));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
