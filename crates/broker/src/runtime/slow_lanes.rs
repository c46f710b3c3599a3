//! Where requests wait for a log directory that does not keep up ([`storage::pace`]): a thread for each such directory.
//!
//! Appends and reads run on the threads of connections. What touches a partition in a slow directory is run by that
//! directory's own thread instead, one request after the other, so that a stalled disk holds up its own partitions and no
//! other connection. What the coordinators do by themselves has threads like these of its own. Driven by the handlers of
//! Produce and Fetch and by the coordinators; nothing here knows what is run.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

use protocol::id::DirectoryId;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::net::Close;

/// What a thread does.
pub type Job = Box<dyn FnOnce() + Send>;

/// The threads; each is started with the first job for its directory.
#[derive(Default)]
pub struct SlowLanes {
    /// Bound of each queue: one job for each connection, which waits for it; of fetches that were answered without theirs as
    /// many as have turns at a time, of which the one under way holds its whole request and what it reads; and of each shard
    /// of a coordinator one to wake it, one to have it forget deleted topics, one to bring it to stable storage and one to let
    /// it go.
    lanes: Mutex<HashMap<DirectoryId, Sender<Job>>>,
}

impl SlowLanes {
    /// Runs something on the thread of a directory, and waits for it.
    ///
    /// # Errors
    /// The end of the connection, if it panicked: what became of it is not known.
    pub async fn run<T: Send + 'static>(
        &self,
        directory: DirectoryId,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Close> {
        let (done, is_done) = oneshot::channel();
        let runtime = Handle::current();
        self.submit(
            directory,
            Box::new(move || {
                // What is run may ask somebody whose answer has a time limit.
                let _entered = runtime.enter();
                drop(done.send(work()));
            }),
        );
        is_done.await.map_err(|_| Close::Unfinished)
    }

    /// Has something done by the thread of a directory, and does not wait for it.
    pub fn submit(&self, directory: DirectoryId, job: Job) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let job = match lanes.get(&directory) {
            Some(lane) => match lane.send(job) {
                Ok(()) => return,
                Err(unsent) => unsent.0,
            },
            None => job,
        };
        match start() {
            Ok(lane) => {
                // A thread that has just begun takes it.
                let _taken = lane.send(job);
                lanes.insert(directory, lane);
            }
            Err(error) => {
                drop(lanes);
                tracing::error!(%error, "no thread for a slow log directory: it may hold up others");
                job();
            }
        }
    }
}

fn start() -> std::io::Result<Sender<Job>> {
    let (lane, inbox) = channel();
    std::thread::Builder::new().name("slow-directory".into()).spawn(move || run(&inbox))?;
    Ok(lane)
}

/// Ends when the broker is gone, with the last sender of jobs.
fn run(inbox: &Receiver<Job>) {
    super::short_slices::leave();
    for job in inbox {
        // The panic has said what it is; who waits for the job hears that it did not end.
        let _panicked = catch_unwind(AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use protocol::id::Uuid;

    use super::*;

    #[tokio::test]
    async fn a_directory_that_stalls_stops_no_other_and_a_panic_only_its_own_job() {
        let lanes = SlowLanes::default();
        let (one, other) = (Uuid([1; 16]), Uuid([2; 16]));
        let (go, stalled) = channel::<()>();
        let first = lanes.run(one, move || stalled.recv().is_ok());
        let second = lanes.run(one, || 2);
        tokio::pin!(first, second);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(1), &mut first).await.is_err());
        assert_eq!(lanes.run(other, || 7).await.unwrap(), 7);
        go.send(()).unwrap();
        assert!(first.await.unwrap());
        assert_eq!(second.await.unwrap(), 2);
        assert!(lanes.run(one, || panic!("on purpose")).await.is_err());
        assert_eq!(lanes.run(one, || 3).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn what_is_run_may_set_itself_a_time_limit() {
        let lanes = SlowLanes::default();
        let soon =
            lanes.run(Uuid([1; 16]), || tokio::time::timeout(Duration::from_millis(1), pending::<()>()));
        assert!(soon.await.unwrap().await.is_err());
    }
}
