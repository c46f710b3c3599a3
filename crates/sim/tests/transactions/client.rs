//! A producer that does as Kafka's do: it sends a record again until it is acknowledged, commits once all are, asks
//! again when an answer does not come, and begins anew when it was fenced.

use std::collections::{BTreeMap, BTreeSet};

use coordinator::transaction::Producer;
use protocol::id::Sequence;

use crate::stored::Sent;

/// What a client wants of its transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wants {
    More,
    /// An end, asked for with this producer: a second try has to be the same.
    End {
        committed: bool,
    },
}

#[derive(Debug)]
pub struct Client {
    /// Its transactional id.
    pub id: String,
    pub producer: Option<Producer>,
    pub wants: Wants,
    /// The record that is on its way to a partition.
    pub under_way: BTreeMap<usize, Sent>,
    /// The next sequence of each partition.
    sequences: BTreeMap<usize, i32>,
    /// What was acknowledged in this transaction.
    pub acked: BTreeSet<u64>,
}

impl Client {
    pub fn new(id: String) -> Self {
        Self {
            id,
            producer: None,
            wants: Wants::More,
            under_way: BTreeMap::new(),
            sequences: BTreeMap::new(),
            acked: BTreeSet::new(),
        }
    }

    /// It goes on as this producer, with a new transaction.
    pub fn begin(&mut self, producer: Option<Producer>) {
        // Sequences begin anew with an epoch.
        if self.producer != producer {
            self.sequences.clear();
        }
        self.producer = producer;
        self.wants = Wants::More;
        self.under_way.clear();
        self.acked.clear();
    }

    /// Whether something was acknowledged.
    pub fn has_written(&self) -> bool {
        !self.acked.is_empty()
    }

    /// Whether all it sent was acknowledged, and something was sent.
    pub fn may_commit(&self) -> bool {
        self.under_way.is_empty() && self.has_written()
    }

    /// What is on its way counts no more. Its sequences are used again, as careless clients do.
    pub fn give_up(&mut self) {
        for (partition, sent) in std::mem::take(&mut self.under_way) {
            self.sequences.insert(partition, sent.sequence.0);
        }
    }

    /// The next record to a partition that has taken all before.
    pub fn next(&mut self, partition: usize, number: u64) -> Option<Sent> {
        let producer = self.producer?;
        let sequence = self.sequences.entry(partition).or_insert(0);
        let sent = Sent { producer: (producer.id, producer.epoch), sequence: Sequence(*sequence), number };
        *sequence += 1;
        self.under_way.insert(partition, sent);
        Some(sent)
    }

    /// A record was acknowledged.
    pub fn acknowledged(&mut self, partition: usize, sent: &Sent) {
        if self.under_way.get(&partition) == Some(sent) {
            self.under_way.remove(&partition);
            self.acked.insert(sent.number);
        }
    }
}
