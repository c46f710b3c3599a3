//! A member leaves: for good, or, if it has a name of its own, for a while.

use std::borrow::Cow;
use std::sync::Arc;

use super::turn::Turn;
use super::{ConsumerHeartbeat, Epoch, HeartbeatAnswer, Held, Member, recorded};
use crate::group::{GroupDecision, GroupGround, GroupRefusal, GroupShard, Millis};

impl GroupShard {
    pub(super) fn consumer_leaves(
        &self,
        ground: &GroupGround<'_>,
        beat: &ConsumerHeartbeat,
    ) -> Result<GroupDecision<HeartbeatAnswer>, GroupRefusal> {
        let group = self.consumer_group(&beat.group).ok_or(GroupRefusal::GroupIdNotFound)?;
        let (id, member) = group.members.who(&beat.member, beat.instance.as_deref())?;
        let mut turn = Turn::new(beat.group.clone(), ground, Cow::Borrowed(group));
        if beat.instance.is_some() && beat.epoch == Epoch::AWAY {
            let away = away(member);
            turn.records.push(recorded::current(&turn.id, id, &away));
        } else {
            turn.fence(std::slice::from_ref(id))?;
        }
        let (member, epoch) = (id.clone(), beat.epoch);
        Ok(turn.decision(HeartbeatAnswer { member, epoch, interval: Millis(0), assignment: None }))
    }
}

/// A static member that has gone for a while: what it has stays its own, and it gives nothing up any more.
fn away(member: &Member) -> Member {
    let mut assigned = Held::clone(&member.assigned);
    for epoch in assigned.values_mut().flat_map(|held| held.values_mut()) {
        *epoch = Epoch(0);
    }
    Member { epoch: Epoch::AWAY, assigned: Arc::new(assigned), revoking: Arc::default(), ..member.clone() }
}
