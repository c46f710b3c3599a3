//! How long a thread was ready to run and was not let: what took long is not the disk's doing as far as its thread waited
//! for a processor.
//!
//! The system counts it for each thread, in `/proc`. Reading that before each write would cost a system call a write; so a
//! thread keeps its last reading for a while, and what it waited since then counts as waited in the write. Where the system
//! does not tell, nothing is known and nothing taken off. Driven by [`crate::pace`].

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// How long a reading serves. A wait for the disk that is this much longer than the bound is never taken for another.
const FRESH: Duration = Duration::from_millis(10);

thread_local! {
    static READING: RefCell<Reading> = const { RefCell::new(Reading { counter: None, last: None }) };
}

/// The last reading of a thread.
struct Reading {
    /// None until it is first needed; then the file, if there is one.
    counter: Option<Option<File>>,
    last: Option<(Instant, u64)>,
}

/// What a thread had waited for a processor at some moment, in nanoseconds; nothing where that is not told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProcessorWait(Option<u64>);

impl ProcessorWait {
    /// Of a thread that nobody asks about.
    pub const UNKNOWN: Self = Self(None);

    /// What this thread has waited by `now`, or had waited a short while before.
    pub fn lately(now: Instant) -> Self {
        READING.with_borrow_mut(|reading| {
            if let Some((at, waited)) = reading.last
                && now.saturating_duration_since(at) < FRESH
            {
                return Self(Some(waited));
            }
            let waited = reading.read();
            reading.last = waited.map(|waited| (now, waited));
            Self(waited)
        })
    }

    /// What this thread has waited since.
    pub fn since(self) -> Duration {
        let Self(Some(before)) = self else { return Duration::ZERO };
        let now = READING.with_borrow_mut(Reading::read).unwrap_or(before);
        Duration::from_nanos(now.saturating_sub(before))
    }
}

impl Reading {
    fn read(&mut self) -> Option<u64> {
        let open = || File::open("/proc/thread-self/schedstat").ok();
        let counter = self.counter.get_or_insert_with(open).as_ref()?;
        let mut text = [0; 64];
        let length = counter.read_at(&mut text, 0).ok()?;
        // Nanoseconds run, nanoseconds waited, times run.
        std::str::from_utf8(&text[..length]).ok()?.split(' ').nth(1)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn who_shares_a_processor_with_others_waits_for_it_longer_than_it_runs() {
        if !std::path::Path::new("/proc/thread-self/schedstat").exists() {
            return;
        }
        let others = 4 * std::thread::available_parallelism().unwrap().get();
        let (started, done) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (waited, elapsed) = std::thread::scope(|scope| {
            for _ in 0..others {
                scope.spawn(|| {
                    started.fetch_add(1, Ordering::Relaxed);
                    while !done.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
            while started.load(Ordering::Relaxed) < others {
                std::thread::yield_now();
            }
            let (begun, before) = (Instant::now(), READING.with_borrow_mut(Reading::read));
            while begun.elapsed() < Duration::from_millis(300) {
                std::hint::spin_loop();
            }
            done.store(true, Ordering::Relaxed);
            (ProcessorWait(before).since(), begun.elapsed())
        });
        // Of five that want a processor one runs; whoever else wants it makes that less.
        assert!(waited > elapsed / 2 && waited <= elapsed, "{waited:?} of {elapsed:?}");
    }

    #[test]
    fn who_sleeps_waits_for_no_processor() {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let (before, begun) = (ProcessorWait::lately(Instant::now()), Instant::now());
        let _nobody_sends = receiver.recv_timeout(Duration::from_millis(200));
        drop(sender);
        assert!(before.since() < begun.elapsed() / 2, "{:?}", before.since());
    }

    #[test]
    fn a_reading_serves_for_a_while() {
        let now = Instant::now();
        let first = ProcessorWait::lately(now);
        assert_eq!(ProcessorWait::lately(now + FRESH / 2), first);
        READING.with_borrow_mut(|reading| reading.last = Some((now, 0)));
        assert_eq!(ProcessorWait::lately(now + FRESH / 2), ProcessorWait(Some(0)));
        assert_eq!(READING.with_borrow_mut(Reading::read).is_some(), first.0.is_some());
    }
}
