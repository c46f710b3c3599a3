//! A member leaves: for good, or, if it has a name of its own, for a while. One that is not heard of in time is taken
//! out alike.

use std::sync::Arc;

use protocol::id::Timestamp;

use super::answer::StreamsAnswer;
use super::heartbeat::StreamsHeartbeat;
use super::turn::Turn;
use super::{Epoch, Member, StreamsChange, recorded};
use crate::group::modern::WaitChange;
use crate::group::{GroupDecision, GroupGround, GroupRefusal, GroupShard, MemberId, Millis};

impl GroupShard {
    pub(super) fn streams_leaves(
        &self,
        ground: &GroupGround<'_>,
        beat: &StreamsHeartbeat,
    ) -> Result<GroupDecision<StreamsAnswer>, GroupRefusal> {
        let group = self.streams_group(&beat.group).ok_or(GroupRefusal::GroupIdNotFound)?;
        let (id, member) = group.members.who(&beat.member, beat.instance.as_deref())?;
        let mut turn = Turn::new(beat.group.clone(), ground, Some(group));
        if beat.shutdown && group.live.shutdown.is_none() {
            turn.changes.push(StreamsChange::Shutdown(Some(id.clone())));
        }
        if beat.instance.is_some() && beat.epoch == Epoch::AWAY {
            turn.records.push(recorded::current(&turn.id, id, &away(member)));
        } else {
            turn.fence(id);
        }
        let answer = StreamsAnswer {
            member: id.clone(),
            epoch: beat.epoch,
            interval: Millis(0),
            task_offset_interval: Millis(0),
            acceptable_recovery_lag: None,
            statuses: Vec::new(),
            tasks: None,
            endpoint_epoch: 0,
            endpoints: None,
            missing_topics: Vec::new(),
        };
        Ok(turn.decision(answer))
    }
}

/// A static member that has gone for a while: what it has stays its own, and it gives nothing up any more.
fn away(member: &Member) -> Member {
    let assigned = Arc::new(member.assigned.without_epochs());
    Member { epoch: Epoch::AWAY, assigned, revoking: Arc::default(), ..member.clone() }
}

impl Turn<'_> {
    /// Takes a member out.
    pub(super) fn fence(&mut self, id: &MemberId) {
        self.records.extend(recorded::without_member(&self.id, id));
        let epoch = self.bump(|_| {});
        if self.group.members.by_id().len() == 1 {
            // Nobody is left to assign to; whoever comes next is assigned to at once, and has not been asked to end.
            self.records.push(recorded::target_epoch(&self.id, epoch, Timestamp(0)));
            self.changes.push(StreamsChange::Shutdown(None));
        }
        self.changes.push(WaitChange::Gone(id.clone()).into());
    }
}
