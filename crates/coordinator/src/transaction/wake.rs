//! What the coordinator does by itself: it aborts transactions that ran out of time, forgets ids that nobody uses, and
//! completes what a coordinator before it left with nothing to mark.

use protocol::id::Timestamp;

use super::recorded::{Step, tombstone};
use super::{TransactionDecision, TransactionGround, TransactionRefusal, TransactionShard, Transition};
use crate::shard::Decision;

/// How many ids one decision takes on, so that it stays small.
const IDS_MAX: usize = 1000;

impl TransactionShard {
    /// Completes what has no marker to wait for.
    pub(super) fn complete_markless(
        &self,
        ground: &TransactionGround<'_>,
    ) -> Option<TransactionDecision<()>> {
        let mut decision = Decision::reply(());
        for id in self.schedule.markless().take(IDS_MAX) {
            let Some(entry) = self.entries.get(id) else { continue };
            let to = entry.recorded.completed(ground.now);
            Self::add_step(&mut decision, ground, id, &Step { to, last_epoch: entry.last_epoch });
        }
        decision.divisible = true;
        (!decision.records.is_empty()).then_some(decision)
    }

    /// Aborts transactions that ran out of time and fences their producers, no more often than the configuration
    /// says.
    pub(super) fn abort_timed_out(&self, ground: &TransactionGround<'_>) -> Option<TransactionDecision<()>> {
        if ground.now < self.schedule.abort_at {
            return None;
        }
        let late: Vec<_> = self.schedule.timed_out(ground.now).take(IDS_MAX).collect();
        if late.is_empty() {
            return None;
        }
        let mut decision = Decision::reply(());
        let mut waiting = Vec::new();
        for id in &late {
            let Some(entry) = self.entries.get(*id) else { continue };
            match entry.aborted_by_coordinator(ground, None) {
                Ok(step) => Self::add_step(&mut decision, ground, id, &step),
                Err(TransactionRefusal::FreshProducerIdWanted) => waiting.push((*id).clone()),
                Err(_) => {}
            }
        }
        if !waiting.is_empty() {
            decision.transitions.push(Transition::Overdue(waiting));
        }
        if late.len() < IDS_MAX {
            let next = ground.config.abort_interval.after(ground.now);
            decision.transitions.push(Transition::AbortAt(next));
        }
        decision.divisible = true;
        Some(decision)
    }

    /// Forgets ids that were not used for long.
    pub(super) fn expire(&self, ground: &TransactionGround<'_>) -> Option<TransactionDecision<()>> {
        if ground.now < self.schedule.expire_at {
            return None;
        }
        let since = Timestamp(ground.now.0.saturating_sub(ground.config.id_expiration.0));
        let unused: Vec<_> = self.schedule.unused_since(since).take(IDS_MAX).collect();
        let mut decision = Decision::reply(());
        decision.records = unused.iter().map(|id| tombstone(id)).collect();
        if unused.len() < IDS_MAX {
            let next = ground.config.expiry_interval.after(ground.now);
            decision.transitions.push(Transition::ExpireAt(next));
        }
        decision.divisible = true;
        Some(decision)
    }
}
