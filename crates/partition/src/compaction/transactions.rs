//! Transactions as a cleaning meets them, batch by batch from the front of the log: which data was aborted, and which
//! markers have nothing left to say (KIP-98).
//!
//! Records of aborted transactions go at once. A marker stays as long as any batch of its transaction does, however many
//! segments lie between (KAFKA-8351), and the entry of the transaction index stays with it.

use std::collections::{BTreeMap, BTreeSet};

use protocol::id::ProducerId;
use protocol::offset::{LastOffset, Offset};

use super::keep::Control;
use crate::transactions::AbortedTransaction;

/// The transactions at the place a cleaning has come to.
#[derive(Clone, Debug, Default)]
pub struct CleanedTransactions {
    /// Aborted transactions whose first record is still ahead.
    ahead: BTreeMap<(Offset, ProducerId), AbortedTransaction>,
    /// Aborted transactions whose marker is still ahead, and whether any batch of theirs was met.
    aborted: BTreeMap<ProducerId, (AbortedTransaction, bool)>,
    /// Producers with batches of a transaction that was not aborted and whose marker is still ahead.
    committed: BTreeSet<ProducerId>,
}

impl CleanedTransactions {
    /// Takes in entries of the transaction index; one that was taken in before changes nothing.
    pub fn add(&mut self, aborted: impl IntoIterator<Item = AbortedTransaction>) {
        self.ahead.extend(aborted.into_iter().map(|it| ((it.first_offset, it.producer_id), it)));
    }

    /// A batch of data: whether it was aborted.
    pub fn meet_data(
        &mut self,
        last_offset: LastOffset,
        producer_id: ProducerId,
        transactional: bool,
    ) -> bool {
        self.begin_up_to(last_offset);
        if !transactional {
            return false;
        }
        match self.aborted.get_mut(&producer_id) {
            Some((_, met)) => {
                *met = true;
                true
            }
            None => {
                self.committed.insert(producer_id);
                false
            }
        }
    }

    /// A control batch: whether nothing is left of its transaction. Of an aborted one with something left the entry for
    /// the new transaction index comes with it.
    pub fn meet_control(
        &mut self,
        last_offset: LastOffset,
        producer_id: ProducerId,
        control: Control,
    ) -> (bool, Option<AbortedTransaction>) {
        self.begin_up_to(last_offset);
        match control {
            Control::Abort => match self.aborted.remove(&producer_id) {
                Some((entry, true)) => (false, Some(entry)),
                _ => (true, None),
            },
            Control::Commit => (!self.committed.remove(&producer_id), None),
            Control::Other => (false, None),
            Control::Empty => (true, None),
        }
    }

    fn begin_up_to(&mut self, last_offset: LastOffset) {
        while let Some(first) = self.ahead.first_entry()
            && first.key().0 <= Offset(last_offset.0)
        {
            let entry = first.remove();
            self.aborted.entry(entry.producer_id).or_insert((entry, false));
        }
    }
}
