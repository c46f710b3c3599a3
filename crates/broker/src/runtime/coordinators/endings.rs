//! Transactions that are decided and not yet ended everywhere: their markers are written until all stand, then the
//! coordinator records that it is done.
//!
//! Who ends a transaction writes its markers at once. What is left, and what a load finds decided, one task comes back
//! to: when a shard was loaded or has acted by itself, when a request went away before it heard what it had decided or heard
//! an error behind which a decision may stand, when an end was decided while the one before was still in hand, and with
//! growing pauses while a partition does not take its marker.
//! A partition is given up only when its topic is gone from the metadata; a leader that is not known, or not here, is
//! waited for (Kafka 4.4.0 takes it for gone, and loses the abort). One transaction is never worked on twice at a time:
//! a second marker could end the producer's next transaction.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use coordinator::Ground;
use coordinator::transaction::{
    Ending, MarkerOutcome, TransactionConfig, TransactionShard, TransactionalId, TxnPartition,
};
use protocol::id::LeaderEpoch;
use protocol::offset::Offset;
use tokio::sync::Semaphore;

use super::Coordinators;
use super::shared::Answered;
use super::shared::endings::{Ends, Marked, marked, marker_of};

/// How many transactions the task begins with at a time. Those that wait are not counted, for a disk or for replicas: what
/// one partition holds up holds up nobody else.
const AT_ONCE: usize = 32;

impl Ends for Coordinators {
    async fn ending(
        &self,
        id: &TransactionalId,
    ) -> Answered<TransactionShard, Option<(Ending, LeaderEpoch)>> {
        self.transactions.read_led(id, |shard, epoch| shard.ending(id).map(|it| (it, epoch))).await
    }

    async fn write_all(&self, ending: &Ending, coordinator_epoch: LeaderEpoch) -> Marked {
        let outcomes = self.write_markers(&ending.partitions, marker_of(ending, coordinator_epoch)).await;
        marked(ending, outcomes, |partition| self.is_gone(partition))
    }

    async fn note(
        &self,
        id: &TransactionalId,
        prepared_at: Offset,
        written: &[(TxnPartition, MarkerOutcome)],
    ) -> Answered<TransactionShard, ()> {
        let decide = |shard: &TransactionShard, ground: &Ground<'_, TransactionConfig>| {
            Ok(shard.markers_written(ground, id, prepared_at, written))
        };
        self.transactions.submit(id, decide).await
    }
}

impl Coordinators {
    /// A decision may have brought a transaction to its end: writes its markers, as far as nothing has to be waited
    /// for; the rest is written while the caller goes on.
    pub async fn write_markers_of(self: &Arc<Self>, id: &str) {
        let (all, id) = (self.clone(), TransactionalId::from(id));
        let mut writing: Pin<Box<dyn Future<Output = ()> + Send>> =
            Box::pin(async move { all.endings.end_everywhere(&*all, &id).await });
        let at_once = writing.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if at_once.is_pending() {
            match self.transactions.tasks.get() {
                Some(tasks) => drop(tasks.spawn(writing)),
                None => writing.await,
            }
        }
    }

    /// Whether the metadata has no such partition. It is never older than this broker's own registration, and so than
    /// the transaction.
    fn is_gone(&self, partition: &TxnPartition) -> bool {
        let image = self.transactions.quorum.image();
        let topic = image.topics.by_name(&partition.topic);
        topic.and_then(|topic| topic.partition(partition.index)).is_none()
    }

    /// How many transactions rest because a partition did not take its marker.
    pub fn endings_left(&self) -> usize {
        self.endings.resting()
    }

    /// Comes back to what is left, until the coordinators are stopped.
    pub(super) async fn end_what_is_left(weak: Weak<Self>) {
        let at_once = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Some(strong) = weak.upgrade() else { return };
            let sleep = strong.look_for_endings(&at_once).await;
            if strong.transactions.stopped.load(Ordering::SeqCst) {
                return;
            }
            tokio::select! {
                () = strong.transactions.changed.notified() => {}
                () = strong.endings.left.notified() => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// Aborts a transaction that ran out of time and whose producer needs a new id for that. Says whether there
    /// may be markers to write of it.
    async fn abort_overdue(&self, id: &TransactionalId) -> bool {
        let fresh = match self.producer_ids.next().await {
            Ok(fresh) => fresh,
            Err(error) => {
                let error = error.name();
                tracing::debug!(transactional_id = %id, error, "no producer id to abort a transaction with");
                return false;
            }
        };
        let aborted = self
            .transactions
            .submit_by_itself(id, |shard, ground| shard.abort_overdue(ground, id, fresh))
            .await;
        if let Err(error) = &aborted {
            tracing::debug!(transactional_id = %id, %error, "a transaction that ran out of time stays open");
        }
        aborted.is_ok()
    }

    /// Takes up every ending that nobody works on; says how long to sleep.
    async fn look_for_endings(self: &Arc<Self>, at_once: &Arc<Semaphore>) -> Duration {
        let (mut all, mut overdue, mut passed_over) = (BTreeSet::new(), Vec::new(), false);
        for led in self.transactions.slots.active() {
            let seen = led.glance(|shard: &TransactionShard| {
                all.extend(shard.ending_ids().cloned());
                overdue.extend(shard.overdue());
            });
            // Somebody has it in hand, who may be waiting for the disk, or a thread has panicked with it: nobody may ever
            // ask for it again, and who has it loaded anew comes back here.
            passed_over |= seen.is_none();
            if led.is_broken() {
                self.transactions.load_anew(&led);
            }
        }
        for id in overdue {
            if self.abort_overdue(&id).await {
                all.insert(id);
            }
        }
        for id in self.endings.take_up(all, passed_over) {
            let Ok(permit) = at_once.clone().acquire_owned().await else { break };
            let coordinators = self.clone();
            let ending = async move { coordinators.endings.end_everywhere(&*coordinators, &id).await };
            tokio::spawn(until_it_waits(ending, permit));
        }
        self.endings.sleep(passed_over)
    }
}

/// Does something, and keeps what it was let in with no longer than until it first has to wait.
async fn until_it_waits<R>(work: impl Future<Output = R>, permit: impl Sized) -> R {
    let (mut work, mut permit) = (pin!(work), Some(permit));
    poll_fn(|context| {
        let polled = work.as_mut().poll(context);
        permit = None;
        polled
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::super::CoordinatorError;
    use super::super::shared::endings::Endings;
    use super::*;

    /// Whether the task was told to look.
    fn is_told(endings: &Endings) -> bool {
        let mut told = std::pin::pin!(endings.left.notified());
        told.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn an_end_that_is_decided_while_the_one_before_is_in_hand_is_looked_for_at_once() {
        let (endings, id) = (Endings::default(), TransactionalId::from("app"));
        drop(endings.claim(&id).unwrap());
        assert!(!is_told(&endings), "nobody else has come");
        let claim = endings.claim(&id).unwrap();
        assert!(endings.claim(&id).is_none());
        assert!(!is_told(&endings), "it would find it claimed");
        drop(claim);
        assert!(is_told(&endings));
        drop(endings.claim(&id).unwrap());
        assert!(!is_told(&endings), "that was told");
    }

    #[test]
    fn an_end_that_comes_by_itself_while_the_one_before_is_in_hand_is_looked_for_at_once() {
        let (endings, id) = (Endings::default(), TransactionalId::from("app"));
        let claim = endings.claim(&id).unwrap();
        let taken_up = || endings.take_up(BTreeSet::from([id.clone()]), false).count();
        assert_eq!(taken_up(), 0);
        assert!(!is_told(&endings), "it would find it claimed");
        drop(claim);
        assert!(is_told(&endings));
        assert_eq!(taken_up(), 1);
    }

    #[tokio::test]
    async fn a_decision_whose_request_has_gone_away_is_looked_for_at_once() {
        let endings = Endings::default();
        endings.decide(ready(Ok(()))).await.unwrap();
        assert!(!is_told(&endings), "its request has heard of it");
        let outcome = endings.decide(ready(Err::<(), _>(CoordinatorError::NotCoordinator))).await;
        assert!(outcome.is_err() && is_told(&endings), "it may be decided all the same");
        let mut asked = Box::pin(endings.decide(pending::<Answered<TransactionShard, ()>>()));
        assert!(asked.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(!is_told(&endings));
        drop(asked);
        assert!(is_told(&endings));
    }

    #[tokio::test]
    async fn who_waits_for_a_partition_keeps_nobody_else_waiting() {
        let at_once = Arc::new(Semaphore::new(1));
        let permit = at_once.clone().acquire_owned().await.unwrap();
        let (stands, waits) = tokio::sync::oneshot::channel();
        let held_up = tokio::spawn(until_it_waits(async { waits.await.is_ok() }, permit));
        // It is let in although the one before is not through.
        let permit = at_once.clone().acquire_owned().await.unwrap();
        until_it_waits(async { assert_eq!(at_once.available_permits(), 0) }, permit).await;
        assert_eq!(at_once.available_permits(), 1);
        stands.send(()).unwrap();
        assert!(held_up.await.unwrap());
    }
}
