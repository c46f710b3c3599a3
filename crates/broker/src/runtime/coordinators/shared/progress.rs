//! How far the records of a shard may be answered for: up to where all in-sync replicas have them, and where the log
//! asks for it, up to where they are on stable storage.

use std::future::Future;
use std::time::Duration;

use protocol::offset::Offset;
use storage::Fault;

use super::sync::{Arc, AtomicBool, AtomicI64, Handle, Ordering, timeout, watch};

/// A log whose progress is followed.
pub trait Followed: Send + Sync + 'static {
    /// Has what lies in the log brought to stable storage, where it asks for that: `done` is told of it, with where the high
    /// watermark stands then, if there is one who knows. Says where the log stands before.
    ///
    /// # Errors
    /// There is no log to be had.
    fn commit(
        self: &Arc<Self>,
        done: impl FnOnce(Result<Option<Offset>, String>) + Send + 'static,
    ) -> Result<Standing, Fault>;

    /// One that looks each time the log may have come further.
    fn follower(self: &Arc<Self>) -> impl Follower;
}

/// Where a log stands.
pub struct Standing {
    /// Whether it has yet to come to stable storage, as it asks for.
    pub commit_due: bool,
    /// What all in-sync replicas have.
    pub high_watermark: Offset,
}

/// One that follows a log, until it is dropped.
pub trait Follower: Send + Sync + 'static {
    /// What comes from here on wakes it.
    fn begin(&self);

    /// The high watermark, and what it has to come to; none where there is no log to be had.
    fn look(&self) -> Option<(Offset, Offset)>;

    /// Waits until it is worth looking again.
    fn woken(&self) -> impl Future<Output = ()> + Send;
}

/// The progress of one shard.
pub struct Progress {
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
    pub fn new(safe: Offset, tasks: Handle) -> Arc<Self> {
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
    pub fn of_loaded<L: Followed>(log: &Arc<L>, end: Offset, tasks: Handle) -> Arc<Self> {
        let progress = Self::new(Offset(0), tasks);
        if let Err(fault) = progress.appended(log, end) {
            progress.fail(end, &fault.to_string());
        }
        progress
    }

    /// The runtime for who waits while nobody asks.
    pub fn tasks(&self) -> &Handle {
        &self.tasks
    }

    /// Whether everything before `end` may be answered for.
    pub fn is_safe(&self, end: Offset) -> bool {
        self.safe.load(Ordering::SeqCst) >= end.0
    }

    /// Records up to `end` are in the log; in the whole of the cluster, where the high watermark says so.
    pub fn appended<L: Followed>(self: &Arc<Self>, log: &Arc<L>, end: Offset) -> Result<(), Fault> {
        let progress = self.clone();
        let Standing { commit_due, high_watermark } = log.commit(move |outcome| match outcome {
            Ok(high_watermark) => {
                // The high watermark has waited for this.
                if let Some(high_watermark) = high_watermark {
                    progress.replicated(high_watermark);
                }
                progress.durable(end);
            }
            Err(why) => progress.fail(end, &why),
        })?;
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
            drop(self.tasks.spawn(follow(self.clone(), log.clone())));
        }
        Ok(())
    }

    /// Waits until everything before `end` may be answered for.
    pub async fn wait(&self, end: Offset, most: Duration) -> Result<(), String> {
        if self.is_safe(end) {
            return Ok(());
        }
        let mut reached = self.reached.subscribe();
        let done = reached.wait_for(|reached| reached.safe() >= end || reached.failure(end).is_some());
        match timeout(most, done).await {
            Ok(Ok(reached)) => match reached.failure(end) {
                Some(why) => Err(why.to_string()),
                None => Ok(()),
            },
            Ok(Err(_)) => Err("the coordinator is gone".to_owned()),
            Err(_) => Err("the replicas of the internal topic did not follow in time".to_owned()),
        }
    }

    pub fn durable(&self, end: Offset) {
        self.change(|reached| reached.is_durable(end));
    }

    pub fn replicated(&self, end: Offset) {
        self.change(|reached| reached.replicated = reached.replicated.max(end));
    }

    /// What lies before `end` did not come to stable storage.
    pub fn fail(&self, end: Offset, why: &str) {
        self.change(|reached| {
            let at = reached.failed.as_ref().map_or(end, |(at, _)| end.max(*at));
            reached.failed = Some((at, why.into()));
        });
    }

    /// As [`Self::wait`]. Where that has failed and nobody is at it, `again` is told first up to where the log is to come to
    /// stable storage: there may be room again, and it may be long until the next append.
    pub async fn wait_or_try(
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
async fn follow<L: Followed>(progress: Arc<Progress>, log: Arc<L>) {
    let follower = log.follower();
    loop {
        follower.begin();
        let is_behind = || {
            let Some((high_watermark, log_end)) = follower.look() else { return false };
            progress.replicated(high_watermark);
            high_watermark < log_end
        };
        if !is_behind() && progress.rests(is_behind) {
            break;
        }
        follower.woken().await;
    }
}
