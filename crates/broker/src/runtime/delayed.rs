//! Fetches that wait for records, woken by the append that brings them (Kafka's purgatory, without a tick).
//!
//! A waiting fetch hangs in the list of every partition it reads. An append counts its bytes against what the
//! fetch still lacks and wakes it once nothing is lacking; anything else that changes what a reader may be told
//! (another leader, a deleted topic, a moved log start) wakes it at once. Who wakes up reads again and takes
//! itself out of the lists.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

/// A fetch that waits.
#[derive(Debug)]
pub struct Waiter {
    /// How many bytes it lacks.
    lacking: AtomicI64,
    wake: Notify,
}

impl Waiter {
    /// A fetch that lacks so many bytes.
    pub fn new(lacking: i64) -> Arc<Self> {
        Arc::new(Self { lacking: AtomicI64::new(lacking), wake: Notify::new() })
    }

    /// Waits until it is worth reading again.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Says what is lacking in all, right before another reading: appends are counted from here on.
    pub fn lacks(&self, lacking: i64) {
        self.lacking.store(lacking, Ordering::SeqCst);
    }

    /// Notes what the reading has found. Says whether appends made since it began have brought the rest: then
    /// nobody may wake the fetch any more, and it reads again.
    pub fn found(&self, bytes: i64) -> bool {
        self.lacking.fetch_sub(bytes, Ordering::SeqCst) <= bytes
    }

    fn wake(&self) {
        self.wake.notify_one();
    }
}

/// The fetches that wait for one partition. Bound: one for each connection.
#[derive(Debug, Default)]
pub struct Waiters {
    /// How many there are, so that an append without readers takes no lock.
    count: AtomicU32,
    /// There while there are any: most of very many partitions have none.
    #[expect(
        clippy::box_collection,
        reason = "a partition without any is to have no room for a list of them"
    )]
    list: Mutex<Option<Box<Vec<Arc<Waiter>>>>>,
    ended: AtomicBool,
}

impl Waiters {
    /// Adds a fetch. What was appended before is not counted: the fetch reads once more after this.
    pub fn add(&self, waiter: Arc<Waiter>) {
        let mut list = self.lock();
        let waiters = list.get_or_insert_default();
        waiters.push(waiter);
        self.count.store(length(waiters), Ordering::SeqCst);
    }

    /// Takes a fetch out.
    pub fn remove(&self, waiter: &Arc<Waiter>) {
        let mut list = self.lock();
        let Some(waiters) = &mut *list else { return };
        if let Some(place) = waiters.iter().position(|other| Arc::ptr_eq(other, waiter)) {
            waiters.swap_remove(place);
        }
        self.count.store(length(waiters), Ordering::SeqCst);
        if waiters.is_empty() {
            *list = None;
        }
    }

    /// So many bytes more may be read.
    pub fn appended(&self, bytes: u64) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        for waiter in self.lock().iter().flat_map(|waiters| waiters.iter()) {
            if waiter.lacking.fetch_sub(bytes, Ordering::SeqCst) <= bytes {
                waiter.wake();
            }
        }
    }

    /// Something has changed that every reader should hear of.
    pub fn changed(&self) {
        for waiter in self.lock().iter().flat_map(|waiters| waiters.iter()) {
            waiter.wake();
        }
    }

    /// The partition is gone from here: nobody will be woken by it again.
    pub fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.changed();
    }

    /// Whether the partition is gone from here.
    pub fn have_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// How many fetches wait.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed) as usize
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[expect(clippy::box_collection, reason = "as above")]
    fn lock(&self) -> MutexGuard<'_, Option<Box<Vec<Arc<Waiter>>>>> {
        self.list.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn length(waiters: &[Arc<Waiter>]) -> u32 {
    u32::try_from(waiters.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn is_woken(waiter: &Waiter) -> bool {
        pin!(waiter.woken()).as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    #[test]
    fn an_append_wakes_whoever_lacks_nothing_more() {
        let waiters = Waiters::default();
        let (modest, greedy) = (Waiter::new(1), Waiter::new(100));
        waiters.add(modest.clone());
        waiters.add(greedy.clone());
        waiters.appended(60);
        assert!(is_woken(&modest));
        assert!(!is_woken(&greedy));
        waiters.appended(40);
        assert!(is_woken(&greedy));
        greedy.lacks(10);
        waiters.appended(9);
        assert!(!is_woken(&greedy));
    }

    #[test]
    fn a_change_wakes_everybody_and_who_is_removed_is_left_alone() {
        let waiters = Waiters::default();
        let (one, other) = (Waiter::new(100), Waiter::new(100));
        waiters.add(one.clone());
        waiters.add(other.clone());
        waiters.remove(&other);
        waiters.changed();
        assert!(is_woken(&one) && !is_woken(&other));
        waiters.remove(&one);
        assert!(waiters.is_empty());
    }

    #[test]
    fn an_append_during_a_reading_counts() {
        let waiters = Waiters::default();
        let waiter = Waiter::new(100);
        waiters.add(waiter.clone());
        waiter.lacks(100);
        waiters.appended(60);
        assert!(!waiter.found(30), "ninety of a hundred");
        assert!(!is_woken(&waiter));
        waiters.appended(10);
        assert!(is_woken(&waiter));
        waiter.lacks(100);
        waiters.appended(70);
        assert!(waiter.found(30), "the append has made up the rest");
    }

    #[test]
    fn a_wake_between_reading_and_waiting_is_not_lost() {
        let waiters = Waiters::default();
        let waiter = Waiter::new(1);
        waiters.add(waiter.clone());
        waiters.appended(1);
        assert!(is_woken(&waiter));
        assert!(!is_woken(&waiter));
    }
}
