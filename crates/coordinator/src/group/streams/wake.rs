//! What happens to a streams group because time passes: members that fall silent, or that do not give up in time, are
//! taken out, and a group that waited for more members assigns.

use protocol::id::Timestamp;

use super::live::Deadlines;
use super::turn::Turn;
use super::{MemberState, StreamsChange};
use crate::group::{GroupDecision, GroupGround, GroupId, GroupShard, MemberId, Transition};

impl GroupShard {
    /// What is due for a group: one thing at a time.
    pub(in crate::group) fn wake_streams(
        &self,
        ground: &GroupGround<'_>,
        id: &GroupId,
    ) -> Option<GroupDecision<()>> {
        let group = self.streams_group(id)?;
        let mut turn = Turn::new(id.clone(), ground, Some(group));
        if group.live.loaded_at.is_some() {
            turn.count_from_now();
        } else if let Some(member) = turn.overdue() {
            turn.fence(&member);
        } else if group.live.initial_delay.is_some_and(|at| at <= ground.now) {
            turn.end_delay();
            // The assignment may be more than the log takes: who asks next hears so.
            let ended = Transition::Streams(id.clone(), StreamsChange::InitialDelay(None));
            return Some(turn.decision(()).or_unwritten(ended));
        } else {
            turn.sleep();
        }
        Some(turn.decision(()))
    }
}

impl Turn<'_> {
    /// Gives the members of a group that was just loaded a session to be heard of.
    fn count_from_now(&mut self) {
        let mut changes = vec![StreamsChange::Counted];
        for (id, member) in &self.group.members {
            let known = self.group.live.of(id);
            if known.session.is_none() {
                let until = self.settings.session_timeout.after(self.ground.now);
                changes.push(StreamsChange::Session(id.clone(), until));
            }
            if known.rebalance.is_none() && member.state == MemberState::UnrevokedTasks {
                let until = member.rebalance_timeout.after(self.ground.now);
                changes.push(StreamsChange::Rebalance(id.clone(), Some((until, member.epoch))));
            }
        }
        self.changes.extend(changes);
    }

    /// A member that was waited for in vain.
    fn overdue(&self) -> Option<MemberId> {
        let overdue = |id: &MemberId, until: &Deadlines| {
            let past = |at: Option<Timestamp>| at.is_some_and(|at| at <= self.ground.now);
            let Some(member) = self.group.members.get(id) else { return false };
            let stuck = until.rebalance.filter(|(_, epoch)| *epoch == member.epoch).map(|(at, _)| at);
            past(until.session) || past(stuck)
        };
        self.group.live.deadlines.iter().find(|(id, until)| overdue(id, until)).map(|(id, _)| id.clone())
    }

    /// The first assignment has waited for long enough.
    fn end_delay(&mut self) {
        self.changes.push(StreamsChange::InitialDelay(None));
        let (epoch, configured) = (self.group.epochs.epoch, self.group.live.configured.clone());
        let behind = !self.group.is_empty() && epoch > self.group.target_epoch && self.may_assign();
        // Where the topics have not been looked at yet the next heartbeat does that, and assigns.
        if let Some(configured) = configured.filter(|_| behind) {
            let configs = self.group.epochs.assignment_configs.clone();
            self.assign(None, epoch, &configured, &configs);
        }
    }

    /// Nothing is due any more: forgets deadlines that mean nobody, and sleeps until the next one.
    fn sleep(&mut self) {
        let mut changes = Vec::new();
        for (id, until) in &self.group.live.deadlines {
            if !self.group.members.contains_key(id) {
                changes.push(StreamsChange::Gone(id.clone()));
            } else if until.rebalance.is_some_and(|(at, _)| at <= self.ground.now) {
                // It has moved on from the epoch that it was to leave.
                changes.push(StreamsChange::Rebalance(id.clone(), None));
            }
        }
        changes.push(StreamsChange::Woken);
        self.changes.extend(changes);
    }
}
