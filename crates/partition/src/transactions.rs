//! The transactions that hold readers of committed data back, and the last stable offset that follows from them
//! (KIP-98).
//!
//! A transaction is ongoing from its first record to its marker. Behind its marker it still counts until the high
//! watermark has passed that marker: the decision must be as safe as the records.

use std::collections::{BTreeMap, BTreeSet};

use protocol::id::ProducerId;
use protocol::offset::{LastOffset, Offset};

/// The open and the just decided transactions of one log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Transactions {
    /// There while there are any: most of very many logs never see one.
    unsettled: Option<Box<Unsettled>>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Unsettled {
    ongoing: BTreeSet<(Offset, ProducerId)>,
    /// First offset to the offset of the marker.
    unreplicated: BTreeMap<Offset, LastOffset>,
}

/// A transaction that a marker has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CompletedTransaction {
    /// Its producer.
    pub producer_id: ProducerId,
    /// Its first record.
    pub first_offset: Offset,
    /// Its marker.
    pub last_offset: LastOffset,
    /// Whether it was aborted.
    pub aborted: bool,
}

/// An entry of the transaction index: readers of committed data skip these records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTransaction {
    /// Its producer.
    pub producer_id: ProducerId,
    /// Its first record.
    pub first_offset: Offset,
    /// Its marker.
    pub last_offset: LastOffset,
    /// The last stable offset once it was decided.
    pub last_stable_offset: Offset,
}

impl Transactions {
    /// A transaction begins with the record at `first_offset`.
    pub fn begin(&mut self, producer_id: ProducerId, first_offset: Offset) {
        self.unsettled.get_or_insert_default().ongoing.insert((first_offset, producer_id));
    }

    /// A marker ends a transaction.
    pub fn complete(&mut self, completed: &CompletedTransaction) {
        let unsettled = self.unsettled.get_or_insert_default();
        unsettled.ongoing.remove(&(completed.first_offset, completed.producer_id));
        unsettled.unreplicated.insert(completed.first_offset, completed.last_offset);
    }

    /// The index entry of a transaction that is about to be completed; `None` if it commits.
    pub fn aborted_entry(&self, completed: &CompletedTransaction) -> Option<AbortedTransaction> {
        if !completed.aborted {
            return None;
        }
        let mut ongoing = self.unsettled.iter().flat_map(|unsettled| &unsettled.ongoing);
        let next_open = ongoing.find(|&&(_, producer)| producer != completed.producer_id);
        Some(AbortedTransaction {
            producer_id: completed.producer_id,
            first_offset: completed.first_offset,
            last_offset: completed.last_offset,
            last_stable_offset: next_open.map_or(completed.last_offset.next(), |&(first, _)| first),
        })
    }

    /// The high watermark, or the log start, has reached `offset`: decisions before it are safe.
    pub fn safe_up_to(&mut self, offset: Offset) {
        let Some(unsettled) = &mut self.unsettled else { return };
        unsettled.unreplicated.retain(|_, last| last.next() > offset);
        if unsettled.unreplicated.is_empty() && unsettled.ongoing.is_empty() {
            self.unsettled = None;
        }
    }

    /// The first record whose fate is open or not yet safe.
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        let first_unreplicated = self.unsettled.as_ref()?.unreplicated.keys().next().copied();
        self.first_undecided_offset().into_iter().chain(first_unreplicated).min()
    }

    /// The first record whose fate is open.
    pub fn first_undecided_offset(&self) -> Option<Offset> {
        self.unsettled.as_ref()?.ongoing.first().map(|&(first_offset, _)| first_offset)
    }

    /// Where readers of committed data stop.
    pub fn last_stable_offset(&self, log_start: Offset, high_watermark: Offset) -> Offset {
        match self.first_unstable_offset() {
            Some(first) => first.max(log_start).min(high_watermark),
            None => high_watermark,
        }
    }
}
