//! SyncGroup: the leader hands in the assignment, everybody fetches their part.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::{
    Answer, Generation, Group, GroupDecision, GroupGround, GroupId, GroupRefusal, GroupShard, MemberId,
    Transition,
};
use super::turn::Turn;
use super::{Live, Member, State, Wait};

/// Who asks for their part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sync {
    /// The group.
    pub group: GroupId,
    /// The member.
    pub member: MemberId,
    /// Its own name.
    pub instance: Option<Arc<str>>,
    /// The generation it joined.
    pub generation: Generation,
    /// What it takes the members for, if it says.
    pub protocol_type: Option<Arc<str>>,
    /// What it takes the protocol for, if it says.
    pub protocol: Option<Arc<str>>,
    /// The leader's work.
    pub assignments: BTreeMap<MemberId, Arc<[u8]>>,
}

/// What a member is told.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncAnswer {
    /// Why there is no assignment.
    pub refusal: Option<GroupRefusal>,
    /// What the members are.
    pub protocol_type: Option<Arc<str>>,
    /// The protocol in use.
    pub protocol: Option<Arc<str>>,
    /// Its part.
    pub assignment: Arc<[u8]>,
}

impl SyncAnswer {
    /// There is none.
    pub fn refused(refusal: GroupRefusal) -> Self {
        Self { refusal: Some(refusal), protocol_type: None, protocol: None, assignment: Arc::from([]) }
    }
}

impl GroupShard {
    /// A member asks for its part.
    ///
    /// # Errors
    /// It is not in this generation, or the group rebalances.
    pub fn sync(&self, ground: &GroupGround<'_>, sync: &Sync) -> Result<GroupDecision<Answer>, GroupRefusal> {
        if sync.group.is_empty() {
            return Err(GroupRefusal::InvalidGroupId);
        }
        let (group_id, group) = match self.groups.get_key_value(&sync.group) {
            Some((id, Group::Classic(group))) => (id, group),
            Some((_, Group::Consumer(group))) => return self.sync_consumers(ground, group, sync),
            Some((_, Group::Streams(_))) | None => return Err(GroupRefusal::UnknownMember),
        };
        let live = &group.live;
        let (id, member) = check(live, sync)?;
        if live.state == State::Stable {
            let until = member.session_timeout.after(ground.now);
            let answer = GroupDecision::reply(Answer::Sync(live.part_of(id)));
            return Ok(answer.transition(Transition::ClassicSynced(group_id.clone(), id.clone(), until)));
        }
        if live.leader.as_ref() != Some(id) && member.syncs.is_none() {
            // It waits for the leader, and nothing else changes.
            let wait = Wait::ForPart(ground.token);
            let waits = Transition::ClassicWaits(group_id.clone(), id.clone(), wait);
            return Ok(GroupDecision::wait().transition(waits));
        }
        let mut turn = Turn::new(sync.group.clone(), live.clone(), ground.now, ground.config);
        turn.live.synced_by(&sync.member);
        let given_up = turn.live.members.change(&sync.member, |member| member.syncs.replace(ground.token));
        turn.answers.extend(
            given_up
                .flatten()
                .map(|token| (token, Answer::Sync(SyncAnswer::refused(GroupRefusal::RebalanceInProgress)))),
        );
        if live.leader.as_ref() == Some(&sync.member) {
            turn.assign(&sync.assignments);
        }
        Ok(turn.decision_for(ground.token))
    }
}

/// Who asks, where it may.
fn check<'l>(live: &'l Live, sync: &Sync) -> Result<(&'l MemberId, &'l Member), GroupRefusal> {
    let known = live.validate(&sync.member, sync.instance.as_deref())?;
    if sync.generation != live.generation {
        return Err(GroupRefusal::IllegalGeneration);
    }
    let differs = |said: &Option<Arc<str>>, known: &Option<Arc<str>>| said.is_some() && said != known;
    if differs(&sync.protocol_type, &live.protocol_type) || differs(&sync.protocol, &live.protocol) {
        return Err(GroupRefusal::InconsistentProtocol);
    }
    match live.state {
        State::Empty => Err(GroupRefusal::UnknownMember),
        State::PreparingRebalance => Err(GroupRefusal::RebalanceInProgress),
        State::CompletingRebalance | State::Stable => Ok(known),
    }
}

impl Turn<'_> {
    /// The leader has assigned: records it, and tells who waits. Who is left out has an empty part.
    fn assign(&mut self, assignments: &BTreeMap<MemberId, Arc<[u8]>>) {
        let part = |id: &MemberId| assignments.get(id).cloned().unwrap_or_else(|| Arc::from([]));
        self.records.push(self.live.record(&self.id, |id, _| part(id)));
        self.live.members.change_all(|id, member| member.assignment = part(id));
        self.settle();
    }
}
