//! One producer: its epoch, its last five batches, its open transaction.

use protocol::id::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::offset::{LastOffset, Offset};
use protocol::records::batch::BatchHeader;
use protocol::records::control::CoordinatorEpoch;

use super::ProducerEntry;
use crate::rules::Millis;

/// How many batches are remembered, which is how many a producer may have in flight.
const BATCHES_MAX: usize = 5;

/// One remembered batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchMetadata {
    /// The sequence of its last record.
    pub last_sequence: Sequence,
    /// The offset of its last record.
    pub last_offset: LastOffset,
    /// From its first to its last record.
    pub offset_delta: i32,
    /// Its largest timestamp.
    pub timestamp: Timestamp,
}

/// What is known of one producer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProducerState {
    /// Its newest epoch.
    pub producer_epoch: ProducerEpoch,
    /// Of the last marker.
    pub coordinator_epoch: CoordinatorEpoch,
    /// Of its last batch or marker.
    pub last_timestamp: Timestamp,
    /// The first record of its open transaction.
    pub current_transaction_first_offset: Option<Offset>,
    /// Oldest first. There is room for one, as most producers of very many logs send, and from the second on for all
    /// that are remembered, so that an append allocates nothing.
    batches: Vec<BatchMetadata>,
}

impl BatchMetadata {
    const NONE: Self = Self {
        last_sequence: Sequence::NONE,
        last_offset: LastOffset(-1),
        offset_delta: 0,
        timestamp: Timestamp::NONE,
    };

    pub(super) fn of(header: &BatchHeader) -> Self {
        Self {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        }
    }

    /// The sequence of its first record.
    pub fn first_sequence(&self) -> Sequence {
        // Sequences wrap from the largest number to 0, so a batch may begin above where it ends.
        let first = i64::from(self.last_sequence.0) - i64::from(self.offset_delta);
        let wrapped = if first < 0 && self.last_sequence.0 >= 0 { first + (1 << 31) } else { first };
        Sequence(wrapped as i32)
    }

    /// The offset of its first record.
    pub fn first_offset(&self) -> Offset {
        Offset(self.last_offset.0 - i64::from(self.offset_delta))
    }
}

impl Default for ProducerState {
    fn default() -> Self {
        Self {
            producer_epoch: ProducerEpoch::NONE,
            coordinator_epoch: CoordinatorEpoch::NONE,
            last_timestamp: Timestamp::NONE,
            current_transaction_first_offset: None,
            batches: Vec::new(),
        }
    }
}

impl ProducerState {
    /// The last batches, oldest first.
    pub fn batches(&self) -> &[BatchMetadata] {
        &self.batches
    }

    /// The last sequence appended; `Sequence::NONE` where no batch is known.
    pub fn last_sequence(&self) -> Sequence {
        self.batches().last().map_or(Sequence::NONE, |batch| batch.last_sequence)
    }

    /// The remembered batch with exactly this epoch and these sequences.
    pub fn find_duplicate(&self, header: &BatchHeader) -> Option<&BatchMetadata> {
        if header.producer_epoch != self.producer_epoch {
            return None;
        }
        let last_sequence = header.last_sequence();
        self.batches().iter().find(|batch| {
            batch.last_sequence == last_sequence && batch.first_sequence() == header.base_sequence
        })
    }

    /// Whether no transaction of it is open.
    pub(super) fn is_idle(&self) -> bool {
        self.current_transaction_first_offset.is_none()
    }

    /// When it was last heard of, in the order of the log. Of one of whom only a marker is known the place is not: it comes
    /// last, for its coordinator knows it, and its epoch keeps older ones out.
    pub(super) fn last_used(&self) -> (LastOffset, Timestamp) {
        let last_offset = self.batches.last().map_or(LastOffset(i64::MAX), |batch| batch.last_offset);
        (last_offset, self.last_timestamp)
    }

    /// Whether the producer has been silent for `expiration` outside of a transaction.
    pub fn is_expired(&self, now: Timestamp, expiration: Millis) -> bool {
        let silent = now.0.saturating_sub(self.last_timestamp.0);
        self.is_idle() && silent >= expiration.0
    }

    pub(super) fn add_batch(&mut self, epoch: ProducerEpoch, batch: BatchMetadata) {
        self.set_epoch(epoch);
        self.remember(batch);
        self.last_timestamp = batch.timestamp;
    }

    pub(super) fn end_transaction(
        &mut self,
        epoch: ProducerEpoch,
        coordinator_epoch: CoordinatorEpoch,
        timestamp: Timestamp,
    ) {
        self.set_epoch(epoch);
        self.coordinator_epoch = coordinator_epoch;
        self.current_transaction_first_offset = None;
        self.last_timestamp = timestamp;
    }

    pub(super) fn from_entry(entry: &ProducerEntry) -> Self {
        let mut state = Self {
            producer_epoch: entry.producer_epoch,
            coordinator_epoch: entry.coordinator_epoch,
            last_timestamp: entry.timestamp,
            current_transaction_first_offset: entry.current_transaction_first_offset,
            ..Self::default()
        };
        if entry.last_offset.0 >= 0 {
            state.remember(BatchMetadata {
                last_sequence: entry.last_sequence,
                last_offset: entry.last_offset,
                offset_delta: entry.offset_delta,
                timestamp: entry.timestamp,
            });
        }
        state
    }

    pub(super) fn to_entry(&self, producer_id: ProducerId) -> ProducerEntry {
        let last = self.batches().last().copied().unwrap_or(BatchMetadata::NONE);
        ProducerEntry {
            producer_id,
            producer_epoch: self.producer_epoch,
            last_sequence: last.last_sequence,
            last_offset: last.last_offset,
            offset_delta: last.offset_delta,
            timestamp: self.last_timestamp,
            coordinator_epoch: self.coordinator_epoch,
            current_transaction_first_offset: self.current_transaction_first_offset,
        }
    }

    fn remember(&mut self, batch: BatchMetadata) {
        match self.batches.len() {
            0 => self.batches.reserve_exact(1),
            BATCHES_MAX => {
                self.batches.remove(0);
            }
            known => self.batches.reserve_exact(BATCHES_MAX - known),
        }
        self.batches.push(batch);
    }

    fn set_epoch(&mut self, epoch: ProducerEpoch) {
        if self.producer_epoch != epoch {
            self.batches.clear();
            self.producer_epoch = epoch;
        }
    }
}
