//! The threads that read: one for each log directory, so that a disk that hangs holds up the readers of what lies on it
//! and of nothing else (ADR 0013).
//!
//! Driven by [`super::ColdReads`]. What is read, and what is found, is nothing to it.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use protocol::id::DirectoryId;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

use super::{Brought, STRIDE};
use crate::runtime::short_slices;

/// How nice a thread is to others, from 0 to 19: who catches up is not to hold up who is there.
const NICENESS: i32 = 10;
/// How many jobs lie in an inbox; whoever comes then waits, in line, until one is taken out.
const JOBS_MAX: usize = 64;

/// What a thread is to do, with room to read into.
pub(super) type Work = Box<dyn FnOnce(&mut [u8]) -> Vec<Brought> + Send>;

struct Job {
    work: Work,
    done: oneshot::Sender<Vec<Brought>>,
}

/// The threads; each is started with the first job for its directory.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// Bound: the log directories there are.
    lanes: Mutex<HashMap<DirectoryId, Sender<Job>>>,
}

impl Lanes {
    /// Hands work to the thread of a directory, once there is room in its inbox. What is handed back has ended without an
    /// answer if the work panicked.
    pub(super) async fn submit(&self, directory: DirectoryId, work: Work) -> oneshot::Receiver<Vec<Brought>> {
        let (done, is_done) = oneshot::channel();
        let job = Job { work, done };
        match self.lane(directory) {
            // A thread ends after its senders only.
            Ok(lane) => drop(lane.send(job).await),
            Err(error) => {
                tracing::error!(
                    %error,
                    "no thread for cold reads: readers of old records hold up others until the system gives one"
                );
                job.run(&mut vec![0; STRIDE as usize]);
            }
        }
        is_done
    }

    fn lane(&self, directory: DirectoryId) -> std::io::Result<Sender<Job>> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(&directory) {
            return Ok(lane.clone());
        }
        let (lane, inbox) = channel(JOBS_MAX);
        std::thread::Builder::new().name("cold-reads".into()).spawn(move || run(inbox))?;
        lanes.insert(directory, lane.clone());
        Ok(lane)
    }
}

impl Job {
    fn run(self, scratch: &mut [u8]) {
        // Who waited may be gone: on a disk that hangs others have come instead.
        if self.done.is_closed() {
            return;
        }
        // A panic has said what it is; its reader hears that the work did not end.
        if let Ok(brought) = catch_unwind(AssertUnwindSafe(|| (self.work)(scratch))) {
            let _gone = self.done.send(brought);
        }
    }
}

/// Ends when the broker is gone, with the last sender of jobs.
fn run(mut inbox: Receiver<Job>) {
    short_slices::leave();
    // On Linux a priority is a thread's own.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "cold reads run at the priority of everything else");
    }
    let mut scratch = vec![0; STRIDE as usize];
    while let Some(job) = inbox.blocking_recv() {
        job.run(&mut scratch);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use protocol::id::Uuid;
    use tokio::task::yield_now;

    use super::*;

    const ONE: DirectoryId = Uuid([1; 16]);
    const OTHER: DirectoryId = Uuid([2; 16]);

    /// Has the thread of a directory hang until the other end is dropped.
    async fn hang(
        lanes: &Lanes,
        directory: DirectoryId,
    ) -> (mpsc::Sender<()>, oneshot::Receiver<Vec<Brought>>) {
        let (go, hung) = mpsc::channel::<()>();
        let work = move |_: &mut [u8]| {
            let _freed = hung.recv();
            vec![None]
        };
        (go, lanes.submit(directory, Box::new(work)).await)
    }

    fn counting(count: &Arc<AtomicUsize>) -> Work {
        let count = count.clone();
        Box::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            vec![None, None]
        })
    }

    #[tokio::test]
    async fn a_directory_that_hangs_holds_up_its_own_readers_only() {
        let (lanes, count) = (Lanes::default(), Arc::default());
        let (go, hung) = hang(&lanes, ONE).await;
        let behind = lanes.submit(ONE, counting(&count)).await;
        assert_eq!(lanes.submit(OTHER, counting(&count)).await.await.unwrap().len(), 2);
        assert_eq!(count.load(Ordering::SeqCst), 1, "who is behind it waits");
        drop(go);
        assert_eq!((hung.await.unwrap().len(), behind.await.unwrap().len()), (1, 2));
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_reader_only() {
        let (lanes, count) = (Lanes::default(), Arc::default());
        let (go, hung) = hang(&lanes, ONE).await;
        let panics = lanes.submit(ONE, Box::new(|_| panic!("on purpose"))).await;
        let behind = lanes.submit(ONE, counting(&count)).await;
        drop(go);
        assert!(hung.await.is_ok());
        assert!(panics.await.is_err(), "it is told");
        assert_eq!(behind.await.unwrap().len(), 2);
        assert_eq!(lanes.submit(ONE, counting(&count)).await.await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn an_inbox_is_bounded_and_what_nobody_waits_for_is_not_read() {
        let (lanes, count) = (Arc::new(Lanes::default()), Arc::default());
        let (go, hung) = hang(&lanes, ONE).await;
        let (mut is_full, mut waiting) = (false, Vec::new());
        // One more than there is room for, if the thread has taken out the first already.
        while waiting.len() < JOBS_MAX + 1 {
            let (lanes, work) = (lanes.clone(), counting(&count));
            // What it is answered by is awaited later.
            let mut submitted = tokio::spawn(async move { (lanes.submit(ONE, work).await,) });
            for _ in 0..10 {
                yield_now().await;
            }
            if !submitted.is_finished() {
                // Who gives up waiting leaves nothing behind.
                submitted.abort();
                assert!((&mut submitted).await.is_err());
                is_full = true;
                break;
            }
            waiting.push(submitted.await.unwrap().0);
        }
        assert!(is_full && waiting.len() >= JOBS_MAX - 1, "{} jobs", waiting.len());
        let kept = waiting.pop().unwrap();
        drop(waiting);
        drop(go);
        assert!(hung.await.is_ok() && kept.await.is_ok());
        assert_eq!(count.load(Ordering::SeqCst), 1, "only who still waits is served");
    }
}
