//! Work on a thread of its own that is waited for as long as it goes on: who waits holds what others may want.
//!
//! Work that may come upon a disk that hangs notes each of its steps. Where it has made none for a while whoever waits
//! goes on without it; it finds that out with its next step, and ends. Driven by the conversions of Fetch 0 to 3; what is
//! done is nothing to it. Nothing here ends a thread: how many hang is bounded by who starts them.

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// What work tells of itself to whoever waits for it.
#[derive(Debug)]
pub struct Watched(Weak<AtomicU64>);

impl Watched {
    /// Counts steps here, as long as that is there.
    pub fn by(steps: &Arc<AtomicU64>) -> Self {
        Self(Arc::downgrade(steps))
    }

    /// Notes a step. Says whether anybody waits for what comes of the next one.
    pub fn step(&self) -> bool {
        self.0.upgrade().is_some_and(|steps| {
            steps.fetch_add(1, Ordering::Relaxed);
            true
        })
    }
}

/// Does some work on a thread where it may take its time. `None` once it has made no step for so long: then it may still
/// be under way.
pub async fn watched<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce(&Watched) -> T + Send + 'static,
) -> Option<T> {
    let steps = Arc::new(AtomicU64::new(0));
    let telling = Watched::by(&steps);
    let mut under_way = spawn_blocking(move || work(&telling));
    let mut seen = 0;
    loop {
        match timeout(patience, &mut under_way).await {
            Ok(Ok(done)) => return Some(done),
            Ok(Err(ended)) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends, and this with it.
                Err(_cancelled) => pending().await,
            },
            Err(_late) => match steps.load(Ordering::Relaxed) {
                made if made > seen => seen = made,
                _ => return None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn work_that_stands_still_is_not_waited_for_and_ends_with_its_next_step() {
        let (free, hangs) = channel::<()>();
        let (done, is_done) = channel();
        let held = Arc::new(());
        let in_its_hands = held.clone();
        let work = move |watched: &Watched| {
            let began = watched.step();
            let _freed = hangs.recv();
            let goes_on = watched.step();
            drop(in_its_hands);
            done.send((began, goes_on)).unwrap();
        };
        assert_eq!(watched(Duration::from_millis(20), work).await, None);
        assert_eq!(Arc::strong_count(&held), 2, "it is still under way");
        drop(free);
        assert_eq!(is_done.recv_timeout(LONG), Ok((true, false)), "nobody waits any more");
    }

    #[tokio::test]
    async fn work_that_goes_on_is_waited_for_however_long_it_takes() {
        let patience = Duration::from_millis(500);
        let begun = Instant::now();
        let work = move |watched: &Watched| {
            while begun.elapsed() < 3 * patience {
                assert!(watched.step());
                std::thread::yield_now();
            }
            7
        };
        assert_eq!(watched(patience, work).await, Some(7));
    }

    #[tokio::test]
    async fn a_panic_is_that_of_who_waits() {
        let waiting = tokio::spawn(watched(LONG, |_| -> u8 { panic!("on purpose") }));
        assert!(waiting.await.unwrap_err().is_panic());
    }
}
