//! What the coordinator does by itself: it aborts transactions that ran out of time, forgets ids that nobody uses, and
//! completes what a coordinator before it left with nothing to mark.

use protocol::id::Timestamp;

use super::recorded::{Step, tombstone};
use super::{
    TransactionDecision, TransactionGround, TransactionRefusal, TransactionShard, TransactionalId, Transition,
};
use crate::group::Millis;
use crate::shard::Decision;

/// How many ids one decision takes on, so that it stays small.
const IDS_MAX: usize = 1000;
/// How long an id is let lie whose record is more than the log takes.
const PUT_OFF: Millis = Millis(60_000);

impl TransactionShard {
    /// Completes what has no marker to wait for.
    pub(super) fn complete_markless(
        &self,
        ground: &TransactionGround<'_>,
    ) -> Option<TransactionDecision<()>> {
        let mut decision = Decision::reply(());
        let markless: Vec<_> = self.schedule.markless(ground.now).take(IDS_MAX).collect();
        for id in &markless {
            let Some(entry) = self.entries.get(*id) else { continue };
            let to = entry.recorded.completed(ground.now);
            Self::add_step(&mut decision, ground, id, &Step { to, last_epoch: entry.last_epoch });
        }
        decision.divisible = true;
        decision.unwritten.push(self.put_off(ground, &markless));
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
        let (mut waiting, mut aborted) = (Vec::new(), Vec::new());
        for id in &late {
            let Some(entry) = self.entries.get(*id) else { continue };
            match entry.aborted_by_coordinator(ground, None) {
                Ok(step) => {
                    Self::add_step(&mut decision, ground, id, &step);
                    aborted.push(*id);
                }
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
        decision.unwritten.push(self.put_off(ground, &aborted));
        Some(decision)
    }

    /// Has the first of these be let lie that cannot be written.
    fn put_off(&self, ground: &TransactionGround<'_>, ids: &[&TransactionalId]) -> Transition {
        let known = ids.iter().filter_map(|id| Some(((*id).clone(), self.entries.get(*id)?.written_at)));
        Transition::PutOff(known.collect(), PUT_OFF.after(ground.now))
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
        let next = ground.config.expiry_interval.after(ground.now);
        if unused.len() < IDS_MAX {
            decision.transitions.push(Transition::ExpireAt(next));
        }
        decision.unwritten.push(Transition::ExpireAt(next));
        decision.divisible = true;
        Some(decision)
    }
}
