//! Several files brought to stable storage beside one another.
//!
//! A system that is asked to sync one file after the other waits for the disk as often; asked for all of them at once, it
//! waits for the disk once or twice. So each file has a thread of its own while its group is synced, up to a bound; the
//! threads come into being when a group first needs them. They never decide what is synced, nor who is told.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::fault::Fault;

/// How many files are synced beside one another at most.
const THREADS_MAX: usize = 16;

/// The threads of a log directory that sync beside its own.
#[derive(Default)]
pub struct Beside {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Bound: one for each thread, of one group at a time.
    calls: Vec<Arc<Group>>,
    closing: bool,
}

/// What is done to the files of a group, by number.
type Work = Box<dyn Fn(usize) -> Result<(), Fault> + Send + Sync>;

/// Files that are synced together.
struct Group {
    sync: Work,
    count: usize,
    next: AtomicUsize,
    outcome: Mutex<Outcome>,
    ended: Condvar,
}

struct Outcome {
    left: usize,
    fault: Option<Fault>,
}

impl Beside {
    /// Does `sync` for every number below `count`, in any order and beside one another, on this thread and others; the first
    /// fault of the disk, if there was any. Nothing is left running when this returns.
    pub fn each(
        &self,
        directory: &Path,
        count: usize,
        sync: impl Fn(usize) -> Result<(), Fault> + Send + Sync + 'static,
    ) -> Result<(), Fault> {
        let outcome = Mutex::new(Outcome { left: count, fault: None });
        let group = Arc::new(Group {
            sync: Box::new(sync),
            count,
            next: AtomicUsize::new(0),
            outcome,
            ended: Condvar::new(),
        });
        let helpers = self.helpers(count.saturating_sub(1).min(THREADS_MAX - 1));
        if helpers > 0 {
            let mut queue = self.shared.lock();
            queue.calls.extend((0..helpers).map(|_| group.clone()));
            drop(queue);
            self.shared.wake.notify_all();
        }
        group.work(directory);
        let fault = group.wait();
        // Who was called and has not come finds nothing to do.
        self.shared.lock().calls.clear();
        fault.map_or(Ok(()), Err)
    }

    /// How many threads there are to help, after as many as are `wanted` were started; fewer do it more slowly.
    fn helpers(&self, wanted: usize) -> usize {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        while threads.len() < wanted {
            let shared = self.shared.clone();
            let named = std::thread::Builder::new().name("group-commit-beside".into());
            match named.spawn(move || shared.run()) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    tracing::debug!(%error, "no further thread can be started to sync files");
                    break;
                }
            }
        }
        threads.len().min(wanted)
    }
}

impl Drop for Beside {
    /// Ends the threads; none is at work, for who had them work has waited for them.
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_all();
        for thread in self.threads.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // Whatever it was given may have held the last handle of the directory; no thread waits for itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ended = thread.join();
            }
        }
    }
}

impl Shared {
    fn run(&self) {
        loop {
            let group = {
                let queue = self.lock();
                let mut queue = self
                    .wake
                    .wait_while(queue, |queue| queue.calls.is_empty() && !queue.closing)
                    .unwrap_or_else(PoisonError::into_inner);
                match queue.calls.pop() {
                    Some(group) => group,
                    None => return,
                }
            };
            group.work(Path::new("its log directory"));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    /// Syncs one file after the other until none is left that nobody has begun.
    fn work(&self, directory: &Path) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.count {
                return;
            }
            let synced = catch_unwind(AssertUnwindSafe(|| (self.sync)(number)));
            let outcome = synced.unwrap_or_else(|_| {
                let reason = "a thread that makes files durable has panicked";
                Err(Fault::Offline { path: directory.to_owned(), reason: reason.into() })
            });
            self.note(outcome.err());
        }
    }

    fn note(&self, fault: Option<Fault>) {
        let mut outcome = self.lock();
        outcome.left -= 1;
        // Who came after a fault of the disk knows of it only that the directory is offline.
        if matches!(outcome.fault, None | Some(Fault::Offline { .. })) && fault.is_some() {
            outcome.fault = fault;
        }
        if outcome.left == 0 {
            self.ended.notify_all();
        }
    }

    fn wait(&self) -> Option<Fault> {
        let outcome = self.lock();
        let mut outcome = self
            .ended
            .wait_while(outcome, |outcome| outcome.left > 0)
            .unwrap_or_else(PoisonError::into_inner);
        outcome.fault.take()
    }

    fn lock(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn the_files_of_a_group_are_synced_beside_one_another_and_each_once() {
        let beside = Beside::default();
        let (barrier, times) = (Arc::new(Barrier::new(8)), Arc::new(AtomicUsize::new(0)));
        for _ in 0..3 {
            let (barrier, times) = (barrier.clone(), times.clone());
            let sync = move |_| {
                // Passed only by eight threads at once.
                barrier.wait();
                times.fetch_add(1, Ordering::SeqCst);
                Ok(())
            };
            beside.each(Path::new("d"), 8, sync).unwrap();
        }
        assert_eq!(times.load(Ordering::SeqCst), 24);
    }

    #[test]
    fn a_group_is_as_good_as_its_worst_file() {
        let beside = Beside::default();
        let fault = |number| Fault::Offline { path: "d".into(), reason: format!("file {number}").into() };
        let sync = move |number| if number == 3 { Err(fault(number)) } else { Ok(()) };
        let told = beside.each(Path::new("d"), 5, sync).unwrap_err().to_string();
        assert!(told.contains("file 3"), "{told}");
        assert!(beside.each(Path::new("d"), 5, |_| Ok(())).is_ok());
    }

    #[test]
    fn a_panic_is_a_fault_and_nobody_waits_for_ever() {
        let beside = Beside::default();
        let sync = |number| if number == 1 { panic!("here") } else { Ok(()) };
        let told = beside.each(Path::new("d"), 4, sync).unwrap_err().to_string();
        assert!(told.contains("panicked"), "{told}");
    }
}
