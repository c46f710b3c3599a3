//! Whether a log directory keeps up with what is written to it.
//!
//! Appends run on the threads of connections, because a write into the page cache takes less than waking another thread.
//! That is so until the disk stalls: then a write takes as long as it likes, and its thread with it. A directory is
//! *slow* while a write has been under way for too long, and for a second after one has taken too long; who would append
//! to it then does so where waiting holds up nobody else. Nothing here waits or decides; it only takes the time.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A write that takes longer marks its directory slow.
const SLOW_AFTER: Duration = Duration::from_millis(5);
/// How long without a slow write makes a directory as before.
const RECOVERY: Duration = Duration::from_secs(1);

/// The pace of one log directory.
#[derive(Debug)]
pub struct Pace {
    start: Instant,
    slow_after: AtomicU64,
    /// When the write began that is looked at, in nanoseconds since the start; 0 for none.
    since: AtomicU64,
    /// Until when the directory is slow, likewise.
    slow_until: AtomicU64,
    /// How many threads are at it.
    threads: AtomicUsize,
}

/// A thread that is at something of the directory; it has left when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Touching<'p>(&'p Pace);

/// A write under way; ended by being dropped.
#[derive(Debug)]
#[must_use]
pub struct Writing<'p> {
    pace: &'p Pace,
    began: u64,
    _touching: Touching<'p>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            slow_after: AtomicU64::new(nanos(SLOW_AFTER)),
            since: AtomicU64::new(0),
            slow_until: AtomicU64::new(0),
            threads: AtomicUsize::new(0),
        }
    }
}

impl Pace {
    /// A write that takes longer than this marks the directory slow.
    pub fn set_slow_after(&self, slow_after: Duration) {
        self.slow_after.store(nanos(slow_after), Ordering::Relaxed);
    }

    /// Begins a write.
    pub fn write(&self) -> Writing<'_> {
        let began = self.now();
        // Of several at a time one is looked at: they are on the same disk.
        let _another = self.since.compare_exchange(0, began, Ordering::AcqRel, Ordering::Relaxed);
        Writing { pace: self, began, _touching: self.touch() }
    }

    /// Counts a thread that may come to wait for a write of another.
    pub fn touch(&self) -> Touching<'_> {
        self.threads.fetch_add(1, Ordering::Relaxed);
        Touching(self)
    }

    /// Whether a write may take long.
    pub fn is_slow(&self) -> bool {
        let (since, slow_until) =
            (self.since.load(Ordering::Acquire), self.slow_until.load(Ordering::Acquire));
        if since == 0 && slow_until == 0 {
            return false;
        }
        let now = self.now();
        if now < slow_until {
            return true;
        }
        // Whoever marks it anew meanwhile wins.
        let _marked = self.slow_until.compare_exchange(slow_until, 0, Ordering::AcqRel, Ordering::Relaxed);
        since != 0 && now.saturating_sub(since) > self.slow_after.load(Ordering::Relaxed)
    }

    /// How many threads are at it.
    pub fn threads(&self) -> usize {
        self.threads.load(Ordering::Relaxed)
    }

    /// Never 0.
    fn now(&self) -> u64 {
        nanos(self.start.elapsed()).max(1)
    }
}

impl Drop for Touching<'_> {
    fn drop(&mut self) {
        self.0.threads.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let (pace, now) = (self.pace, self.pace.now());
        let _looked_at = pace.since.compare_exchange(self.began, 0, Ordering::AcqRel, Ordering::Relaxed);
        if now - self.began > pace.slow_after.load(Ordering::Relaxed) {
            pace.slow_until.fetch_max(now + nanos(RECOVERY), Ordering::AcqRel);
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
        let writing = pace.write();
        assert_eq!(pace.threads(), 1);
        until(|| pace.is_slow());
        assert!(pace.now() >= nanos(SLOW_AFTER));
        drop(writing);
        assert!(pace.is_slow() && pace.threads() == 0);
        let slow_until = pace.slow_until.load(Ordering::Acquire);
        until(|| !pace.is_slow());
        assert!(pace.now() >= slow_until);
    }

    #[test]
    fn quick_writes_mark_nothing() {
        let pace = Pace::default();
        pace.set_slow_after(Duration::from_secs(3600));
        drop((pace.write(), pace.write()));
        assert!(!pace.is_slow());
        assert_eq!((pace.since.load(Ordering::Acquire), pace.threads()), (0, 0));
    }
}
