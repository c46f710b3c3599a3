//! Telling those who wait for stable storage, all of a group at once.
//!
//! A task of a connection that is woken from another thread takes a processor from that thread: told one by one, a group of
//! sixty-four would be as many switches there and back. So what came of a group is kept until all of its files have been told, and
//! one task of the connections' runtime tells who waits. It never decides what came of anything. Driven by the threads of log
//! directories that sync (`storage::group_commit`).

use std::cell::RefCell;

use storage::Fault;
use storage::group_commit::after_the_group;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// What came of an append, and who waits to be told.
type Told = (oneshot::Sender<Result<(), Fault>>, Result<(), Fault>);

thread_local! {
    /// Those of the group that this thread has synced. Bound: one for each append of it.
    static GROUP: RefCell<Vec<Told>> = const { RefCell::new(Vec::new()) };
}

/// Tells who waits what came of its append, with all others of the same group, on the runtime that waits for them; without one
/// at once.
pub fn tell(waiting: oneshot::Sender<Result<(), Fault>>, outcome: Result<(), Fault>, tasks: Option<&Handle>) {
    let Some(tasks) = tasks else {
        tell_all(vec![(waiting, outcome)]);
        return;
    };
    let first = GROUP.with_borrow_mut(|group| {
        group.push((waiting, outcome));
        group.len() == 1
    });
    if first {
        let tasks = tasks.clone();
        after_the_group(move || {
            let group = GROUP.take();
            match group.len() {
                0 | 1 => tell_all(group),
                _ => drop(tasks.spawn(async move { tell_all(group) })),
            }
        });
    }
}

fn tell_all(group: Vec<Told>) {
    for (waiting, outcome) in group {
        // Nobody may be listening any more: the connection is gone.
        let _gone = waiting.send(outcome);
    }
}

#[cfg(test)]
mod tests {
    use storage::group_commit::as_a_group;

    use super::*;

    #[test]
    fn a_group_is_told_by_one_task_once_all_of_it_is_known() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (tasks, mut waiting) = (runtime.handle().clone(), Vec::new());
        as_a_group(|| {
            for _ in 0..3 {
                let (sender, receiver) = oneshot::channel();
                tell(sender, Ok(()), Some(&tasks));
                waiting.push(receiver);
                assert!(waiting.iter_mut().all(|told| told.try_recv().is_err()));
            }
        });
        assert_eq!(runtime.metrics().num_alive_tasks(), 1, "one task tells all");
        runtime.block_on(async {
            for told in waiting {
                told.await.unwrap().unwrap();
            }
        });
    }

    #[test]
    fn who_waits_alone_is_told_at_once() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for tasks in [None, Some(runtime.handle())] {
            let (sender, mut told) = oneshot::channel();
            as_a_group(|| tell(sender, Ok(()), tasks));
            told.try_recv().unwrap().unwrap();
        }
    }
}
