//! Which shards this broker leads: loaded when a reign begins, let go when it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use coordinator::Decision;
use metadata::Image;
use partition::Verification;
use partition::watermarks::Role;
use protocol::id::{LeaderEpoch, PartitionIndex, TopicId};
use protocol::offset::Offset;
use storage::log::Log;

use super::Led;
use super::coordinator::{Coordinated, Coordinator};
use super::load::{LoadError, Loaded, load};
use super::shared::{Asked, Begun, Progress};
use crate::runtime::partitions::Replica;

impl<S: Coordinated> Coordinator<S> {
    /// Leads what the image says this broker leads, and nothing else.
    pub(super) fn follow(self: &Arc<Self>, image: &Image) {
        let topic = image.topics.by_name(S::TOPIC);
        let leads = |index: PartitionIndex| {
            let partition = topic.and_then(|topic| topic.partition(index));
            partition.filter(|partition| partition.leader == Some(self.holdings.node_id))
        };
        let ended = self.slots.keep(|index| leads(index).map(|partition| partition.leader_epoch));
        for led in ended {
            tracing::info!(topic = S::TOPIC, partition = %led.replica.index, "coordinator let go");
            self.let_go(led);
        }
        for partition in topic.iter().flat_map(|topic| &topic.partitions) {
            if leads(partition.index).is_some() {
                self.lead(partition.index, partition.leader_epoch);
            }
        }
    }

    /// Lets a shard go that nobody finds any more.
    pub(super) fn let_go(&self, led: Arc<Led<S>>) {
        self.lanes.submit(led.replica.directory().id(), Box::new(move || led.end()));
    }

    /// Has the shard of a partition loaded, unless it is, or this broker does not lead it. Says whether it leads. Waits for
    /// nobody: where somebody has the log, who loads finds out what it holds.
    pub(super) fn lead(self: &Arc<Self>, index: PartitionIndex, leader_epoch: LeaderEpoch) -> bool {
        let topic = self.holdings.partitions.by_name(S::TOPIC);
        let Some(replica) = topic.and_then(|topic| topic.get(index).cloned()) else { return false };
        let Some(tasks) = self.tasks.get() else { return false };
        let (leads, begun) = self.slots.begin(index, leader_epoch, || {
            let found = match replica.log_if_free() {
                None => Found::Unknown,
                Some(log) => Found::of(log.as_deref().ok()),
            };
            match found {
                Found::NotLed => None,
                Found::Empty(leader_epoch, end) => {
                    let mut shard = S::default();
                    shard.loaded(self.holdings.now(), S::config(&self.holdings.config()));
                    let shell = (Progress::new(end, tasks.clone()), self.figures.clone());
                    let led = Led::new(replica.clone(), (leader_epoch, 0), (shard, end), shell);
                    Some(Begun::Empty(Arc::new(led)))
                }
                Found::Full(leader_epoch) => Some(Begun::Full(leader_epoch)),
                Found::Unknown => Some(Begun::Full(leader_epoch)),
            }
        });
        let leader_epoch = match begun {
            None => return leads,
            Some(Begun::Empty(led)) => {
                self.arm(&led);
                return true;
            }
            Some(Begun::Full(leader_epoch)) => leader_epoch,
        };
        let (coordinator, image) = (self.clone(), self.quorum.image());
        tasks.spawn_blocking(move || coordinator.load(&replica, (leader_epoch, 0), &image));
        true
    }

    /// Has a shard loaded that a thread panicked with; soon the first time, later and later if it goes on.
    pub(super) fn load_anew(self: &Arc<Self>, led: &Arc<Led<S>>) {
        let Some(tasks) = self.tasks.get() else { return };
        let (replica, index, leader_epoch) = (led.replica.clone(), led.replica.index, led.leader_epoch);
        if !self.slots.begin_anew(index, led) {
            return;
        }
        let reloads = led.reloads + 1;
        let pause = reload_pause(reloads);
        tracing::error!(topic = S::TOPIC, partition = %index, reloads, ?pause,
            "a request ended in the middle of a coordinator: it is loaded anew");
        let image = self.quorum.image();
        self.let_go(led.clone());
        let coordinator = self.clone();
        let runtime = tasks.clone();
        tasks.spawn(async move {
            tokio::time::sleep(pause).await;
            runtime.spawn_blocking(move || coordinator.load(&replica, (leader_epoch, reloads), &image));
        });
    }

    fn load(
        self: &Arc<Self>,
        replica: &Arc<Replica>,
        (leader_epoch, reloads): (LeaderEpoch, u32),
        image: &Image,
    ) {
        let (config, Some(tasks)) = (self.holdings.config(), self.tasks.get()) else { return };
        let begun = Instant::now();
        let loading = || {
            let mut loaded = load::<S>(replica, leader_epoch, S::load_bytes(&config), &self.stopped)?;
            loaded.shard.loaded(self.holdings.now(), S::config(&config));
            Ok(loaded)
        };
        let loaded = catch_unwind(AssertUnwindSafe(loading)).unwrap_or(Err(LoadError::Panicked));
        let active = match loaded {
            Ok(Loaded { shard, end }) => {
                self.figures.loaded(begun.elapsed());
                let shell = (Progress::of_loaded(replica, end, tasks.clone()), self.figures.clone());
                Some(Arc::new(Led::new(replica.clone(), (leader_epoch, reloads), (shard, end), shell)))
            }
            Err(LoadError::Resigned) => return self.slots.forget(replica.index, leader_epoch),
            Err(error) => {
                tracing::error!(topic = S::TOPIC, partition = %replica.index, %error, "coordinator cannot be loaded");
                None
            }
        };
        if !self.slots.loaded(replica.index, leader_epoch, active.clone()) {
            return;
        }
        if let Some(led) = active {
            self.arm(&led);
            // Whoever followed the metadata meanwhile did not find this shard.
            let deleted = self.quorum.image().topics.deleted_since(&image.topics);
            self.forget_topics(&led, &deleted);
            self.changed.notify_one();
        }
    }

    /// Has every shard forget what it keeps of topics that are gone.
    pub(super) fn forget_deleted(self: &Arc<Self>, before: &Image, now: &Image) {
        let deleted = now.topics.deleted_since(&before.topics);
        if deleted.is_empty() {
            return;
        }
        for led in self.slots.active() {
            let mut waiting = led.deleted.lock().unwrap_or_else(PoisonError::into_inner);
            let is_queued = !waiting.is_empty();
            waiting.extend(deleted.iter().cloned());
            drop(waiting);
            // One job for a shard, however many topics are deleted while its directory stalls.
            if !is_queued {
                let (coordinator, directory) = (self.clone(), led.replica.directory().id());
                let forget = move || {
                    let mut waiting = led.deleted.lock().unwrap_or_else(PoisonError::into_inner);
                    let deleted = std::mem::take(&mut *waiting);
                    drop(waiting);
                    coordinator.forget_topics(&led, &deleted);
                };
                self.lanes.submit(directory, Box::new(forget));
            }
        }
    }

    fn forget_topics(self: &Arc<Self>, led: &Arc<Led<S>>, deleted: &[(Arc<str>, TopicId)]) {
        if deleted.is_empty() {
            return;
        }
        let decided = self.take(led, Asked::By(Verification::NotRequired), None, |shard, ground| {
            Ok(shard.topics_deleted(ground, deleted).unwrap_or_else(|| Decision::reply(())))
        });
        match decided {
            Ok((_, due)) => {
                self.tell_later(led, due);
                self.changed.notify_one();
            }
            Err(error) => {
                tracing::warn!(topic = S::TOPIC, partition = %led.replica.index, %error,
                    "what was kept of deleted topics cannot be removed");
            }
        }
    }
}

/// What the log of a partition says before it is read.
enum Found {
    /// This broker does not lead it.
    NotLed,
    /// It holds nothing, and ends there.
    Empty(LeaderEpoch, Offset),
    /// It holds something.
    Full(LeaderEpoch),
    /// Somebody has it in hand.
    Unknown,
}

impl Found {
    fn of(log: Option<&Log>) -> Self {
        let Some(partition) = log.map(Log::partition) else { return Self::NotLed };
        let Role::Leader(leadership) = partition.role() else { return Self::NotLed };
        let marks = partition.watermarks();
        if marks.log_start == marks.log_end {
            return Self::Empty(leadership.leader_epoch, marks.log_end);
        }
        Self::Full(leadership.leader_epoch)
    }
}

/// How long to wait before a shard is loaded for the nth time because of a panic: what has provoked it may come again.
fn reload_pause(reloads: u32) -> Duration {
    match reloads {
        0 | 1 => Duration::ZERO,
        more => Duration::from_secs(1 << (more - 2).min(6)),
    }
}
