//! Which shards this broker leads: loaded when a reign begins, let go when it ends.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use coordinator::Shard;
use metadata::Image;
use partition::watermarks::Role;
use protocol::id::{LeaderEpoch, PartitionIndex};
use protocol::offset::Offset;

use super::coordinator::{Coordinated, Coordinator};
use super::led::Led;
use super::load::{LoadError, load};
use crate::runtime::partitions::Replica;

/// A partition that this broker leads.
pub(super) enum Slot<S: Shard> {
    /// Its log is being read.
    Loading(LeaderEpoch),
    /// Its log cannot be read; not tried again in this reign.
    Failed(LeaderEpoch),
    /// It answers.
    Active(Arc<Led<S>>),
}

impl<S: Shard> Slot<S> {
    fn leader_epoch(&self) -> LeaderEpoch {
        match self {
            Self::Loading(epoch) | Self::Failed(epoch) => *epoch,
            Self::Active(led) => led.leader_epoch,
        }
    }
}

impl<S: Coordinated> Coordinator<S> {
    /// Leads what the image says this broker leads, and nothing else.
    pub(super) fn follow(self: &Arc<Self>, image: &Image) {
        let topic = image.topics.by_name(S::TOPIC);
        let leads = |index: PartitionIndex| {
            let partition = topic.and_then(|topic| topic.partition(index));
            partition.filter(|partition| partition.leader == Some(self.holdings.node_id))
        };
        let mut ended = Vec::new();
        {
            let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
            slots.retain(|index, slot| {
                let stays = leads(*index).is_some_and(|now| now.leader_epoch == slot.leader_epoch());
                if let (false, Slot::Active(led)) = (stays, &*slot) {
                    ended.push(led.clone());
                }
                stays
            });
        }
        for led in ended {
            tracing::info!(topic = S::TOPIC, partition = %led.replica.index, "coordinator let go");
            led.end();
        }
        for partition in topic.iter().flat_map(|topic| &topic.partitions) {
            if leads(partition.index).is_some() {
                self.lead(partition.index);
            }
        }
    }

    /// Has the shard of a partition loaded, unless it is, or this broker does not lead it. Says whether it leads.
    pub(super) fn lead(self: &Arc<Self>, index: PartitionIndex) -> bool {
        let topic = self.holdings.partitions.by_name(S::TOPIC);
        let Some(replica) = topic.and_then(|topic| topic.get(index).cloned()) else { return false };
        let Some(leader_epoch) = led_at(&replica) else { return false };
        let Some(tasks) = self.tasks.get() else { return false };
        {
            let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
            if self.stopped.load(Ordering::SeqCst) {
                return false;
            }
            if slots.get(&index).is_some_and(|slot| slot.leader_epoch() >= leader_epoch) {
                return true;
            }
            // Nothing to read: nobody has to be told to wait.
            if let Some(end) = end_of_empty(&replica) {
                let mut shard = S::default();
                shard.loaded(self.holdings.now(), &S::config(&self.holdings.config()));
                let led = Arc::new(Led::new(replica, leader_epoch, shard, end));
                slots.insert(index, Slot::Active(led.clone()));
                drop(slots);
                self.arm(&led);
                return true;
            }
            slots.insert(index, Slot::Loading(leader_epoch));
        }
        let coordinator = self.clone();
        tasks.spawn_blocking(move || coordinator.load(&replica, leader_epoch));
        true
    }

    fn load(&self, replica: &Arc<Replica>, leader_epoch: LeaderEpoch) {
        let config = self.holdings.config();
        let loaded = load::<S>(replica, leader_epoch, S::load_bytes(&config), &self.stopped);
        let slot = match loaded {
            Ok(mut loaded) => {
                loaded.shard.loaded(self.holdings.now(), &S::config(&config));
                Slot::Active(Arc::new(Led::new(replica.clone(), leader_epoch, loaded.shard, loaded.end)))
            }
            Err(LoadError::Resigned) => return self.forget(replica.index, leader_epoch),
            Err(error) => {
                tracing::error!(topic = S::TOPIC, partition = %replica.index, %error, "coordinator cannot be loaded");
                Slot::Failed(leader_epoch)
            }
        };
        let active = if let Slot::Active(led) = &slot { Some(led.clone()) } else { None };
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        // The reign may have ended meanwhile.
        match slots.get(&replica.index) {
            Some(Slot::Loading(epoch)) if *epoch == leader_epoch => {
                slots.insert(replica.index, slot);
            }
            _ => return,
        }
        drop(slots);
        if let Some(led) = active {
            self.arm(&led);
        }
    }

    fn forget(&self, index: PartitionIndex, leader_epoch: LeaderEpoch) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        if slots.get(&index).is_some_and(|slot| slot.leader_epoch() == leader_epoch) {
            slots.remove(&index);
        }
    }

    /// Has every shard forget what it keeps of topics that are gone.
    pub(super) fn forget_deleted(&self, before: &Image, now: &Image) {
        let deleted = now.topics.deleted_since(&before.topics);
        if deleted.is_empty() {
            return;
        }
        for led in self.every_led() {
            let decided = self.take(&led, partition::Verification::NotRequired, None, |shard, _| {
                Ok(shard.topics_deleted(&deleted).unwrap_or_else(|| coordinator::Decision::reply(())))
            });
            match decided {
                Ok((_, due)) => self.tell_later(&led, due),
                Err(error) => {
                    tracing::warn!(topic = S::TOPIC, partition = %led.replica.index, %error,
                        "what was kept of deleted topics cannot be removed");
                }
            }
        }
    }
}

/// The epoch at which a replica leads.
fn led_at(replica: &Replica) -> Option<LeaderEpoch> {
    let log = replica.log().ok()?;
    match log.partition().role() {
        Role::Leader(leadership) => Some(leadership.leader_epoch),
        _ => None,
    }
}

/// Where the log of a replica ends that holds nothing.
fn end_of_empty(replica: &Replica) -> Option<Offset> {
    let marks = replica.log().ok()?.partition().watermarks();
    (marks.log_start == marks.log_end).then_some(marks.log_end)
}
