//! Transactions, and who may write under which transactional id: one shard for each partition of
//! `__transaction_state` (KIP-98, KIP-890, KIP-939).
//!
//! A transaction is Ongoing, then its end is recorded as Prepare* and from there nothing but time lies between it and
//! Complete*: markers are due for every partition recorded until each was appended or its topic is gone, after every
//! load anew. For how a request is judged see the file named after it. The shard writes no markers and makes up no
//! producer ids: the broker does, and says so.

mod add;
pub mod config;
mod describe;
mod end;
mod init;
mod list;
mod markers;
pub mod record;
mod recorded;
pub mod refusal;
mod schedule;
mod state;
mod wake;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::id::{PartitionIndex, ProducerEpoch, ProducerId, Timestamp};
use protocol::offset::Offset;

pub use config::TransactionConfig;
pub use describe::Described;
pub use end::EndTransaction;
pub use init::{InitProducerId, Initialized};
pub use list::{ListFilter, Listed};
pub use markers::{Ending, MarkerOutcome};
pub use record::TransactionRecord;
pub use recorded::{ClientVersion, Recorded};
pub use refusal::TransactionRefusal;
pub use state::TransactionState;

use self::recorded::Step;
use self::schedule::Schedule;
use crate::record::RecordError;
use crate::shard::{Decision, Ground, Shard, Written};

/// What a client calls its transactions.
pub type TransactionalId = Arc<str>;
/// What a decision about transactions is.
pub type TransactionDecision<R> = Decision<'static, TransactionShard, R>;
/// What a decision about transactions rests on.
pub type TransactionGround<'a> = Ground<'a, TransactionConfig>;

/// One incarnation of a producer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Producer {
    /// Who.
    pub id: ProducerId,
    /// Which incarnation; a newer one fences the older.
    pub epoch: ProducerEpoch,
}

/// A partition that a transaction writes to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TxnPartition {
    /// Its topic, by name, as Kafka's records have it.
    pub topic: Arc<str>,
    /// Which of the topic's.
    pub index: PartitionIndex,
}

/// A transactional id.
#[derive(Clone, Debug)]
struct Entry {
    recorded: Recorded,
    /// Where the record stands that says so.
    written_at: Offset,
    /// The epoch that the producer had before; none after a load, as in Kafka.
    last_epoch: ProducerEpoch,
    /// The partitions whose markers are written.
    marked: BTreeSet<TxnPartition>,
}

/// The transactional ids of one partition of `__transaction_state`.
#[derive(Clone, Debug, Default)]
pub struct TransactionShard {
    entries: BTreeMap<TransactionalId, Entry>,
    schedule: Schedule,
}

/// A change of what is in memory only.
#[derive(Clone, Debug)]
pub enum Transition {
    /// The epoch that the producer had before.
    LastEpoch(TransactionalId, ProducerEpoch),
    /// Markers of the transaction that was prepared at this offset are written.
    Marked(TransactionalId, Offset, Vec<TxnPartition>),
    /// These have run out of time and cannot be aborted without a fresh producer id.
    Overdue(Vec<TransactionalId>),
    /// The first of these whose record is what it was is let lie until this time: its next one is more than the log
    /// takes.
    PutOff(Vec<(TransactionalId, Offset)>, Timestamp),
    /// Transactions that ran out of time are looked for at this time at the earliest.
    AbortAt(Timestamp),
    /// Ids that were not used are looked for at this time.
    ExpireAt(Timestamp),
}

impl TransactionShard {
    /// What is recorded of a transactional id.
    pub fn recorded(&self, id: &str) -> Option<&Recorded> {
        self.entries.get(id).map(|entry| &entry.recorded)
    }

    /// The durable half: what is recorded, and where.
    pub fn durable(&self) -> BTreeMap<&str, (&Recorded, Offset)> {
        self.entries.iter().map(|(id, entry)| (&**id, (&entry.recorded, entry.written_at))).collect()
    }

    /// How many transactional ids are at each state, by its number.
    pub fn counts(&self) -> [usize; TransactionState::ALL.len()] {
        let mut counts = [0; TransactionState::ALL.len()];
        for entry in self.entries.values() {
            counts[entry.recorded.state as usize] += 1;
        }
        counts
    }

    /// The entry of an id that a request names.
    fn entry(&self, id: &str) -> Result<(&TransactionalId, &Entry), TransactionRefusal> {
        if id.is_empty() {
            return Err(TransactionRefusal::InvalidId);
        }
        self.entries.get_key_value(id).ok_or(TransactionRefusal::UnknownProducer)
    }

    /// The decision to record this.
    fn record<R>(
        ground: &TransactionGround<'_>,
        id: &TransactionalId,
        step: &Step,
        reply: R,
    ) -> TransactionDecision<R> {
        let mut decision = Decision::reply(reply);
        Self::add_step(&mut decision, ground, id, step);
        decision
    }

    /// Has a decision record this, too. What ends without a partition to mark is complete at once.
    fn add_step<R>(
        decision: &mut TransactionDecision<R>,
        ground: &TransactionGround<'_>,
        id: &TransactionalId,
        step: &Step,
    ) {
        let finalised = ClientVersion::finalised(ground.image);
        decision.records.push(step.to.record(id, finalised));
        if step.to.state.is_ending() && step.to.partitions.is_empty() {
            decision.records.push(step.to.completed(ground.now).record(id, finalised));
        }
        if step.last_epoch != ProducerEpoch::NONE {
            decision.transitions.push(Transition::LastEpoch(id.clone(), step.last_epoch));
        }
    }

    /// Whether what stands at this offset is the last that is recorded of an id.
    fn stands_at(&self, id: &str, offset: Offset) -> bool {
        self.entries.get(id).is_some_and(|entry| entry.written_at == offset)
    }

    fn forget(&mut self, id: &str) {
        if let Some((id, entry)) = self.entries.remove_entry(id) {
            self.schedule.take_out(&id, &entry.recorded);
        }
    }
}

impl Shard for TransactionShard {
    type Record<'a> = TransactionRecord<'a>;
    type Transition = Transition;
    type Answer = ();
    type Config = TransactionConfig;
    type Refusal = TransactionRefusal;

    fn decode<'a>(
        key: &'a [u8],
        value: Option<&'a [u8]>,
    ) -> Result<Option<TransactionRecord<'a>>, RecordError> {
        TransactionRecord::decode(key, value)
    }

    fn encode(
        record: &TransactionRecord<'_>,
        key: &mut Vec<u8>,
        value: &mut Vec<u8>,
    ) -> Result<bool, RecordError> {
        record.encode(key, value)
    }

    fn replay(&mut self, written: Written, record: &TransactionRecord<'_>) {
        let id = &*record.key.transactional_id;
        let Some(value) = &record.value else { return self.forget(id) };
        let Some(recorded) = Recorded::read(value) else { return };
        let id = match self.entries.remove_entry(id) {
            Some((id, before)) => {
                self.schedule.take_out(&id, &before.recorded);
                id
            }
            None => id.into(),
        };
        self.schedule.put_in(&id, &recorded);
        let (last_epoch, marked) = (ProducerEpoch::NONE, BTreeSet::new());
        self.entries.insert(id, Entry { recorded, written_at: written.offset, last_epoch, marked });
    }

    /// No transaction writes to this log.
    fn replay_end(&mut self, _: Offset, _: ProducerId, _: bool) {}

    fn transit(&mut self, transition: Transition) {
        match transition {
            Transition::LastEpoch(id, epoch) => {
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.last_epoch = epoch;
                }
            }
            Transition::Marked(id, prepared_at, partitions) => {
                if let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.written_at == prepared_at)
                {
                    entry.marked.extend(partitions);
                }
            }
            Transition::Overdue(ids) => self.schedule.overdue(ids),
            Transition::PutOff(ids, until) => {
                let mut ids = ids.into_iter();
                // Those before it were written.
                if let Some((id, _)) = ids.find(|(id, at)| self.stands_at(id, *at)) {
                    self.schedule.put_off(id, until);
                }
            }
            Transition::AbortAt(at) => self.schedule.abort_at = at,
            Transition::ExpireAt(at) => self.schedule.expire_at = at,
        }
    }

    fn loaded(&mut self, now: Timestamp, config: &TransactionConfig) {
        self.schedule.abort_at = config.abort_interval.after(now);
        self.schedule.expire_at = config.expiry_interval.after(now);
    }

    fn wake_at(&self) -> Option<Timestamp> {
        self.schedule.wake_at()
    }

    fn wake(&self, ground: &TransactionGround<'_>) -> Option<TransactionDecision<()>> {
        self.complete_markless(ground)
            .or_else(|| self.abort_timed_out(ground))
            .or_else(|| self.expire(ground))
    }
}
