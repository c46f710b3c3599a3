//! Work that keeps a processor busy for a millisecond or more: its thread does nothing else meanwhile, and other threads go
//! on with the connections.
//!
//! A few may do such work at once, more than the processors can serve; beyond that it is done by the threads of connections
//! as all else is, and what comes in waits for one of them. Nothing here waits, or knows what the work is. Driven by Produce,
//! for batches that take long to validate or to make of old message sets.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Handle, RuntimeFlavor};

use super::partitions::connection_threads;
use super::short_slices;

/// How many do such work with a thread of their own.
static AT_IT: AtomicUsize = AtomicUsize::new(0);

/// Who does the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Thread {
    /// One that connections may wait for, or that has nothing to do with them.
    AsItWas,
    /// One that was of connections and is not, until the work is done.
    GivenUp,
}

/// Does what takes long.
pub fn run<R>(work: impl FnOnce(Thread) -> R) -> R {
    let in_a_task = tokio::task::try_id().is_some();
    let multi_thread =
        |runtime: Handle| in_a_task && matches!(runtime.runtime_flavor(), RuntimeFlavor::MultiThread);
    if !Handle::try_current().is_ok_and(multi_thread) {
        return work(Thread::AsItWas);
    }
    match Place::take(&AT_IT, 2 * connection_threads()) {
        Some(_place) => tokio::task::block_in_place(|| {
            let _usual = UsualSlices::begin();
            work(Thread::GivenUp)
        }),
        None => work(Thread::AsItWas),
    }
}

/// One of those at it.
struct Place(&'static AtomicUsize);

impl Place {
    fn take(at_it: &'static AtomicUsize, most: usize) -> Option<Self> {
        let one_more = |count| (count < most).then_some(count + 1);
        at_it.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Self(at_it))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The thread lets those of connections run as soon as they are woken, until this is dropped.
struct UsualSlices;

impl UsualSlices {
    fn begin() -> Self {
        short_slices::leave();
        Self
    }
}

impl Drop for UsualSlices {
    fn drop(&mut self) {
        short_slices::ask();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn the_only_thread_of_connections_goes_on_with_them_while_one_works_for_long() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (done, until_done) = channel();
        let work = move |thread| until_done.recv().is_ok() && thread == Thread::GivenUp;
        let long = runtime.spawn(async move { run(work) });
        let other = runtime.spawn(async move { done.send(()).is_ok() });
        assert!(runtime.block_on(async { long.await.unwrap() && other.await.unwrap() }));
        assert_eq!(run(|thread| thread), Thread::AsItWas, "apart from any task");
    }

    #[test]
    fn no_more_are_at_it_at_once_than_may_be() {
        static SOME: AtomicUsize = AtomicUsize::new(0);
        let (one, two) = (Place::take(&SOME, 2), Place::take(&SOME, 2));
        assert!(one.is_some() && two.is_some() && Place::take(&SOME, 2).is_none());
        drop(one);
        assert!(Place::take(&SOME, 2).is_some());
    }
}
