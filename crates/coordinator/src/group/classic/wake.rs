//! What happens to a classic group because time passes: members fall silent, and rebalances do not wait for ever.

use protocol::id::Timestamp;

use super::super::{Group, GroupDecision, GroupGround, GroupId, GroupShard, MemberId};
use super::State;
use super::live::JoinPhase;
use super::turn::Turn;

impl GroupShard {
    /// What is due for a group.
    pub(in crate::group) fn wake_classic(
        &self,
        ground: &GroupGround<'_>,
        id: &GroupId,
    ) -> Option<GroupDecision<()>> {
        let Some(Group::Classic(group)) = self.group(id) else { return None };
        let mut turn = Turn::new(id.clone(), group.live.clone(), ground.now, ground.config);
        turn.expire_silent();
        turn.end_join_phase();
        turn.end_sync_phase();
        Some(turn.decision(Some(())))
    }
}

impl Turn<'_> {
    /// Takes out who was not heard of for a session. Who waits for an answer need not be heard of, unless it does
    /// not know its id yet.
    fn expire_silent(&mut self) {
        let now = self.now;
        let due = |deadline: Option<Timestamp>| deadline.is_some_and(|deadline| deadline <= now);
        let mut silent = Vec::new();
        let overdue = self.live.members.iter().filter(|(_, member)| due(member.deadline));
        let overdue: Vec<MemberId> = overdue.map(|(id, _)| id.clone()).collect();
        for id in overdue {
            let stays = self.live.members.change(&id, |member| {
                member.deadline = None;
                !member.is_new && (member.joins.is_some() || member.syncs.is_some())
            });
            if stays == Some(false) {
                silent.push(id);
            }
        }
        let lapsed = self.live.promised.lapse(now);
        for id in &silent {
            self.remove(id);
        }
        self.live.members.find_due();
        match self.live.state {
            State::Stable | State::CompletingRebalance if !silent.is_empty() => self.prepare_rebalance(),
            State::PreparingRebalance if lapsed || !silent.is_empty() => {
                self.complete_if_all_joined();
            }
            _ => {}
        }
    }

    /// Goes on without who has not joined.
    fn end_join_phase(&mut self) {
        let Some(phase) = self.live.join_phase.filter(|phase| phase.until() <= self.now) else { return };
        match phase {
            JoinPhase::Initial { delay, remaining, .. } if self.live.newcomers && remaining.0 > 0 => {
                // Somebody new has come: others may follow.
                self.live.newcomers = false;
                let next = self.config.initial_delay.at_most(remaining);
                let remaining = remaining.less(delay);
                self.live.join_phase =
                    Some(JoinPhase::Initial { until: next.after(self.now), delay: next, remaining });
            }
            JoinPhase::Initial { .. } | JoinPhase::Rebalance { .. } => self.complete_join(),
        }
    }

    /// Goes on without who has not asked for its part, or with another leader where that is who is missing.
    fn end_sync_phase(&mut self) {
        if self.live.sync_until.is_none_or(|until| until > self.now) {
            return;
        }
        self.live.sync_until = None;
        let missing: Vec<MemberId> = self.live.unsynced.keys().cloned().collect();
        if missing.is_empty() {
            return;
        }
        for id in &missing {
            self.remove(id);
        }
        self.prepare_rebalance();
    }
}
