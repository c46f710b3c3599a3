//! Which batches and records a cleaning keeps.
//!
//! | a record | stays |
//! |---|---|
//! | of an aborted transaction | never |
//! | behind the end of the map | always |
//! | without a key | never |
//! | not the last of its key | never |
//! | with a value | always |
//! | without one: a tombstone | until the delete horizon of its batch, which the first cleaning that meets it sets |
//!
//! A marker stays while anything is left of its transaction, and then until a delete horizon of its own. Keys of
//! control records are not looked at (KAFKA-14055). The last batch of each active producer stays, empty if need be,
//! with its sequence and epoch (KAFKA-5490), and so does one that ends at the high watermark, with its offset.

use std::collections::BTreeMap;

use protocol::id::{ProducerEpoch, ProducerId, Timestamp};
use protocol::offset::{LastOffset, Offset};

use super::offset_map::OffsetMap;
use super::transactions::CleanedTransactions;
use crate::producers::Producers;
use crate::rules::Millis;
use crate::transactions::AbortedTransaction;

/// What a control batch says, as far as a cleaning asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Control {
    /// A transaction was aborted.
    Abort,
    /// A transaction was committed.
    Commit,
    /// Something else.
    Other,
    /// Nothing any more: its record went in an earlier cleaning.
    Empty,
}

/// What decides of one batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchSubject {
    /// Its last offset.
    pub last_offset: LastOffset,
    /// Its producer, or `ProducerId::NONE`.
    pub producer_id: ProducerId,
    /// The producer's incarnation.
    pub producer_epoch: ProducerEpoch,
    /// Whether it belongs to a transaction.
    pub transactional: bool,
    /// What it says, if it is a control batch.
    pub control: Option<Control>,
    /// Until when its tombstones and markers stay at least, if a cleaning has met them before.
    pub delete_horizon: Option<Timestamp>,
    /// Whether it is of format v0 or v1, which have no delete horizon.
    pub legacy: bool,
}

/// The last that is known of an active producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastOfProducer {
    /// The last record of its last batch of data; `None` where only a marker is left.
    pub data: Option<LastOffset>,
    /// Its epoch.
    pub epoch: ProducerEpoch,
}

impl LastOfProducer {
    /// Of every active producer.
    pub fn all(producers: &Producers) -> BTreeMap<ProducerId, Self> {
        let last = producers.iter().map(|(id, state)| {
            let data = state.batches().last().map(|batch| batch.last_offset);
            (id, Self { data, epoch: state.producer_epoch })
        });
        last.collect()
    }

    fn is(&self, batch: &BatchSubject) -> bool {
        match self.data {
            Some(last) => batch.last_offset == last,
            None => batch.control.is_some() && batch.producer_epoch == self.epoch,
        }
    }
}

/// What becomes of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// None of its records stay.
    pub drop_records: bool,
    /// The batch stays even if none of its records do.
    pub keep_empty: bool,
    /// It is a marker with nothing left of its transaction: if it stays it gets a delete horizon.
    pub spent_marker: bool,
    /// What belongs into the new transaction index.
    pub aborted: Option<AbortedTransaction>,
}

impl Verdict {
    /// Whether nothing of the batch stays, so that nobody need look at its records.
    pub fn drops_all(&self) -> bool {
        self.drop_records && !self.keep_empty
    }
}

/// One cleaning of one log, on its second way through.
pub struct Pass<'a> {
    /// Of each key in the dirty part the last offset.
    pub map: &'a OffsetMap,
    /// The last of each active producer.
    pub producers: &'a BTreeMap<ProducerId, LastOfProducer>,
    /// The high watermark: a batch that ends there may be the last of the log.
    pub high_watermark: Offset,
    /// When the cleaning began.
    pub now: Timestamp,
    /// `delete.retention.ms`.
    pub delete_retention: Millis,
    /// Whether tombstones of formats v0 and v1 stay in the segment at hand.
    pub keep_legacy_tombstones: bool,
}

impl Pass<'_> {
    /// Judges a batch. Batches are to be shown in the order of the log, each once.
    pub fn judge(&self, batch: &BatchSubject, transactions: &mut CleanedTransactions) -> Verdict {
        let (drop_records, spent_marker, aborted) = match batch.control {
            Some(control) => {
                let (spent, aborted) =
                    transactions.meet_control(batch.last_offset, batch.producer_id, control);
                let expired = batch.delete_horizon.is_some_and(|horizon| horizon <= self.now);
                (spent && expired, spent, aborted)
            }
            None => {
                let (last, id) = (batch.last_offset, batch.producer_id);
                (transactions.meet_data(last, id, batch.transactional), false, None)
            }
        };
        let last_of_producer = self.producers.get(&batch.producer_id).is_some_and(|last| last.is(batch));
        let last_of_all = batch.last_offset.next() == self.high_watermark;
        Verdict { drop_records, keep_empty: last_of_producer || last_of_all, spent_marker, aborted }
    }

    /// Whether a record of a judged batch stays.
    pub fn keeps(
        &self,
        (batch, verdict): (&BatchSubject, &Verdict),
        offset: Offset,
        key: Option<&[u8]>,
        has_value: bool,
    ) -> bool {
        if verdict.drop_records {
            return false;
        }
        let mapped = self.map.latest().is_some_and(|latest| offset.0 <= latest.0);
        if batch.control.is_some() || !mapped {
            return true;
        }
        let Some(key) = key else { return false };
        let newest = self.map.get(key).is_none_or(|newest| offset >= newest);
        newest && (has_value || self.keeps_tombstones(batch))
    }

    fn keeps_tombstones(&self, batch: &BatchSubject) -> bool {
        if batch.legacy {
            return self.keep_legacy_tombstones;
        }
        batch.delete_horizon.is_none_or(|horizon| self.now < horizon)
    }

    /// The delete horizon that a batch gets which had none: from now on its tombstones, or its marker, have
    /// `delete.retention.ms` to be seen.
    pub fn new_delete_horizon(
        &self,
        (batch, verdict): (&BatchSubject, &Verdict),
        keeps_tombstone: bool,
    ) -> Option<Timestamp> {
        let due = batch.delete_horizon.is_none() && (keeps_tombstone || verdict.spent_marker);
        due.then(|| Timestamp(self.now.0.saturating_add(self.delete_retention.0)))
    }
}
