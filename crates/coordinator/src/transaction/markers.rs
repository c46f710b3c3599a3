//! Markers: what has to be written to the partitions of a transaction whose end is decided, and what has been.
//!
//! A partition leaves the set only when its marker was appended or it is gone by the metadata, whatever leaders are
//! known; which of them were marked is not recorded, so after a load all of them are due again. Writing a marker twice
//! does no harm, writing none would make aborted records count with the producer's next commit.

use std::collections::BTreeSet;

use protocol::id::ProducerId;
use protocol::offset::Offset;

use super::recorded::Step;
use super::{
    ClientVersion, Entry, Producer, TransactionDecision, TransactionGround, TransactionRefusal,
    TransactionShard, TransactionState, TransactionalId, Transition, TxnPartition,
};
use crate::shard::Decision;

/// A transaction whose end is decided, with what is left to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ending {
    /// Whose.
    pub id: TransactionalId,
    /// Where that was recorded; tells this end from the one before and the next.
    pub prepared_at: Offset,
    /// The producer whose markers they are.
    pub producer: Producer,
    /// How it ends.
    pub committed: bool,
    /// The rules under which it ends.
    pub client: ClientVersion,
    /// The partitions that have no marker yet.
    pub partitions: Vec<TxnPartition>,
}

/// What became of a marker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MarkerOutcome {
    /// It is in the log, and committed there.
    Appended,
    /// The partition is not there any more. Counts only if the metadata says so too.
    Gone,
}

impl TransactionShard {
    /// The transactions whose end is decided and not complete.
    pub fn ending_ids(&self) -> impl Iterator<Item = &TransactionalId> {
        self.schedule.ending()
    }

    /// The end of this transaction, if it is decided and not complete.
    pub fn ending(&self, id: &str) -> Option<Ending> {
        let (id, entry) = self.entries.get_key_value(id)?;
        let recorded = &entry.recorded;
        recorded.state.is_ending().then(|| Ending {
            id: id.clone(),
            prepared_at: entry.written_at,
            producer: recorded.producer,
            committed: recorded.state == TransactionState::PrepareCommit,
            client: recorded.client,
            partitions: entry.unmarked().cloned().collect(),
        })
    }

    /// Takes note of markers. With the last of them the transaction is complete. What is said of another end than
    /// the one that is going on is passed over.
    pub fn markers_written(
        &self,
        ground: &TransactionGround<'_>,
        id: &str,
        prepared_at: Offset,
        outcomes: &[(TxnPartition, MarkerOutcome)],
    ) -> TransactionDecision<()> {
        let mut decision = Decision::reply(());
        let known = self.entries.get_key_value(id).filter(|(_, entry)| entry.written_at == prepared_at);
        let Some((id, entry)) = known.filter(|(_, entry)| entry.recorded.state.is_ending()) else {
            return decision;
        };
        let done = outcomes.iter().filter(|(partition, outcome)| match outcome {
            MarkerOutcome::Appended => true,
            MarkerOutcome::Gone => is_gone(ground, partition),
        });
        let done = done.map(|(partition, _)| partition.clone()).collect();
        Self::mark(&mut decision, ground, (id, entry), done);
        decision
    }

    /// Takes note of partitions that are gone, for all transactions whose end is decided.
    pub fn gone(&self, ground: &TransactionGround<'_>) -> Option<TransactionDecision<()>> {
        let mut decision = Decision::reply(());
        for id in self.schedule.ending() {
            let Some(entry) = self.entries.get(id) else { continue };
            let gone: Vec<_> =
                entry.unmarked().filter(|partition| is_gone(ground, partition)).cloned().collect();
            if !gone.is_empty() {
                Self::mark(&mut decision, ground, (id, entry), gone);
            }
        }
        decision.divisible = true;
        (!decision.records.is_empty() || !decision.transitions.is_empty()).then_some(decision)
    }

    /// The transactions that ran out of time and cannot be aborted without a fresh producer id.
    pub fn overdue(&self) -> Vec<TransactionalId> {
        self.schedule.waiting_for_id().cloned().collect()
    }

    /// Aborts one of those, unless it has ended meanwhile.
    ///
    /// # Errors
    /// The id is gone.
    pub fn abort_overdue(
        &self,
        ground: &TransactionGround<'_>,
        id: &str,
        fresh: ProducerId,
    ) -> Result<TransactionDecision<()>, TransactionRefusal> {
        let (id, entry) = self.entry(id)?;
        if entry.recorded.deadline().is_none_or(|deadline| deadline >= ground.now) {
            return Ok(Decision::reply(()));
        }
        let step = entry.aborted_by_coordinator(ground, Some(fresh))?;
        Ok(Self::record(ground, id, &step, ()))
    }

    fn mark(
        decision: &mut TransactionDecision<()>,
        ground: &TransactionGround<'_>,
        (id, entry): (&TransactionalId, &Entry),
        done: Vec<TxnPartition>,
    ) {
        let marked: BTreeSet<&TxnPartition> = done.iter().collect();
        if entry.unmarked().all(|partition| marked.contains(partition)) {
            let to = entry.recorded.completed(ground.now);
            Self::add_step(decision, ground, id, &Step { to, last_epoch: entry.last_epoch });
        } else {
            decision.transitions.push(Transition::Marked(id.clone(), entry.written_at, done));
        }
    }
}

impl Entry {
    /// The partitions that have no marker yet.
    pub(super) fn unmarked(&self) -> impl Iterator<Item = &TxnPartition> {
        self.recorded.partitions.iter().filter(|partition| !self.marked.contains(*partition))
    }
}

/// Whether the metadata has no such partition.
fn is_gone(ground: &TransactionGround<'_>, partition: &TxnPartition) -> bool {
    let topic = ground.image.topics.by_name(&partition.topic);
    topic.is_none_or(|topic| topic.partition(partition.index).is_none())
}
