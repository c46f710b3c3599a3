//! Heartbeat: a member is there, and hears whether the group rebalances.

use super::super::{Generation, Group, GroupDecision, GroupGround, GroupRefusal, GroupShard, Transition};
use super::State;

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

impl GroupShard {
    /// A member is there. The reply says whether it must join again. Writes nothing, and may be said twice.
    ///
    /// # Errors
    /// It is not in the group, or not in this generation.
    pub fn heartbeat(
        &self,
        ground: &GroupGround<'_>,
        beat: Heartbeat<'_>,
    ) -> Result<GroupDecision<Result<(), GroupRefusal>>, GroupRefusal> {
        if beat.group.is_empty() {
            return Err(GroupRefusal::InvalidGroupId);
        }
        let (id, group) = match self.groups.get_key_value(beat.group) {
            Some((id, Group::Classic(group))) => (id, group),
            Some((id, Group::Consumer(group))) => return self.heartbeat_consumers(ground, (id, group), beat),
            Some((_, Group::Streams(_))) | None => return Err(GroupRefusal::UnknownMember),
        };
        let (member_id, member) = group.live.validate(beat.member, beat.instance)?;
        if beat.generation != group.live.generation {
            return Err(GroupRefusal::IllegalGeneration);
        }
        let told = match group.live.state {
            State::Empty => return Err(GroupRefusal::UnknownMember),
            State::PreparingRebalance => Err(GroupRefusal::RebalanceInProgress),
            State::CompletingRebalance | State::Stable => Ok(()),
        };
        let deadline = member.session_timeout.after(ground.now);
        let heard = Transition::ClassicHeard(id.clone(), member_id.clone(), deadline);
        Ok(GroupDecision::reply(told).transition(heard))
    }
}
