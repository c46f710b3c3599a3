//! Who works on the end of which transaction: never two at a time, and nobody forgets one.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use coordinator::transaction::{Ending, MarkerOutcome, TransactionShard, TransactionalId, TxnPartition};
use partition::producers::TransactionVersion;
use protocol::ErrorCode;
use protocol::id::LeaderEpoch;
use protocol::offset::Offset;
use protocol::records::control::{CoordinatorEpoch, EndMarker};
use tokio::sync::Notify;

use super::CoordinatorError;
use super::shard_log::{Answered, Marker};
use super::sync::{Instant, Mutex, MutexGuard, PoisonError, now};

/// How long a transaction rests after its markers were not all taken, at first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The longest that who comes back to what is left sleeps while something is.
pub const SLEEP_MAX: Duration = Duration::from_secs(10);

/// The markers that stand, and one that does not with the reason.
pub type Marked = (Vec<(TxnPartition, MarkerOutcome)>, Option<(TxnPartition, ErrorCode)>);

/// The marker that ends a transaction as it was decided.
pub fn marker_of(ending: &Ending, coordinator_epoch: LeaderEpoch) -> Marker {
    let coordinator_epoch = CoordinatorEpoch(coordinator_epoch.0);
    Marker {
        producer: (ending.producer.id, ending.producer.epoch),
        end: EndMarker { committed: ending.committed, coordinator_epoch },
        version: TransactionVersion(ending.client.0),
    }
}

/// Which markers of an ending stand, from what became of each: a partition that is gone needs none.
pub fn marked(
    ending: &Ending,
    outcomes: Vec<Result<(), ErrorCode>>,
    is_gone: impl Fn(&TxnPartition) -> bool,
) -> Marked {
    let (mut written, mut failed) = (Vec::with_capacity(ending.partitions.len()), None);
    for (partition, outcome) in ending.partitions.iter().zip(outcomes) {
        match outcome {
            Ok(()) => written.push((partition.clone(), MarkerOutcome::Appended)),
            Err(ErrorCode::UnknownTopicOrPartition) if is_gone(partition) => {
                written.push((partition.clone(), MarkerOutcome::Gone));
            }
            Err(error) => failed = Some((partition.clone(), error)),
        }
    }
    (written, failed)
}

/// What ending a transaction takes.
pub trait Ends: Sync {
    /// The end that is decided of a transaction and not written everywhere, and in which reign; both are committed.
    fn ending(
        &self,
        id: &TransactionalId,
    ) -> impl Future<Output = Answered<TransactionShard, Option<(Ending, LeaderEpoch)>>> + Send;

    /// Writes what markers are left of an ending.
    fn write_all(
        &self,
        ending: &Ending,
        coordinator_epoch: LeaderEpoch,
    ) -> impl Future<Output = Marked> + Send;

    /// Has the coordinator take note of markers that stand.
    fn note(
        &self,
        id: &TransactionalId,
        prepared_at: Offset,
        written: &[(TxnPartition, MarkerOutcome)],
    ) -> impl Future<Output = Answered<TransactionShard, ()>> + Send;
}

/// What is known of transactions that are being ended.
#[derive(Debug, Default)]
pub struct Endings {
    state: Mutex<State>,
    pub left: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Those somebody works on, and whether another came for them meanwhile.
    claimed: BTreeMap<TransactionalId, bool>,
    /// Those that rest, until when, and how long they did.
    resting: BTreeMap<TransactionalId, (Instant, Duration)>,
}

/// The right to write the markers of a transaction, until it is dropped.
pub struct Claim<'e> {
    endings: &'e Endings,
    id: TransactionalId,
}

impl Endings {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn claim(&self, id: &TransactionalId) -> Option<Claim<'_>> {
        match self.state().claimed.entry(id.clone()) {
            Entry::Vacant(place) => {
                place.insert(false);
                Some(Claim { endings: self, id: id.clone() })
            }
            // Who works on it may have seen the end before this one.
            Entry::Occupied(mut place) => {
                place.insert(true);
                None
            }
        }
    }

    /// Writes the markers that a decided transaction lacks, and has the coordinator take note of them.
    pub async fn end_everywhere(&self, ends: &impl Ends, id: &TransactionalId) {
        let Some(_claim) = self.claim(id) else { return };
        // What is seen here is committed: a marker never comes before the decision it tells of.
        let (ending, coordinator_epoch) = match ends.ending(id).await {
            Ok(Some(seen)) => seen,
            // It has ended, or somebody else coordinates it.
            Ok(None) | Err(CoordinatorError::NotCoordinator) => return self.done(id),
            Err(error) => {
                if self.leave(id) {
                    tracing::info!(transactional_id = %id, %error, "a transaction cannot be ended yet");
                }
                return;
            }
        };
        let (written, failed) = ends.write_all(&ending, coordinator_epoch).await;
        let told = match written.is_empty() && failed.is_some() {
            true => Ok(()),
            false => ends.note(id, ending.prepared_at, &written).await,
        };
        match (failed, told) {
            (None, Ok(())) => self.done(id),
            (failed, told) => {
                let first = self.leave(id);
                if first {
                    let error = told.err();
                    tracing::info!(transactional_id = %id, ?failed, ?error,
                        "the end of a transaction is not written everywhere yet; it is tried again");
                }
            }
        }
    }

    /// Asks for a decision that may end a transaction.
    ///
    /// # Errors
    /// Those of who is asked.
    pub async fn decide<R>(
        &self,
        asked: impl Future<Output = Answered<TransactionShard, R>>,
    ) -> Answered<TransactionShard, R> {
        let mut unheard = Unheard { endings: self, is_heard: false };
        let outcome = asked.await;
        // Behind any other error may stand a decision that lies in the log and is not committed yet.
        unheard.is_heard = matches!(outcome, Ok(_) | Err(CoordinatorError::Refused(_)));
        outcome
    }

    /// Of the transactions whose end is decided, those to be worked on now: all that do not rest, and that nobody works on.
    /// Where some were passed over it is not known which others there are.
    pub fn take_up(
        &self,
        decided: BTreeSet<TransactionalId>,
        passed_over: bool,
    ) -> impl Iterator<Item = TransactionalId> {
        if !passed_over {
            self.state().resting.retain(|id, _| decided.contains(id));
        }
        let now = now();
        decided.into_iter().filter(move |id| !self.rests(id, now))
    }

    /// How long there is nothing to come back to, unless somebody says so.
    pub fn sleep(&self, passed_over: bool) -> Duration {
        let next = self.next_at().map(|at| at.saturating_duration_since(now()));
        let most = if passed_over { PAUSE_MIN } else { SLEEP_MAX };
        next.unwrap_or(most).clamp(PAUSE_MIN / 2, most)
    }

    /// Whether a transaction is not to be worked on now. Who works on it already has it looked at once more: it may have
    /// seen the end before this one.
    fn rests(&self, id: &TransactionalId, now: Instant) -> bool {
        let mut state = self.state();
        if let Some(others_came) = state.claimed.get_mut(id) {
            *others_came = true;
            return true;
        }
        state.resting.get(id).is_some_and(|(until, _)| *until > now)
    }

    fn done(&self, id: &TransactionalId) {
        self.state().resting.remove(id);
    }

    /// Says whether it is the first time that this one is left.
    fn leave(&self, id: &TransactionalId) -> bool {
        let mut state = self.state();
        let before = state.resting.get(id).map(|(_, pause)| *pause);
        let pause = before.map_or(PAUSE_MIN, |pause| (pause * 2).min(PAUSE_MAX));
        state.resting.insert(id.clone(), (now() + pause, pause));
        drop(state);
        self.left.notify_one();
        before.is_none()
    }

    /// How many rest.
    pub fn resting(&self) -> usize {
        self.state().resting.len()
    }

    /// When the first of those that rest may be tried again.
    fn next_at(&self) -> Option<Instant> {
        self.state().resting.values().map(|(until, _)| *until).min()
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let others_came = self.endings.state().claimed.remove(&self.id);
        if others_came == Some(true) {
            self.endings.left.notify_one();
        }
    }
}

/// A decision that its request has not heard of yet. Where the request goes away first, the task looks whether it has
/// ended a transaction.
struct Unheard<'e> {
    endings: &'e Endings,
    is_heard: bool,
}

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        if !self.is_heard {
            self.endings.left.notify_one();
        }
    }
}
