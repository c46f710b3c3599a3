//! Work on a thread of its own that is waited for however long it takes, but for a disk that hangs: who waits holds what
//! others may want.
//!
//! The work notes when a read of the disk begins and when it ends. Where one and the same read has been under way for too
//! long whoever waits goes on without the work; it finds that out before its next read, and ends. To wait for a thread or
//! for a processor, and what is made of the bytes, never counts. Driven by the conversions of Fetch 0 to 3; what is done
//! is nothing to it. Nothing here ends a thread: how many hang is bounded by who starts them.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// When the read began that is under way, if one is.
#[derive(Debug, Default)]
pub struct ReadSince(Mutex<Option<Instant>>);

impl ReadSince {
    fn note(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn noted(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What work reads by, so that whoever waits for it sees whether a disk holds it up.
#[derive(Debug)]
pub struct WatchedReads(Weak<ReadSince>);

impl WatchedReads {
    /// Notes reads here, as long as that is there.
    pub fn noted_by(since: &Arc<ReadSince>) -> Self {
        Self(Arc::downgrade(since))
    }

    /// Reads from the disk, unless nobody waits for it any more.
    pub fn read<T>(&self, read: impl FnOnce() -> T) -> Option<T> {
        self.0.upgrade()?.note(Some(Instant::now()));
        let done = read();
        if let Some(since) = self.0.upgrade() {
            since.note(None);
        }
        Some(done)
    }
}

/// Does some work on a thread where it may take its time. `None` once one of its reads has taken so long: then it may
/// still be under way.
pub async fn watch<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce(&WatchedReads) -> T + Send + 'static,
) -> Option<T> {
    let since = Arc::new(ReadSince::default());
    let reads = WatchedReads::noted_by(&since);
    let mut under_way = spawn_blocking(move || work(&reads));
    let mut look_after = patience;
    loop {
        match timeout(look_after, &mut under_way).await {
            Ok(Ok(done)) => return Some(done),
            Ok(Err(ended)) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends, and this with it.
                Err(_cancelled) => pending().await,
            },
            Err(_elapsed) => look_after = left_to(since.noted(), Instant::now(), patience)?,
        }
    }
}

/// How long work is waited for before the next look at it; not at all where its read has been under way for too long.
fn left_to(read_since: Option<Instant>, now: Instant, patience: Duration) -> Option<Duration> {
    let taken = read_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
    patience.checked_sub(taken).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn only_a_read_that_is_under_way_for_too_long_ends_the_wait() {
        let (begun, second) = (Instant::now(), Duration::from_secs(1));
        let at = |seconds: u32| begun + seconds * second;
        let left = |since, now| left_to(since, now, 10 * second);
        assert_eq!(left(None, at(1000)), Some(10 * second), "it reads nothing");
        assert_eq!(left(Some(at(3)), at(10)), Some(3 * second), "its time is that of the read");
        assert_eq!(left(Some(at(3)), at(12)), Some(second));
        assert_eq!(left(Some(at(3)), at(13)), None);
        assert_eq!(left(Some(at(3)), at(99)), None);
        assert_eq!(left(Some(at(12)), at(13)), Some(9 * second), "the next one has its own");
    }

    #[tokio::test]
    async fn work_whose_read_hangs_is_not_waited_for_and_ends_before_its_next_read() {
        let (free, hangs) = channel::<()>();
        let (done, is_done) = channel();
        let held = Arc::new(());
        let in_its_hands = held.clone();
        let work = move |reads: &WatchedReads| {
            let first = reads.read(|| hangs.recv().is_err());
            let second = reads.read(|| true);
            drop(in_its_hands);
            done.send((first, second)).unwrap();
        };
        assert_eq!(watch(Duration::from_millis(20), work).await, None);
        assert_eq!(Arc::strong_count(&held), 2, "it is still under way");
        drop(free);
        assert_eq!(is_done.recv_timeout(LONG), Ok((Some(true), None)), "nobody waits any more");
    }

    #[tokio::test]
    async fn work_that_reads_nothing_is_waited_for_however_long_it_takes() {
        let patience = Duration::from_millis(1);
        let work = move |_: &WatchedReads| {
            let begun = Instant::now();
            while begun.elapsed() < 50 * patience {
                std::thread::yield_now();
            }
        };
        assert_eq!(watch(patience, work).await, Some(()));
    }

    #[tokio::test]
    async fn a_panic_is_that_of_who_waits() {
        let waiting = tokio::spawn(watch(LONG, |_| -> u8 { panic!("on purpose") }));
        assert!(waiting.await.unwrap_err().is_panic());
    }
}
