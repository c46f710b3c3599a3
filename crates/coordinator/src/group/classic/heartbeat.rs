//! Heartbeat: a member is there, and hears whether the group rebalances.
//!
//! Nothing is written for it, so that it can be taken in one with what is decided. A decision of it is for who cannot be heard of
//! at once, and for a group of the other protocol, in which some members speak this one.

use super::super::{Generation, Group, GroupDecision, GroupGround, GroupRefusal, GroupShard, Transition};
use super::{Live, Member, State};
use crate::group::MemberId;

/// Who is there, in the request's own words: of all requests this is the most frequent, and it keeps nothing of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat<'r> {
    /// The group.
    pub group: &'r str,
    /// The member.
    pub member: &'r str,
    /// Its own name.
    pub instance: Option<&'r str>,
    /// The generation it is in.
    pub generation: Generation,
}

/// What a member is told.
type Told = Result<(), GroupRefusal>;

impl Live {
    /// Who it is, and what it is told.
    fn hears(&self, beat: Heartbeat<'_>) -> Result<(&MemberId, &Member, Told), GroupRefusal> {
        let (id, member) = self.validate(beat.member, beat.instance)?;
        if beat.generation != self.generation {
            return Err(GroupRefusal::IllegalGeneration);
        }
        match self.state {
            State::Empty => Err(GroupRefusal::UnknownMember),
            State::PreparingRebalance => Ok((id, member, Err(GroupRefusal::RebalanceInProgress))),
            State::CompletingRebalance | State::Stable => Ok((id, member, Ok(()))),
        }
    }
}

impl GroupShard {
    /// A member is there: what [`Self::heartbeat`] decides, and its transition taken. None, and nothing has changed, where
    /// there is no classic group of that name.
    ///
    /// It is the most frequent of all requests, and most of what it costs is memory that nobody has touched lately: the group
    /// is looked for once, and nothing of it is copied.
    pub fn hear(
        &mut self,
        ground: &GroupGround<'_>,
        beat: Heartbeat<'_>,
    ) -> Option<Result<Told, GroupRefusal>> {
        if beat.group.is_empty() {
            return None;
        }
        let Some(Group::Classic(group)) = self.groups.get_mut(beat.group) else { return None };
        let heard =
            group.live.hears(beat).map(|(_, member, told)| (member.session_timeout.after(ground.now), told));
        Some(heard.map(|(deadline, told)| {
            group.live.heard(beat.member, deadline);
            told
        }))
    }

    /// A member is there. The reply says whether it must join again. Writes nothing, and may be said twice.
    ///
    /// # Errors
    /// It is not in the group, or not in this generation.
    pub fn heartbeat(
        &self,
        ground: &GroupGround<'_>,
        beat: Heartbeat<'_>,
    ) -> Result<GroupDecision<Told>, GroupRefusal> {
        if beat.group.is_empty() {
            return Err(GroupRefusal::InvalidGroupId);
        }
        let (id, group) = match self.groups.get_key_value(beat.group) {
            Some((id, Group::Classic(group))) => (id, group),
            Some((id, Group::Consumer(group))) => return self.heartbeat_consumers(ground, (id, group), beat),
            Some((_, Group::Streams(_))) | None => return Err(GroupRefusal::UnknownMember),
        };
        let (member_id, member, told) = group.live.hears(beat)?;
        let deadline = member.session_timeout.after(ground.now);
        let heard = Transition::ClassicHeard(id.clone(), member_id.clone(), deadline);
        Ok(GroupDecision::reply(told).transition(heard))
    }
}
