//! Tasks: a partition of a subtopology each, in one of three roles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Epoch;
use protocol::id::PartitionIndex;

/// What a subtopology is called.
pub type SubtopologyId = Arc<str>;

/// Tasks by subtopology.
pub type Tasks = BTreeMap<SubtopologyId, BTreeSet<PartitionIndex>>;

/// Active tasks that a member has, each with the epoch at which it was given.
pub type HeldTasks = BTreeMap<SubtopologyId, BTreeMap<PartitionIndex, Epoch>>;

/// Tasks by role.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ByRole<A> {
    /// Those that read and write.
    pub active: A,
    /// Those that keep copies of state.
    pub standby: Tasks,
    /// Those that keep copies until they can become active.
    pub warmup: Tasks,
}

/// What a member is to have, or says that it has.
pub type Part = ByRole<Tasks>;

/// What a member has.
pub type Held = ByRole<HeldTasks>;

impl Held {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty() && self.standby.is_empty() && self.warmup.is_empty()
    }

    /// With those of another.
    pub(super) fn merged(mut self, other: Self) -> Self {
        for (subtopology, tasks) in other.active {
            self.active.entry(subtopology).or_default().extend(tasks);
        }
        add(&mut self.standby, other.standby);
        add(&mut self.warmup, other.warmup);
        self
    }

    /// The copies of state, whatever they are for.
    pub(super) fn copies(&self) -> Tasks {
        let mut all = self.standby.clone();
        add(&mut all, self.warmup.clone());
        all
    }

    /// The same, given at no epoch: whoever has them next is not held up by it.
    pub(super) fn without_epochs(&self) -> Self {
        let mut held = self.clone();
        for epoch in held.active.values_mut().flat_map(BTreeMap::values_mut) {
            *epoch = Epoch(0);
        }
        held
    }
}

impl Part {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty() && self.standby.is_empty() && self.warmup.is_empty()
    }

    /// Whether any of these is among them, in its role.
    pub(super) fn has_any_of(&self, held: &Held) -> bool {
        let active = held
            .active
            .iter()
            .any(|(subtopology, tasks)| tasks.keys().any(|task| has(&self.active, subtopology, *task)));
        let any = |ours: &Tasks, theirs: &Tasks| {
            theirs.iter().any(|(subtopology, tasks)| tasks.iter().any(|task| has(ours, subtopology, *task)))
        };
        active || any(&self.standby, &held.standby) || any(&self.warmup, &held.warmup)
    }

    /// Whether all of them are among these, in their roles.
    pub(super) fn is_within(&self, held: &Held) -> bool {
        let active = self.active.iter().all(|(subtopology, tasks)| {
            let held = held.active.get(subtopology);
            held.is_some_and(|held| tasks.iter().all(|task| held.contains_key(task)))
        });
        let within = |ours: &Tasks, theirs: &Tasks| {
            ours.iter().all(|(subtopology, tasks)| {
                theirs.get(subtopology).is_some_and(|theirs| tasks.is_subset(theirs))
            })
        };
        active && within(&self.standby, &held.standby) && within(&self.warmup, &held.warmup)
    }
}

/// Whether a task is among these.
pub(super) fn has(tasks: &Tasks, subtopology: &str, task: PartitionIndex) -> bool {
    tasks.get(subtopology).is_some_and(|tasks| tasks.contains(&task))
}

/// Takes a task out.
pub(super) fn remove(tasks: &mut Tasks, subtopology: &str, task: PartitionIndex) {
    if let Some(of_subtopology) = tasks.get_mut(subtopology) {
        of_subtopology.remove(&task);
        if of_subtopology.is_empty() {
            tasks.remove(subtopology);
        }
    }
}

fn add(tasks: &mut Tasks, others: Tasks) {
    for (subtopology, others) in others {
        tasks.entry(subtopology).or_default().extend(others);
    }
}

/// How far a member's copies of state are: by subtopology and task.
pub type Offsets = BTreeMap<SubtopologyId, BTreeMap<PartitionIndex, i64>>;

/// What a member told of its state, in memory only.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TaskOffsets {
    /// The sum of the offsets it has of each task's changelogs.
    pub offsets: Offsets,
    /// The sum of the offsets there are.
    pub end_offsets: Offsets,
}
