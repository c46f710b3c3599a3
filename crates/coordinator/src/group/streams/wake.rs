//! What happens to a streams group because time passes: members that fall silent, or that do not give up in time, are
//! taken out, and a group that waited for more members assigns.

use super::StreamsChange;
use super::turn::Turn;
use crate::group::modern::ModernMember as _;
use crate::group::{GroupDecision, GroupGround, GroupId, GroupShard, Transition};

impl GroupShard {
    /// What is due for a group: one thing at a time.
    pub(in crate::group) fn wake_streams(
        &self,
        ground: &GroupGround<'_>,
        id: &GroupId,
    ) -> Option<GroupDecision<()>> {
        let group = self.streams_group(id)?;
        let mut turn = Turn::new(id.clone(), ground, Some(group));
        let waits = &group.live.waits;
        if waits.are_uncounted() {
            let members = group.members.by_id().iter().map(|(id, member)| (id, member.waited()));
            turn.wait(waits.counted(ground.now, turn.settings.session_timeout, members));
        } else if let Some(member) = waits.overdue(ground.now, |id| Some(group.members.get(id)?.waited())) {
            turn.fence(&member);
        } else if group.live.initial_delay.is_some_and(|at| at <= ground.now) {
            turn.end_delay();
            // The assignment may be more than the log takes: who asks next hears so.
            let ended = Transition::Streams(id.clone(), StreamsChange::InitialDelay(None));
            return Some(turn.decision(()).or_unwritten(ended));
        } else {
            turn.wait(waits.stale(ground.now, |id| group.members.by_id().contains_key(id)));
            turn.changes.push(StreamsChange::Woken);
        }
        Some(turn.decision(()))
    }
}

impl Turn<'_> {
    /// The first assignment has waited for long enough.
    fn end_delay(&mut self) {
        self.changes.push(StreamsChange::InitialDelay(None));
        let (epoch, configured) = (self.group.epochs.epoch, self.group.live.configured.clone());
        let behind = !self.group.is_empty() && epoch > self.group.target.epoch() && self.may_assign();
        // Where the topics have not been looked at yet the next heartbeat does that, and assigns.
        if let Some(configured) = configured.filter(|_| behind) {
            let configs = self.group.epochs.assignment_configs.clone();
            self.assign(None, epoch, &configured, &configs);
        }
    }
}
