//! What happens to a consumer group because time passes: members that fall silent, or that do not give up, join or
//! fetch in time, are taken out; regular expressions are resolved.

use std::borrow::Cow;

use protocol::id::Timestamp;

use super::live::Deadlines;
use super::turn::Turn;
use super::{ConsumerGroup, MemberState, SoftChange};
use crate::group::{GroupDecision, GroupGround, GroupId, GroupShard, MemberId, Transition};

impl GroupShard {
    /// What is due for a group: one thing at a time.
    pub(in crate::group) fn wake_consumer(
        &self,
        ground: &GroupGround<'_>,
        id: &GroupId,
    ) -> Option<GroupDecision<()>> {
        let group = self.consumer_group(id)?;
        let mut turn = Turn::new(id.clone(), ground, Cow::Borrowed(group));
        if group.live.loaded_at.is_some() {
            turn.count_from_now();
        } else if let Some(member) = turn.overdue() {
            let member = std::slice::from_ref(&member);
            // Whoever is left may be waiting for what it had: a group that cannot become a classic one goes on as it is.
            if turn.fence(member).is_err() {
                turn.take_out(member);
            }
        } else if group.live.regexes_due.is_some_and(|at| at <= ground.now) {
            return Some(group.resolve_regexes(ground, id));
        } else {
            turn.sleep();
        }
        let becomes_classic = turn.becomes.is_some();
        let decision = turn.decision(());
        // A classic group is one record, which may be more than the log takes: the group goes on as what it is.
        let stays = Transition::Consumer(id.clone(), SoftChange::StaysAsItIs);
        Some(if becomes_classic { decision.or_unwritten(stays) } else { decision })
    }
}

impl Turn<'_> {
    /// Gives the members of a group that was just loaded a session to be heard of.
    fn count_from_now(&mut self) {
        let group: &ConsumerGroup = &self.group;
        let mut changes = vec![SoftChange::Counted];
        for (id, member) in &group.members {
            let known = group.live.of(id);
            if known.session.is_none() {
                let until = self.settings.session_timeout.after(self.ground.now);
                changes.push(SoftChange::Session(id.clone(), until));
            }
            if known.rebalance.is_none() && member.state == MemberState::UnrevokedPartitions {
                let until = member.rebalance_timeout.after(self.ground.now);
                changes.push(SoftChange::Rebalance(id.clone(), Some((until, member.epoch))));
            }
        }
        self.changes.extend(changes);
    }

    /// A member that was waited for in vain.
    fn overdue(&self) -> Option<MemberId> {
        let group: &ConsumerGroup = &self.group;
        let overdue = |id: &MemberId, until: &Deadlines| {
            let past = |at: Option<Timestamp>| at.is_some_and(|at| at <= self.ground.now);
            let Some(member) = group.members.get(id) else { return false };
            let stuck = until.rebalance.filter(|(_, epoch)| *epoch == member.epoch).map(|(at, _)| at);
            past(until.session) || past(until.join) || past(until.sync) || past(stuck)
        };
        group.live.deadlines.iter().find(|(id, until)| overdue(id, until)).map(|(id, _)| id.clone())
    }

    /// Nothing is due any more: forgets deadlines that mean nobody, and sleeps until the next one.
    fn sleep(&mut self) {
        let group: &ConsumerGroup = &self.group;
        let mut changes = Vec::new();
        for (id, until) in &group.live.deadlines {
            if !group.members.contains_key(id) {
                changes.push(SoftChange::Gone(id.clone()));
            } else if until.rebalance.is_some_and(|(at, _)| at <= self.ground.now) {
                // It has moved on from the epoch that it was to leave.
                changes.push(SoftChange::Rebalance(id.clone(), None));
            }
        }
        changes.push(SoftChange::Woken);
        self.changes.extend(changes);
    }
}
