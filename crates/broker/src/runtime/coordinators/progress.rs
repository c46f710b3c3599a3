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
    failed: Option<Arc<str>>,
}

impl Reached {
    fn safe(&self) -> Offset {
        self.replicated.min(self.durable)
    }
}

impl Progress {
    /// Everything that was loaded may be told.
    pub(super) fn new(loaded: Offset, tasks: Handle) -> Arc<Self> {
        let reached = Reached { replicated: loaded, durable: loaded, failed: None };
        Arc::new(Self {
            safe: AtomicI64::new(loaded.0),
            reached: watch::Sender::new(reached),
            follows: AtomicBool::new(false),
            tasks,
        })
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
                Err(fault) => progress.fail(&fault.to_string()),
            }));
        }
        let high_watermark = log.partition().watermarks().high_watermark;
        drop(log);
        if !commit_due {
            self.durable(end);
        }
        if high_watermark >= end {
            self.replicated(end);
        } else if !self.follows.swap(true, Ordering::SeqCst) {
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
        let done = reached.wait_for(|reached| reached.safe() >= end || reached.failed.is_some());
        match tokio::time::timeout(most, done).await {
            Ok(Ok(reached)) => match &reached.failed {
                Some(why) if reached.safe() < end => Err(why.to_string()),
                _ => Ok(()),
            },
            Ok(Err(_)) => Err("the coordinator is gone".to_owned()),
            Err(_) => Err("the replicas of the internal topic did not follow in time".to_owned()),
        }
    }

    fn durable(&self, end: Offset) {
        self.change(|reached| reached.durable = reached.durable.max(end));
    }

    fn replicated(&self, end: Offset) {
        self.change(|reached| reached.replicated = reached.replicated.max(end));
    }

    fn fail(&self, why: &str) {
        self.change(|reached| reached.failed = Some(why.into()));
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
    replica.waiters.add(waiter.clone());
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
    replica.waiters.remove(&waiter);
}
