//! Whether a log directory keeps up with what is written to it.
//!
//! Appends run on the threads of connections, because a write into the page cache takes less than waking another thread.
//! That is so until the disk stalls: then a write takes as long as it likes, and its thread with it. A directory is
//! *slow* while a write has been under way for too long, and for a while after one has taken too long, the longer the longer
//! that took; who would append to it then does so where waiting holds up nobody else. Nothing here waits or decides; it only takes the time. A write
//! whose thread was not let run is as long on the clock as one that waits for the disk: once it is over what its thread
//! waited for a processor is taken off ([`ProcessorWait`]).
//!
//! Who watches over stalls sleeps while nobody is at any directory, and is woken by the first who comes ([`Pace::watch`]).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crate::processor_wait::ProcessorWait;

/// A write that takes longer marks its directory slow, and for every so many bytes as much again: a megabyte beside a sync takes longer
/// than a record does, on a disk that keeps up with both.
const SLOW_AFTER: Duration = Duration::from_millis(5);
/// See [`SLOW_AFTER`].
const BYTES_MORE: usize = 256 << 10;
/// A directory is slow after a slow write for so many times as long as that took: one that hiccups now and then costs a thread
/// those few milliseconds, and to hand every request over costs each of them more.
const RECOVERY_TIMES: u64 = 8;
/// But for no longer than this.
const RECOVERY_MAX: Duration = Duration::from_secs(1);

/// The pace of one log directory.
#[derive(Debug)]
pub struct Pace {
    start: Instant,
    slow_after: AtomicU64,
    /// When the write that is looked at is to be over, in nanoseconds since the start; 0 for none.
    due: AtomicU64,
    /// Until when the directory is slow, likewise.
    slow_until: AtomicU64,
    /// How many threads are at it that others may have to wait for.
    threads: AtomicUsize,
    /// What whoever watches knows of it: one of the three below.
    watched: AtomicU8,
    watcher: OnceLock<Thread>,
}

/// Somebody has come since the last look, or nobody watches.
const VISITED: u8 = 0;
/// Nobody has come since the last look.
const QUIET: u8 = 1;
/// Whoever watches sleeps until somebody comes.
const ASLEEP: u8 = 2;

/// A thread that is at something of the directory; it has left when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Touching<'p> {
    pace: &'p Pace,
    /// Whether it is one of those that are counted.
    counted: bool,
}

/// A write under way; ended by being dropped.
#[derive(Debug)]
#[must_use]
pub struct Writing<'p> {
    pace: &'p Pace,
    began: u64,
    /// When it is to be over.
    due: u64,
    /// What its thread had waited for a processor before.
    waited: ProcessorWait,
    /// None where who writes has one already.
    _touching: Option<Touching<'p>>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            slow_after: AtomicU64::new(nanos(SLOW_AFTER)),
            due: AtomicU64::new(0),
            slow_until: AtomicU64::new(0),
            threads: AtomicUsize::new(0),
            watched: AtomicU8::new(VISITED),
            watcher: OnceLock::new(),
        }
    }
}

impl Pace {
    /// A write that takes longer than this marks the directory slow.
    pub fn set_slow_after(&self, slow_after: Duration) {
        self.slow_after.store(nanos(slow_after), Ordering::Relaxed);
    }

    /// Begins a write of so many bytes by a thread that was not counted yet.
    pub fn write(&self, bytes: usize) -> Writing<'_> {
        self.begin(bytes, Some(self.touch()))
    }

    /// Takes the time at which a write begins.
    fn begin<'p>(&'p self, bytes: usize, touching: Option<Touching<'p>>) -> Writing<'p> {
        let now = Instant::now();
        let began = self.at(now);
        let slow_after = self.slow_after.load(Ordering::Relaxed);
        let waited = if slow_after == u64::MAX { ProcessorWait::UNKNOWN } else { ProcessorWait::lately(now) };
        let due = began.saturating_add(bound(slow_after, bytes));
        // Of several at a time one is looked at: they are on the same disk.
        let _another = self.due.compare_exchange(0, due, Ordering::AcqRel, Ordering::Relaxed);
        Writing { pace: self, began, due, waited, _touching: touching }
    }

    /// Counts a thread that may come to wait for a write of another.
    pub fn touch(&self) -> Touching<'_> {
        self.threads.fetch_add(1, Ordering::SeqCst);
        if self.watched.load(Ordering::SeqCst) != VISITED {
            self.visited();
        }
        Touching { pace: self, counted: true }
    }

    /// A thread that nobody else waits for, however long it is at the directory.
    pub fn touch_apart(&self) -> Touching<'_> {
        Touching { pace: self, counted: false }
    }

    #[cold]
    fn visited(&self) {
        let slept = self.watched.swap(VISITED, Ordering::SeqCst) == ASLEEP;
        if let (true, Some(watcher)) = (slept, self.watcher.get()) {
            watcher.unpark();
        }
    }

    /// Has this thread woken from its sleep when somebody comes.
    pub fn watch(&self, watcher: Thread) {
        let _only_the_first = self.watcher.set(watcher);
    }

    /// Whether whoever watches may sleep until somebody comes: nobody is here, nor has been since the last look.
    pub fn is_quiet(&self) -> bool {
        if self.threads() == 0 && self.watched.swap(QUIET, Ordering::SeqCst) != VISITED {
            self.watched.store(ASLEEP, Ordering::SeqCst);
            // Who came before that was stored has not woken anybody.
            return self.threads() == 0;
        }
        self.watched.store(QUIET, Ordering::SeqCst);
        false
    }

    /// Whether a write may take long: one does that is under way, or has of late.
    pub fn is_slow(&self) -> bool {
        self.was_slow() || self.is_overdue()
    }

    /// Whether a write has taken long of late.
    pub fn was_slow(&self) -> bool {
        let slow_until = self.slow_until.load(Ordering::Acquire);
        if slow_until == 0 || self.now() < slow_until {
            return slow_until != 0;
        }
        // Whoever marks it anew meanwhile wins.
        let _marked = self.slow_until.compare_exchange(slow_until, 0, Ordering::AcqRel, Ordering::Relaxed);
        false
    }

    /// Whether a write is under way for long, whatever it waits for.
    fn is_overdue(&self) -> bool {
        let due = self.due.load(Ordering::Acquire);
        due != 0 && self.now() > due
    }

    /// How many threads are at it that others may have to wait for.
    pub fn threads(&self) -> usize {
        self.threads.load(Ordering::SeqCst)
    }

    fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    /// A moment in nanoseconds since the start; never 0.
    fn at(&self, moment: Instant) -> u64 {
        nanos(moment.saturating_duration_since(self.start)).max(1)
    }
}

impl<'p> Touching<'p> {
    /// Begins a write of so many bytes by the thread that this is of.
    pub fn write(&self, bytes: usize) -> Writing<'p> {
        // Not made of another one, whose end would be this one's.
        self.pace.begin(bytes, None)
    }

    /// The pace of the directory.
    pub fn pace(&self) -> &'p Pace {
        self.pace
    }
}

impl Writing<'_> {
    /// How long the write has taken by `now`, besides what its thread waited for a processor, if that is too long.
    fn took_long(&self, now: u64) -> Option<u64> {
        let (took, bound) = (now.saturating_sub(self.began), self.due - self.began);
        too_long(took, bound, || self.waited.since())
    }
}

/// How long a write of so many bytes may take, in nanoseconds.
fn bound(slow_after: u64, bytes: usize) -> u64 {
    slow_after.saturating_add((slow_after / BYTES_MORE as u64).saturating_mul(bytes as u64))
}

/// How long something took, besides what was waited for a processor meanwhile, if that is over the bound.
fn too_long(took: u64, bound: u64, waited: impl FnOnce() -> Duration) -> Option<u64> {
    let took = (took > bound).then(|| took.saturating_sub(nanos(waited())))?;
    (took > bound).then_some(took)
}

/// For how long a directory is slow after a write that took so long.
fn recovery(took: u64) -> u64 {
    took.saturating_mul(RECOVERY_TIMES).min(nanos(RECOVERY_MAX))
}

impl Drop for Touching<'_> {
    fn drop(&mut self) {
        if self.counted {
            self.pace.threads.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let (pace, now) = (self.pace, self.pace.now());
        let _looked_at = pace.due.compare_exchange(self.due, 0, Ordering::AcqRel, Ordering::Relaxed);
        if let Some(took) = self.took_long(now) {
            pace.slow_until.fetch_max(now + recovery(took), Ordering::AcqRel);
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(is: impl Fn() -> bool) {
        while !is() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_directory_is_slow_while_a_write_takes_long_and_for_a_while_after() {
        let pace = Pace::default();
        assert!(!pace.is_slow());
        let writing = pace.write(0);
        assert_eq!(pace.threads(), 1);
        until(|| pace.is_slow());
        assert!(pace.now() >= nanos(SLOW_AFTER) && !pace.was_slow());
        // Others may want the processor meanwhile.
        until(|| writing.took_long(pace.now()).is_some());
        drop(writing);
        let slow_until = pace.slow_until.load(Ordering::Acquire);
        assert!(slow_until != 0 && pace.threads() == 0);
        until(|| !pace.is_slow());
        assert!(pace.now() >= slow_until);
    }

    #[test]
    fn what_a_thread_waited_for_a_processor_is_not_the_disks() {
        let milliseconds = |count| nanos(Duration::from_millis(count));
        let (bound, took) = (milliseconds(5), milliseconds(20));
        assert_eq!(too_long(took, bound, || Duration::from_millis(14)), Some(milliseconds(6)));
        assert_eq!(too_long(took, bound, || Duration::from_millis(15)), None);
        assert_eq!(too_long(took, bound, || Duration::from_millis(21)), None, "some of it before the write");
        assert_eq!(too_long(bound, bound, || panic!("nobody asks after a short one")), None);
    }

    #[test]
    fn a_large_write_may_take_longer() {
        let milliseconds = |count| nanos(Duration::from_millis(count));
        let five = milliseconds(5);
        assert_eq!(bound(five, 0), five);
        let megabyte = bound(five, 1 << 20);
        assert!((milliseconds(24)..=milliseconds(25)).contains(&megabyte), "{megabyte}");
        assert_eq!(bound(u64::MAX, 1 << 20), u64::MAX, "never slow");
        let pace = Pace::default();
        let writing = pace.write(1 << 30);
        assert!(writing.due - writing.began > milliseconds(20_000));
        until(|| pace.now() > writing.began + five);
        assert!(!pace.is_slow() && writing.took_long(pace.now()).is_none());
    }

    #[test]
    fn a_hiccup_makes_a_directory_slow_for_less_than_a_stall() {
        let milliseconds = |count| nanos(Duration::from_millis(count));
        assert_eq!(recovery(milliseconds(6)), milliseconds(48));
        assert_eq!(recovery(milliseconds(500)), milliseconds(1000));
        assert_eq!(recovery(u64::MAX), milliseconds(1000));
    }

    #[test]
    fn a_thread_is_counted_once_however_often_it_writes() {
        let pace = Pace::default();
        let touching = pace.touch();
        let writing = touching.write(0);
        assert_eq!(pace.threads(), 1);
        until(|| touching.pace().is_slow());
        drop(writing);
        assert_eq!((pace.due.load(Ordering::Acquire), pace.threads()), (0, 1));
        drop(touching);
        assert_eq!(pace.threads(), 0);
    }

    #[test]
    fn a_thread_that_nobody_waits_for_is_not_counted_and_its_writes_are_looked_at() {
        let pace = Pace::default();
        let touching = pace.touch_apart();
        let writing = touching.write(0);
        assert_eq!(pace.threads(), 0);
        until(|| pace.is_slow());
        drop((writing, touching));
        assert_eq!((pace.due.load(Ordering::Acquire), pace.threads()), (0, 0));
    }

    #[test]
    fn who_watches_sleeps_until_somebody_comes() {
        let pace = std::sync::Arc::new(Pace::default());
        let (watched, touched) = (pace.clone(), pace.clone());
        let watcher = std::thread::spawn(move || {
            watched.watch(std::thread::current());
            assert!(!watched.is_quiet(), "nothing is known yet");
            while watched.is_quiet() {
                std::thread::park();
            }
            assert_eq!(watched.threads(), 1);
            assert!(!watched.is_quiet(), "somebody is here");
        });
        until(|| touched.watched.load(Ordering::SeqCst) == ASLEEP);
        let touching = touched.touch();
        watcher.join().unwrap();
        drop(touching);
    }

    #[test]
    fn quick_writes_mark_nothing() {
        let pace = Pace::default();
        pace.set_slow_after(Duration::from_secs(3600));
        drop((pace.write(0), pace.write(0)));
        assert!(!pace.is_slow());
        assert_eq!((pace.due.load(Ordering::Acquire), pace.threads()), (0, 0));
    }
}
