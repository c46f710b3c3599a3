//! What the log remembers of each producer: its epoch, its last five batches and its open transaction (KIP-98,
//! KIP-360, KIP-890).
//!
//! That memory is what makes a retried batch a duplicate instead of a second copy, a lost one a gap, and an old
//! incarnation a zombie. It is rebuilt from the log itself, from a snapshot on, and a producer is forgotten when
//! it has been silent for `producer.id.expiration.ms` outside of a transaction.
//!
//! deviation: anybody may send under any number of ids, and Kafka remembers them all. Here there is a bound
//! (`headwater.producer.ids.max`), by which everybody else gains: those whose last batch lies furthest back are forgotten
//! first, as if they had expired, and never one with an open transaction. Who is forgotten follows from the batches and
//! the bound alone, so that a replay forgets the same, unless the bound was another then or somebody has expired meanwhile. Of a
//! producer that is not known any sequence is taken, as after it has expired: what it sends again is stored again. One that is
//! known too long expires.

mod check;
mod state;
mod states;

use protocol::id::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::offset::{LastOffset, Offset};
use protocol::records::batch::BatchHeader;
use protocol::records::control::{CoordinatorEpoch, EndMarker};

use crate::rules::Millis;
use crate::transactions::CompletedTransaction;

pub use check::TransactionVersion;
pub(crate) use check::{Checked, Strictness, check_data, check_marker};
pub use state::{BatchMetadata, ProducerState};
use states::States;

/// How many producers a log remembers where nobody says otherwise.
pub const PRODUCER_IDS_MAX: u32 = 100_000;

/// All producers of one log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Producers {
    states: States,
    ids_max: u32,
}

impl Default for Producers {
    fn default() -> Self {
        Self { states: States::default(), ids_max: PRODUCER_IDS_MAX }
    }
}

/// One producer as `<offset>.snapshot` files keep it: of its batches only the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerEntry {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its newest epoch.
    pub producer_epoch: ProducerEpoch,
    /// The last sequence appended; `Sequence::NONE` where no batch is known.
    pub last_sequence: Sequence,
    /// The last record appended; -1 where no batch is known.
    pub last_offset: LastOffset,
    /// From the first to the last record of that batch.
    pub offset_delta: i32,
    /// Of the last batch or marker.
    pub timestamp: Timestamp,
    /// Of the last marker.
    pub coordinator_epoch: CoordinatorEpoch,
    /// The first record of the open transaction.
    pub current_transaction_first_offset: Option<Offset>,
}

/// What one appended batch changes about its producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ProducerUpdate {
    Data(DataUpdate),
    Marker(MarkerUpdate),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct DataUpdate {
    pub(crate) producer_id: ProducerId,
    pub(crate) producer_epoch: ProducerEpoch,
    pub(crate) batch: BatchMetadata,
    /// The batch is the first of a transaction.
    pub(crate) begins_at: Option<Offset>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MarkerUpdate {
    pub(crate) producer_id: ProducerId,
    pub(crate) producer_epoch: ProducerEpoch,
    pub(crate) coordinator_epoch: CoordinatorEpoch,
    pub(crate) timestamp: Timestamp,
    pub(crate) completed: Option<CompletedTransaction>,
}

impl Producers {
    /// Takes what a snapshot holds, leaving out those who have been silent for too long.
    pub fn from_entries(
        entries: impl IntoIterator<Item = ProducerEntry>,
        now: Timestamp,
        expiration: Millis,
    ) -> Self {
        let mut states = States::default();
        for entry in entries {
            let state = ProducerState::from_entry(&entry);
            if !state.is_expired(now, expiration) {
                *states.of(entry.producer_id) = state;
            }
        }
        Self { states, ..Self::default() }
    }

    /// Bounds how many are remembered.
    pub(crate) fn set_ids_max(&mut self, ids_max: u32) {
        self.ids_max = ids_max.max(1);
    }

    /// Forgets the oldest if one more than may be remembered has come.
    fn keep_bound(&mut self) {
        let (known, most) = (self.states.len(), self.ids_max as usize);
        // An eighth at once: to find the oldest is to look at all. And not with each that comes where none may go.
        let step = (most / 8).max(1);
        if known <= most || !(known - most - 1).is_multiple_of(step) {
            return;
        }
        let idle = self.states.iter().filter(|(_, state)| state.is_idle());
        let mut last_used: Vec<_> = idle.map(|(_, state)| state.last_used()).collect();
        // Some stay in any case: many open transactions are not to cost everybody else what is known of him.
        let excess = (known - (most + 1 - step)).min(last_used.len().saturating_sub(step));
        if excess > 0 {
            let (_, &mut last_gone, _) = last_used.select_nth_unstable(excess - 1);
            self.states.retain(|state| !state.is_idle() || state.last_used() > last_gone);
        }
    }

    /// What a snapshot keeps, by producer id.
    pub fn entries(&self) -> impl Iterator<Item = ProducerEntry> {
        self.states.iter().map(|(producer_id, state)| state.to_entry(producer_id))
    }

    /// What is known of a producer.
    pub fn get(&self, producer_id: ProducerId) -> Option<&ProducerState> {
        self.states.get(producer_id)
    }

    /// Every producer with its state, by id: what DescribeProducers shows.
    pub fn iter(&self) -> impl Iterator<Item = (ProducerId, &ProducerState)> {
        self.states.iter()
    }

    /// How many producers are known.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.states.len() == 0
    }

    /// Forgets producers that have been silent for `expiration` outside of a transaction; says how many.
    pub fn remove_expired(&mut self, now: Timestamp, expiration: Millis) -> usize {
        let before = self.states.len();
        self.states.retain(|state| !state.is_expired(now, expiration));
        before - self.states.len()
    }

    pub(crate) fn apply(&mut self, update: &ProducerUpdate) {
        let known = self.states.len();
        match update {
            ProducerUpdate::Data(data) => {
                let state = self.states.of(data.producer_id);
                state.add_batch(data.producer_epoch, data.batch);
                if data.begins_at.is_some() {
                    state.current_transaction_first_offset = data.begins_at;
                }
            }
            ProducerUpdate::Marker(marker) => {
                let state = self.states.of(marker.producer_id);
                state.end_transaction(marker.producer_epoch, marker.coordinator_epoch, marker.timestamp);
            }
        }
        if self.states.len() > known {
            self.keep_bound();
        }
    }
}

/// What a batch of the log, appended by whatever leader, says about its producer. Nothing is refused: the leader
/// has judged it.
pub(crate) fn replayed_data(state: Option<&ProducerState>, header: &BatchHeader) -> ProducerUpdate {
    let open = state.is_some_and(|state| state.current_transaction_first_offset.is_some());
    let begins = header.attributes.is_transactional() && !open;
    ProducerUpdate::Data(DataUpdate {
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        batch: BatchMetadata::of(header),
        begins_at: begins.then_some(header.base_offset),
    })
}

pub(crate) fn marker_update(
    state: Option<&ProducerState>,
    header: &BatchHeader,
    marker: EndMarker,
    timestamp: Timestamp,
) -> MarkerUpdate {
    let first_offset = state.and_then(|state| state.current_transaction_first_offset);
    let completed = first_offset.map(|first_offset| CompletedTransaction {
        producer_id: header.producer_id,
        first_offset,
        last_offset: LastOffset(header.base_offset.0),
        aborted: !marker.committed,
    });
    MarkerUpdate {
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        coordinator_epoch: marker.coordinator_epoch,
        timestamp,
        completed,
    }
}
