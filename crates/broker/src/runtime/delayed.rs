//! Fetches that wait for records, woken by the append that brings them (Kafka's purgatory, without a tick).
//!
//! A waiting fetch hangs in the list of every partition it reads. An append counts its bytes against what the
//! fetch still lacks and wakes it once nothing is lacking; anything else that changes what a reader may be told
//! (another leader, a deleted topic, a moved log start) wakes it at once. Who wakes up reads again and takes
//! itself out of the lists. A reader of what is committed hears of records once their transaction has ended, and of nothing
//! before.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use partition::fetch::Isolation;
use protocol::offset::Offset;
use tokio::sync::Notify;

/// What has become readable of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readable {
    /// How many bytes, up to the high watermark.
    pub bytes: u64,
    /// And of those whose transactions have ended.
    pub stable: Stable,
}

/// How far the last stable offset has gone along with the high watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stable {
    /// As far: no transaction is open, nor was one before.
    Along,
    /// By something else: a transaction has ended.
    Otherwise,
    /// Not at all: a transaction holds it.
    Held,
}

impl Stable {
    /// Of the high watermark and the last stable offset as they were before and are now.
    pub fn of(
        (high_watermark, stable): (Offset, Offset),
        (high_watermark_now, now): (Offset, Offset),
    ) -> Self {
        if stable == high_watermark && now == high_watermark_now {
            Self::Along
        } else if stable == now {
            Self::Held
        } else {
            Self::Otherwise
        }
    }
}

/// A fetch that waits.
#[derive(Debug)]
pub struct Waiter {
    /// How far it may read.
    isolation: Isolation,
    /// How many bytes it lacks.
    lacking: AtomicI64,
    /// Whether anything has happened since it was said what is lacking.
    touched: AtomicBool,
    wake: Notify,
}

/// Where a fetch hangs in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(u32);

impl Waiter {
    /// A fetch that lacks so many bytes.
    pub fn new(isolation: Isolation, lacking: i64) -> Arc<Self> {
        Arc::new(Self {
            isolation,
            lacking: AtomicI64::new(lacking),
            touched: AtomicBool::new(false),
            wake: Notify::new(),
        })
    }

    /// Waits until it is worth reading again.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Says what is lacking in all, right before another reading: appends are counted from here on.
    pub fn lacks(&self, lacking: i64) {
        self.touched.store(false, Ordering::SeqCst);
        self.lacking.store(lacking, Ordering::SeqCst);
    }

    /// Notes what the reading has found. Says whether appends made since it began have brought the rest: then
    /// nobody may wake the fetch any more, and it reads again.
    pub fn found(&self, bytes: i64) -> bool {
        self.lacking.fetch_sub(bytes, Ordering::SeqCst) <= bytes
    }

    /// Whether no partition has changed since it was said what is lacking.
    pub fn is_untouched(&self) -> bool {
        !self.touched.load(Ordering::SeqCst)
    }

    /// So much more may be read.
    fn bring(&self, bytes: i64, stable: Stable) {
        match (self.isolation, stable) {
            (Isolation::LastStableOffset, Stable::Held) => return self.touched.store(true, Ordering::SeqCst),
            // What was held may be much more than these bytes.
            (Isolation::LastStableOffset, Stable::Otherwise) => return self.change(),
            _ => {}
        }
        self.touched.store(true, Ordering::SeqCst);
        if self.lacking.fetch_sub(bytes, Ordering::SeqCst) <= bytes {
            self.wake.notify_one();
        }
    }

    fn change(&self) {
        self.touched.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }
}

/// The fetches that wait for one partition. Bound: one for each connection and each session.
#[derive(Debug, Default)]
pub struct Waiters {
    /// How many there are, so that an append without readers takes no lock.
    count: AtomicU32,
    /// There while there are any: most of very many partitions have none.
    list: Mutex<Option<Box<List>>>,
    ended: AtomicBool,
}

/// Whoever leaves, the others keep their places.
#[derive(Debug)]
struct List {
    places: Vec<Option<Arc<Waiter>>>,
    free: Vec<u32>,
}

impl Waiters {
    /// Adds a fetch; says where it hangs. What was appended before is not counted: the fetch reads once more after this.
    pub fn add(&self, waiter: Arc<Waiter>) -> Place {
        let mut list = self.lock();
        // Mostly a partition has one reader.
        let list =
            list.get_or_insert_with(|| Box::new(List { places: Vec::with_capacity(1), free: Vec::new() }));
        self.count.fetch_add(1, Ordering::SeqCst);
        if let Some(place) = list.free.pop()
            && let Some(free) = list.places.get_mut(place as usize)
        {
            *free = Some(waiter);
            return Place(place);
        }
        list.places.push(Some(waiter));
        Place(length(&list.places) - 1)
    }

    /// Takes the fetch out that hangs at a place.
    pub fn remove(&self, Place(place): Place) {
        let mut guard = self.lock();
        let Some(list) = &mut *guard else { return };
        if list.places.get_mut(place as usize).and_then(Option::take).is_none() {
            return;
        }
        list.free.push(place);
        if self.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            *guard = None;
        }
    }

    /// So much more may be read.
    pub fn appended(&self, readable: Readable) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let bytes = i64::try_from(readable.bytes).unwrap_or(i64::MAX);
        self.each(|waiter| waiter.bring(bytes, readable.stable));
    }

    /// Something has changed that every reader should hear of.
    pub fn changed(&self) {
        self.each(Waiter::change);
    }

    fn each(&self, tell: impl Fn(&Waiter)) {
        if let Some(list) = &*self.lock() {
            list.places.iter().flatten().for_each(|waiter| tell(waiter));
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

    fn lock(&self) -> MutexGuard<'_, Option<Box<List>>> {
        self.list.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn length(places: &[Option<Arc<Waiter>>]) -> u32 {
    u32::try_from(places.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn waiter(lacking: i64) -> Arc<Waiter> {
        Waiter::new(Isolation::HighWatermark, lacking)
    }

    fn appended(waiters: &Waiters, bytes: u64) {
        waiters.appended(Readable { bytes, stable: Stable::Along });
    }

    fn is_woken(waiter: &Waiter) -> bool {
        pin!(waiter.woken()).as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    #[test]
    fn an_append_wakes_whoever_lacks_nothing_more() {
        let waiters = Waiters::default();
        let (modest, greedy) = (waiter(1), waiter(100));
        waiters.add(modest.clone());
        waiters.add(greedy.clone());
        appended(&waiters, 60);
        assert!(is_woken(&modest));
        assert!(!is_woken(&greedy));
        appended(&waiters, 40);
        assert!(is_woken(&greedy));
        greedy.lacks(10);
        appended(&waiters, 9);
        assert!(!is_woken(&greedy));
    }

    #[test]
    fn who_reads_what_is_committed_is_not_woken_by_a_transaction_before_its_end() {
        let waiters = Waiters::default();
        let (all, committed) = (waiter(200), Waiter::new(Isolation::LastStableOffset, 200));
        waiters.add(all.clone());
        waiters.add(committed.clone());
        appended(&waiters, 100);
        assert!(!is_woken(&committed) && !is_woken(&all), "half of it, and no transaction");
        waiters.appended(Readable { bytes: 100, stable: Stable::Held });
        assert!(is_woken(&all) && !is_woken(&committed));
        committed.lacks(200);
        waiters.appended(Readable { bytes: 100, stable: Stable::Held });
        assert!(!is_woken(&committed) && !committed.is_untouched(), "it may be told of a high watermark");
        waiters.appended(Readable { bytes: 78, stable: Stable::Otherwise });
        assert!(is_woken(&committed), "what was held is more than the marker");
    }

    #[test]
    fn the_last_stable_offset_goes_along_is_held_or_jumps() {
        let marks = |high_watermark, stable| (Offset(high_watermark), Offset(stable));
        assert_eq!(Stable::of(marks(5, 5), marks(9, 9)), Stable::Along);
        assert_eq!(
            Stable::of(marks(9, 9), marks(9, 9)),
            Stable::Along,
            "another sync has moved both already"
        );
        assert_eq!(Stable::of(marks(5, 5), marks(9, 5)), Stable::Held, "a transaction begins");
        assert_eq!(Stable::of(marks(9, 5), marks(12, 5)), Stable::Held);
        assert_eq!(Stable::of(marks(9, 5), marks(10, 10)), Stable::Otherwise, "it ends");
        assert_eq!(Stable::of(marks(9, 5), marks(10, 7)), Stable::Otherwise, "another is open");
        assert_eq!(
            Stable::of(marks(5, 5), marks(9, 7)),
            Stable::Otherwise,
            "before its batch there was another"
        );
    }

    #[test]
    fn a_change_wakes_everybody_and_who_is_removed_is_left_alone() {
        let waiters = Waiters::default();
        let (one, other) = (waiter(100), waiter(100));
        let (place, others) = (waiters.add(one.clone()), waiters.add(other.clone()));
        waiters.remove(others);
        waiters.remove(others);
        waiters.changed();
        assert!(is_woken(&one) && !is_woken(&other));
        assert_eq!((waiters.add(other.clone()), waiters.len()), (others, 2), "a place is used again");
        waiters.remove(place);
        waiters.changed();
        assert!(!is_woken(&one) && is_woken(&other), "who is left keeps its place");
        waiters.remove(others);
        assert!(waiters.is_empty());
    }

    #[test]
    fn whatever_happens_touches_a_waiter_even_if_it_lacks_more() {
        let waiters = Waiters::default();
        let waiter = waiter(100);
        waiters.add(waiter.clone());
        assert!(waiter.is_untouched());
        appended(&waiters, 1);
        assert!(!waiter.is_untouched() && !is_woken(&waiter));
        waiter.lacks(100);
        assert!(waiter.is_untouched());
        waiters.changed();
        assert!(!waiter.is_untouched());
        waiter.lacks(100);
        waiters.end();
        assert!(!waiter.is_untouched());
    }

    #[test]
    fn an_append_during_a_reading_counts() {
        let waiters = Waiters::default();
        let waiter = waiter(100);
        waiters.add(waiter.clone());
        waiter.lacks(100);
        appended(&waiters, 60);
        assert!(!waiter.found(30), "ninety of a hundred");
        assert!(!is_woken(&waiter));
        appended(&waiters, 10);
        assert!(is_woken(&waiter));
        waiter.lacks(100);
        appended(&waiters, 70);
        assert!(waiter.found(30), "the append has made up the rest");
    }

    #[test]
    fn a_wake_between_reading_and_waiting_is_not_lost() {
        let waiters = Waiters::default();
        let waiter = waiter(1);
        waiters.add(waiter.clone());
        appended(&waiters, 1);
        assert!(is_woken(&waiter));
        assert!(!is_woken(&waiter));
    }
}
