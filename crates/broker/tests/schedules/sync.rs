//! What stands in for the runtime's `sync`: shuttle's locks and atomics, tasks that shuttle schedules, and time that passes
//! only where a test says so. Nothing is given up for taking too long: what nobody tells anything of is a deadlock, and found.

pub use std::sync::{Arc, PoisonError, TryLockError};
pub use std::time::Instant;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use shuttle::future::JoinHandle;
pub use shuttle::sync::atomic::{AtomicBool, AtomicI64, Ordering};
pub use shuttle::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard};

thread_local! {
    /// All of a schedule runs on one real thread.
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static BEGUN: Instant = Instant::now();
    static TASKS: RefCell<Vec<JoinHandle<()>>> = const { RefCell::new(Vec::new()) };
}

/// The time.
pub fn now() -> Instant {
    BEGUN.with(|begun| *begun) + PASSED.get()
}

/// Time passes.
pub fn pass(time: Duration) {
    PASSED.set(PASSED.get() + time);
}

/// Whether a thread panicked with what lies under a lock.
pub fn is_poisoned<T>(lock: &Mutex<T>) -> bool {
    matches!(lock.try_lock(), Err(TryLockError::Poisoned(_)))
}

/// Waits for as long as it takes.
pub async fn timeout<F: Future>(_: Duration, work: F) -> Result<F::Output, Infallible> {
    Ok(work.await)
}

/// Where tasks run: all of them beside each other, as shuttle schedules them.
#[derive(Clone, Debug)]
pub struct Handle;

impl Handle {
    /// Has a task run; it does so whether anybody waits for it or not.
    pub fn spawn<F>(&self, task: F) -> Spawned
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = shuttle::future::spawn(task);
        TASKS.with_borrow_mut(|tasks| tasks.push(task));
        Spawned
    }
}

/// A task that runs.
pub struct Spawned;

/// Begins anew: what was spawned in an order before this one is none of its tasks.
pub fn begin() {
    TASKS.take().into_iter().for_each(std::mem::forget);
}

/// Waits until every task is through that was ever spawned: none is to be cut off in the middle of something.
pub fn all_are_through() {
    while let Some(task) = TASKS.with_borrow_mut(Vec::pop) {
        shuttle::future::block_on(task).unwrap();
    }
}

/// As tokio's, over a lock that shuttle knows of: the change of a value is watched from within it.
pub mod watch {
    use std::convert::Infallible;
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::task::{Poll, Waker};

    use shuttle::sync::Mutex;

    /// A value that is waited for.
    pub struct Sender<T>(Arc<Mutex<Watched<T>>>);

    /// One that waits for it.
    pub struct Receiver<T>(Arc<Mutex<Watched<T>>>);

    struct Watched<T> {
        value: T,
        waiting: Vec<Waker>,
    }

    impl<T: Clone> Sender<T> {
        /// A value.
        pub fn new(value: T) -> Self {
            Self(Arc::new(Mutex::new(Watched { value, waiting: Vec::new() })))
        }

        /// One that waits.
        pub fn subscribe(&self) -> Receiver<T> {
            Receiver(self.0.clone())
        }

        /// Changes it, and wakes who waits.
        pub fn send_modify(&self, change: impl FnOnce(&mut T)) {
            self.send_if_modified(|value| {
                change(value);
                true
            });
        }

        /// Changes it, and wakes who waits if it has changed.
        pub fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
            let mut watched = self.0.lock().unwrap();
            let changed = change(&mut watched.value);
            let woken = if changed { std::mem::take(&mut watched.waiting) } else { Vec::new() };
            drop(watched);
            woken.into_iter().for_each(Waker::wake);
            changed
        }
    }

    impl<T: Clone> Receiver<T> {
        /// Waits until it is what is wanted.
        pub async fn wait_for(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Result<T, Infallible> {
            poll_fn(|context| {
                let mut watched = self.0.lock().unwrap();
                if wanted(&watched.value) {
                    return Poll::Ready(Ok(watched.value.clone()));
                }
                watched.waiting.push(context.waker().clone());
                Poll::Pending
            })
            .await
        }
    }
}
