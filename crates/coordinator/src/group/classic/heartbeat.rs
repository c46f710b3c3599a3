//! Heartbeat: a member is there, and hears whether the group rebalances.

use std::sync::Arc;

use super::super::{
    Generation, Group, GroupDecision, GroupGround, GroupRefusal, GroupShard, MemberId, Transition,
};
use super::State;

/// Who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The group.
    pub group: Arc<str>,
    /// The member.
    pub member: MemberId,
    /// Its own name.
    pub instance: Option<Arc<str>>,
    /// The generation it is in.
    pub generation: Generation,
}

impl GroupShard {
    /// A member is there. The reply says whether it must join again.
    ///
    /// # Errors
    /// It is not in the group, or not in this generation.
    pub fn heartbeat(
        &self,
        ground: &GroupGround<'_>,
        beat: &Heartbeat,
    ) -> Result<GroupDecision<Result<(), GroupRefusal>>, GroupRefusal> {
        if beat.group.is_empty() {
            return Err(GroupRefusal::InvalidGroupId);
        }
        let group = match self.group(&beat.group) {
            Some(Group::Classic(group)) => group,
            Some(Group::Consumer(group)) => return self.heartbeat_consumers(ground, group, beat),
            Some(Group::Streams(_)) | None => return Err(GroupRefusal::UnknownMember),
        };
        let member = group.live.validate(&beat.member, beat.instance.as_deref())?;
        if beat.generation != group.live.generation {
            return Err(GroupRefusal::IllegalGeneration);
        }
        let told = match group.live.state {
            State::Empty => return Err(GroupRefusal::UnknownMember),
            State::PreparingRebalance => Err(GroupRefusal::RebalanceInProgress),
            State::CompletingRebalance | State::Stable => Ok(()),
        };
        let deadline = member.session_timeout.after(ground.now);
        let heard = Transition::ClassicHeard(beat.group.clone(), beat.member.clone(), deadline);
        Ok(GroupDecision::reply(told).transition(heard))
    }
}
