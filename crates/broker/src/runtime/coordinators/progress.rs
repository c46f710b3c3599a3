//! How far the records of a shard may be answered for: up to where all in-sync replicas have them, and where the log
//! asks for it, up to where they are on stable storage.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use protocol::offset::Offset;
use storage::Fault;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::runtime::delayed::Waiter;
use crate::runtime::partitions::Replica;

/// The progress of one shard.
pub(super) struct Progress {
    /// Where both have come to, for who need not wait.
    safe: AtomicI64,
    reached: watch::Sender<Reached>,
    follows: AtomicBool,
    /// The runtime for who follows.
    tasks: Handle,
}

#[derive(Clone, Debug)]
struct Reached {
    replicated: Offset,
    durable: Offset,
    /// Up to where the log was to come to stable storage when that last failed, and why, until it has come there.
    failed: Option<(Offset, Arc<str>)>,
}

impl Reached {
    /// Why what lies before `end` is not safe and nobody is at it any more.
    fn failure(&self, end: Offset) -> Option<&Arc<str>> {
        let failed = self.failed.as_ref().filter(|(at, _)| self.safe() < end && *at >= end);
        failed.map(|(_, why)| why)
    }

    fn safe(&self) -> Offset {
        self.replicated.min(self.durable)
    }

    fn is_durable(&mut self, end: Offset) {
        self.durable = self.durable.max(end);
        // What comes to stable storage later has everything before it there, too.
        if self.failed.as_ref().is_some_and(|(at, _)| *at <= self.durable) {
            self.failed = None;
        }
    }
}

impl Progress {
    /// Everything before `safe` may be told.
    pub(super) fn new(safe: Offset, tasks: Handle) -> Arc<Self> {
        let reached = Reached { replicated: safe, durable: safe, failed: None };
        Arc::new(Self {
            safe: AtomicI64::new(safe.0),
            reached: watch::Sender::new(reached),
            follows: AtomicBool::new(false),
            tasks,
        })
    }

    /// That of what was read of a log up to `end`: it is no safer than any other record. Who was before on this broker
    /// may have written it a moment ago.
    pub(super) fn of_loaded(replica: &Arc<Replica>, end: Offset, tasks: Handle) -> Arc<Self> {
        let progress = Self::new(Offset(0), tasks);
        if let Err(fault) = progress.appended(replica, end) {
            progress.fail(end, &fault.to_string());
        }
        progress
    }

    /// Whether everything before `end` may be answered for.
    pub(super) fn is_safe(&self, end: Offset) -> bool {
        self.safe.load(Ordering::SeqCst) >= end.0
    }

    /// Records up to `end` are in the log; in the whole of the cluster, where the high watermark says so.
    pub(super) fn appended(self: &Arc<Self>, replica: &Arc<Replica>, end: Offset) -> Result<(), Fault> {
        let mut log = replica.log()?;
        let commit_due = log.commit_due();
        if commit_due {
            let (progress, appended) = (self.clone(), replica.clone());
            log.commit(Box::new(move |outcome| match outcome {
                Ok(()) => {
                    // The high watermark has waited for this.
                    if let Some(high_watermark) = appended.synced(1) {
                        progress.replicated(high_watermark);
                    }
                    progress.durable(end);
                }
                Err(fault) => progress.fail(end, &fault.to_string()),
            }));
        }
        let high_watermark = log.partition().watermarks().high_watermark;
        drop(log);
        let (durable, replicated) = (!commit_due, high_watermark >= end);
        if durable || replicated {
            self.change(|reached| {
                if durable {
                    reached.is_durable(end);
                }
                if replicated {
                    reached.replicated = reached.replicated.max(end);
                }
            });
        }
        if !replicated && !self.follows.swap(true, Ordering::SeqCst) {
            self.tasks.spawn(follow(self.clone(), replica.clone()));
        }
        Ok(())
    }

    /// Waits until everything before `end` may be answered for.
    pub(super) async fn wait(&self, end: Offset, most: Duration) -> Result<(), String> {
        if self.is_safe(end) {
            return Ok(());
        }
        let mut reached = self.reached.subscribe();
        let done = reached.wait_for(|reached| reached.safe() >= end || reached.failure(end).is_some());
        match tokio::time::timeout(most, done).await {
            Ok(Ok(reached)) => match reached.failure(end) {
                Some(why) => Err(why.to_string()),
                None => Ok(()),
            },
            Ok(Err(_)) => Err("the coordinator is gone".to_owned()),
            Err(_) => Err("the replicas of the internal topic did not follow in time".to_owned()),
        }
    }

    fn durable(&self, end: Offset) {
        self.change(|reached| reached.is_durable(end));
    }

    fn replicated(&self, end: Offset) {
        self.change(|reached| reached.replicated = reached.replicated.max(end));
    }

    /// What lies before `end` did not come to stable storage.
    pub(super) fn fail(&self, end: Offset, why: &str) {
        self.change(|reached| {
            let at = reached.failed.as_ref().map_or(end, |(at, _)| end.max(*at));
            reached.failed = Some((at, why.into()));
        });
    }

    /// As [`Self::wait`]. Where that has failed and nobody is at it, `again` is told first up to where the log is to come to
    /// stable storage: there may be room again, and it may be long until the next append.
    pub(super) async fn wait_or_try(
        &self,
        end: Offset,
        most: Duration,
        again: impl FnOnce(Offset),
    ) -> Result<(), String> {
        if let Some(at) = self.take_failure(end) {
            again(at);
        }
        self.wait(end, most).await
    }

    /// Forgets that what lies before `end` did not come to stable storage, and whatever else did not: up to where that is to
    /// be tried again by who asks, for everybody.
    fn take_failure(&self, end: Offset) -> Option<Offset> {
        let mut taken = None;
        self.reached.send_if_modified(|reached| {
            if reached.failure(end).is_some() {
                taken = reached.failed.take().map(|(at, _)| at);
            }
            taken.is_some()
        });
        taken
    }

    /// Follows no more, unless there is something to follow again. An append between the look and the word that nobody
    /// follows has found somebody who did. Says whether this one is to end.
    fn rests(&self, is_behind: impl FnOnce() -> bool) -> bool {
        self.follows.store(false, Ordering::SeqCst);
        !is_behind() || self.follows.swap(true, Ordering::SeqCst)
    }

    fn change(&self, change: impl FnOnce(&mut Reached)) {
        self.reached.send_modify(|reached| {
            change(reached);
            self.safe.store(reached.safe().0, Ordering::SeqCst);
        });
    }
}

/// Follows the high watermark as long as it is behind the log.
async fn follow(progress: Arc<Progress>, replica: Arc<Replica>) {
    let waiter = Waiter::new(1);
    let place = replica.waiters.add(waiter.clone());
    loop {
        waiter.lacks(1);
        let is_behind = || {
            let marks = replica.at_directory(|_| replica.log().map(|log| log.partition().watermarks()));
            let Ok(marks) = marks else { return false };
            progress.replicated(marks.high_watermark);
            marks.high_watermark < marks.log_end && !replica.waiters.have_ended()
        };
        if !is_behind() && progress.rests(is_behind) {
            break;
        }
        waiter.woken().await;
    }
    replica.waiters.remove(place);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn what_did_not_come_to_stable_storage_once_holds_up_nothing_later() {
        let progress = Progress::new(Offset(0), Handle::current());
        progress.replicated(Offset(20));
        progress.fail(Offset(5), "the disk is full");
        assert_eq!(progress.wait(Offset(5), LONG).await, Err("the disk is full".to_owned()));
        let waits = progress.clone();
        let later = tokio::spawn(async move { waits.wait(Offset(10), LONG).await });
        tokio::task::yield_now().await;
        progress.durable(Offset(10));
        assert_eq!(later.await.unwrap(), Ok(()), "there was room again");
        assert_eq!(progress.wait(Offset(5), LONG).await, Ok(()), "it is there now, too");
    }

    #[tokio::test]
    async fn who_waits_has_all_tried_again_that_did_not_come_to_stable_storage() {
        let progress = Progress::new(Offset(0), Handle::current());
        progress.replicated(Offset(20));
        progress.fail(Offset(12), "the disk is full");
        let nobody = |_: Offset| panic!("nobody has tried that yet, or somebody is at it");
        let waits = progress.clone();
        let not_tried = tokio::spawn(async move { waits.wait_or_try(Offset(13), LONG, nobody).await });
        tokio::task::yield_now().await;
        let waits = progress.clone();
        let again = |at| waits.durable(at);
        assert_eq!(progress.wait_or_try(Offset(5), LONG, again).await, Ok(()));
        assert_eq!(
            progress.wait_or_try(Offset(12), LONG, nobody).await,
            Ok(()),
            "it is there with the first"
        );
        progress.durable(Offset(13));
        assert_eq!(not_tried.await.unwrap(), Ok(()));
    }
}
