//! Which process has which task: a task is active in one place only, and its state kept once a process.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::PartitionIndex;

use super::Member;
use super::tasks::{Held, SubtopologyId, Tasks};

type Process = Arc<str>;
/// The processes that have a task, each with how many of its members do: while one gives it up another may have it.
type Copies = BTreeMap<SubtopologyId, BTreeMap<PartitionIndex, BTreeMap<Process, usize>>>;

/// Who has what, those included who are to give it up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Holders {
    active: BTreeMap<SubtopologyId, BTreeMap<PartitionIndex, Process>>,
    standby: Copies,
    warmup: Copies,
}

impl Holders {
    /// The process in which a task is active.
    pub(super) fn active(&self, subtopology: &str, task: PartitionIndex) -> Option<&Process> {
        self.active.get(subtopology)?.get(&task)
    }

    /// Whether a process has a task as standby.
    pub(super) fn has_standby(&self, subtopology: &str, task: PartitionIndex, process: &str) -> bool {
        has(&self.standby, subtopology, task, process)
    }

    /// Whether a process has a task as warm-up.
    pub(super) fn has_warmup(&self, subtopology: &str, task: PartitionIndex, process: &str) -> bool {
        has(&self.warmup, subtopology, task, process)
    }

    /// A member has what it has.
    pub(super) fn add(&mut self, member: &Member) {
        for held in [&member.assigned, &member.revoking] {
            self.add_held(held, &member.process);
        }
    }

    fn add_held(&mut self, held: &Held, process: &Process) {
        for (subtopology, tasks) in &held.active {
            let holders = self.active.entry(subtopology.clone()).or_default();
            holders.extend(tasks.keys().map(|task| (*task, process.clone())));
        }
        add(&mut self.standby, &held.standby, process);
        add(&mut self.warmup, &held.warmup, process);
    }

    /// A member has no longer what it had.
    pub(super) fn remove(&mut self, member: &Member) {
        for held in [&member.assigned, &member.revoking] {
            self.remove_held(held, &member.process);
        }
    }

    fn remove_held(&mut self, held: &Held, process: &Process) {
        for (subtopology, tasks) in &held.active {
            let Some(holders) = self.active.get_mut(subtopology) else { continue };
            for task in tasks.keys() {
                if holders.get(task) == Some(process) {
                    holders.remove(task);
                }
            }
            if holders.is_empty() {
                self.active.remove(subtopology);
            }
        }
        remove(&mut self.standby, &held.standby, process);
        remove(&mut self.warmup, &held.warmup, process);
    }
}

fn has(copies: &Copies, subtopology: &str, task: PartitionIndex, process: &str) -> bool {
    let holders = copies.get(subtopology).and_then(|tasks| tasks.get(&task));
    holders.is_some_and(|holders| holders.contains_key(process))
}

fn add(copies: &mut Copies, tasks: &Tasks, process: &Process) {
    for (subtopology, tasks) in tasks {
        let holders = copies.entry(subtopology.clone()).or_default();
        for task in tasks {
            *holders.entry(*task).or_default().entry(process.clone()).or_default() += 1;
        }
    }
}

fn remove(copies: &mut Copies, tasks: &Tasks, process: &Process) {
    for (subtopology, tasks) in tasks {
        let Some(holders) = copies.get_mut(subtopology) else { continue };
        for task in tasks {
            if let Some(processes) = holders.get_mut(task) {
                if let Some(members) = processes.get_mut(process) {
                    *members -= 1;
                    if *members == 0 {
                        processes.remove(process);
                    }
                }
                if processes.is_empty() {
                    holders.remove(task);
                }
            }
        }
        if holders.is_empty() {
            copies.remove(subtopology);
        }
    }
}
