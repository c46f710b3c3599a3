//! The shards of one kind that this broker leads: which is being loaded, which answers, which cannot be loaded.

use std::collections::BTreeMap;

use coordinator::Shard;
use protocol::id::{LeaderEpoch, PartitionIndex};

use super::CoordinatorError;
use super::led::Led;
use super::shard_log::{Answered, Writes};
use super::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// A partition that this broker leads.
enum Slot<S: Shard, L: Writes<S>> {
    /// Its log is being read.
    Loading(LeaderEpoch),
    /// Its log cannot be read; not tried again in this reign.
    Failed(LeaderEpoch),
    /// It answers.
    Active(Arc<Led<S, L>>),
}

impl<S: Shard, L: Writes<S>> Slot<S, L> {
    fn leader_epoch(&self) -> LeaderEpoch {
        match self {
            Self::Loading(epoch) | Self::Failed(epoch) => *epoch,
            Self::Active(led) => led.leader_epoch,
        }
    }

    fn active(&self) -> Option<&Arc<Led<S, L>>> {
        if let Self::Active(led) = self { Some(led) } else { None }
    }
}

/// What a reign begins with.
pub enum Begun<S: Shard, L: Writes<S>> {
    /// There is nothing to read: nobody has to be told to wait.
    Empty(Arc<Led<S, L>>),
    /// The log has to be read, at this epoch.
    Full(LeaderEpoch),
}

/// How many shards do not answer.
pub struct Counted {
    /// How many are being loaded.
    pub loading: usize,
    /// How many cannot be.
    pub failed: usize,
}

/// All of them.
pub struct Slots<S: Shard, L: Writes<S>>(RwLock<Table<S, L>>);

struct Table<S: Shard, L: Writes<S>> {
    slots: BTreeMap<PartitionIndex, Slot<S, L>>,
    /// Whether no reign begins any more.
    ended: bool,
}

impl<S: Shard, L: Writes<S>> Default for Slots<S, L> {
    fn default() -> Self {
        Self(RwLock::new(Table { slots: BTreeMap::new(), ended: false }))
    }
}

impl<S: Shard, L: Writes<S>> Slots<S, L> {
    fn table(&self) -> RwLockReadGuard<'_, Table<S, L>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<R>(&self, change: impl FnOnce(&mut Table<S, L>) -> R) -> R {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The shard of a partition, or why it does not answer; none where nobody has begun to lead it.
    pub fn find(&self, index: PartitionIndex) -> Option<Answered<S, Arc<Led<S, L>>>> {
        self.table().slots.get(&index).map(|slot| match slot {
            Slot::Active(led) => Ok(led.clone()),
            Slot::Loading(_) => Err(CoordinatorError::Loading),
            Slot::Failed(_) => Err(CoordinatorError::NotCoordinator),
        })
    }

    /// Keeps what is still led, at the epoch that `leads` says; whoever else has answered is to be let go.
    pub fn keep(&self, leads: impl Fn(PartitionIndex) -> Option<LeaderEpoch>) -> Vec<Arc<Led<S, L>>> {
        let mut ended = Vec::new();
        self.change(|table| {
            table.slots.retain(|index, slot| {
                let stays = leads(*index) == Some(slot.leader_epoch());
                if !stays {
                    ended.extend(slot.active().cloned());
                }
                stays
            });
        });
        ended
    }

    /// A reign begins, unless it has, or a later one: what it begins with `look` says, or that nobody leads here. Says whether
    /// this broker leads, and what is to be done about it. Nobody else begins one meanwhile.
    pub fn begin(
        &self,
        index: PartitionIndex,
        leader_epoch: LeaderEpoch,
        look: impl FnOnce() -> Option<Begun<S, L>>,
    ) -> (bool, Option<Begun<S, L>>) {
        self.change(|table| {
            if table.ended {
                return (false, None);
            }
            if table.slots.get(&index).is_some_and(|slot| slot.leader_epoch() >= leader_epoch) {
                return (true, None);
            }
            let Some(begun) = look() else { return (false, None) };
            let slot = match &begun {
                Begun::Empty(led) => Slot::Active(led.clone()),
                Begun::Full(leader_epoch) => Slot::Loading(*leader_epoch),
            };
            table.slots.insert(index, slot);
            (true, Some(begun))
        })
    }

    /// A shard is to be loaded anew. Says whether it is the one that answers: who says so first has to see to it.
    pub fn begin_anew(&self, index: PartitionIndex, led: &Arc<Led<S, L>>) -> bool {
        self.change(|table| {
            let slot = table.slots.get_mut(&index);
            let Some(slot) = slot.filter(|slot| slot.active().is_some_and(|known| Arc::ptr_eq(known, led)))
            else {
                return false;
            };
            *slot = Slot::Loading(led.leader_epoch);
            true
        })
    }

    /// A shard was loaded, or could not be. Says whether that is still asked for: the reign may have ended meanwhile.
    pub fn loaded(
        &self,
        index: PartitionIndex,
        leader_epoch: LeaderEpoch,
        active: Option<Arc<Led<S, L>>>,
    ) -> bool {
        self.change(|table| match table.slots.get_mut(&index) {
            Some(slot @ Slot::Loading(_)) if slot.leader_epoch() == leader_epoch => {
                *slot = active.map_or(Slot::Failed(leader_epoch), Slot::Active);
                true
            }
            _ => false,
        })
    }

    /// A load has found that this broker leads the partition no more.
    pub fn forget(&self, index: PartitionIndex, leader_epoch: LeaderEpoch) {
        self.change(|table| {
            if table.slots.get(&index).is_some_and(|slot| slot.leader_epoch() == leader_epoch) {
                table.slots.remove(&index);
            }
        });
    }

    /// Every reign ends, and none begins any more: whoever has answered is to be let go.
    pub fn end(&self) -> Vec<Arc<Led<S, L>>> {
        let slots = self.change(|table| {
            table.ended = true;
            std::mem::take(&mut table.slots)
        });
        slots.values().filter_map(Slot::active).cloned().collect()
    }

    /// Those that answer, whatever becomes of the others.
    pub fn active(&self) -> Vec<Arc<Led<S, L>>> {
        self.table().slots.values().filter_map(Slot::active).cloned().collect()
    }

    /// Those that answer, unless there may be something that none of them knows of yet.
    ///
    /// # Errors
    /// One is being loaded.
    pub fn active_unless_loading(&self) -> Answered<S, Vec<Arc<Led<S, L>>>> {
        let table = self.table();
        if table.slots.values().any(|slot| matches!(slot, Slot::Loading(_))) {
            return Err(CoordinatorError::Loading);
        }
        Ok(table.slots.values().filter_map(Slot::active).cloned().collect())
    }

    /// How many do not answer.
    pub fn counted(&self) -> Counted {
        let (mut loading, mut failed) = (0, 0);
        for slot in self.table().slots.values() {
            loading += usize::from(matches!(slot, Slot::Loading(_)));
            failed += usize::from(matches!(slot, Slot::Failed(_)));
        }
        Counted { loading, failed }
    }
}
