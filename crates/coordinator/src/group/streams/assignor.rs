//! The sticky assignor of tasks: who ran a task runs it again, who has its state is next, and nobody has more than the
//! others where that can be helped. Standby tasks go where their state is, and never to the process that runs the
//! task.
//!
//! As in Kafka 4.4.0 racks and tags have no say, and no warm-up tasks are given. Of processes and members that are
//! equally loaded the one is taken that Java's priority queue has in front.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use protocol::id::PartitionIndex;

use super::Member;
use super::configured::ConfiguredSubtopology;
use super::process::{Heap, Process, Task};
use super::tasks::{Part, SubtopologyId, TaskOffsets};
use crate::group::MemberId;

/// What an assignment rests on.
pub(super) struct AssignmentGround<'a> {
    /// The parts of the application.
    pub(super) parts: &'a BTreeMap<SubtopologyId, ConfiguredSubtopology>,
    /// How many standby tasks each task with state is to have.
    pub(super) standby_replicas: usize,
    /// The members, each with what it told of its state.
    pub(super) members: BTreeMap<&'a MemberId, (&'a Member, Option<&'a TaskOffsets>)>,
}

/// A member's number, in the order of ids.
pub(super) type Number = usize;

/// Says what each member is to have.
pub(super) fn assign(ground: &AssignmentGround<'_>) -> BTreeMap<MemberId, Part> {
    let mut work = Work::new(ground);
    if !work.processes.is_empty() {
        work.assign_active(ground);
        if ground.standby_replicas > 0 {
            work.assign_standby(ground);
        }
    }
    let names: Vec<&SubtopologyId> = ground.parts.keys().collect();
    let mut parts: Vec<Part> = vec![Part::default(); ground.members.len()];
    for (member, task, active) in work.given {
        let part = &mut parts[member];
        let tasks = if active { &mut part.active } else { &mut part.standby };
        tasks.entry(names[task.part].clone()).or_default().insert(task.partition);
    }
    ground.members.keys().map(|id| (*id).clone()).zip(parts).collect()
}

/// How many tasks a member may have before others are asked, which grows for those left as some reach it.
struct Quota {
    tasks: usize,
    members: usize,
    each: usize,
}

impl Quota {
    fn new(tasks: usize, members: usize) -> Self {
        Self { tasks, members, each: tasks.div_ceil(members.max(1)) }
    }

    /// A member has so many now.
    fn reached(&mut self, count: usize) {
        if count == self.each {
            self.members = self.members.saturating_sub(1);
            self.tasks = self.tasks.saturating_sub(count);
            self.each = if self.members == 0 { 0 } else { self.tasks.div_ceil(self.members) };
        }
    }
}

struct Work {
    processes: Vec<Process>,
    /// The process of each member.
    process_of: Vec<usize>,
    /// Who ran a task.
    ran: BTreeMap<Task, Number>,
    /// Who has the state of a task, the best first.
    kept: BTreeMap<Task, Vec<Number>>,
    active_quota: Quota,
    quota: Quota,
    given: Vec<(Number, Task, bool)>,
}

impl Work {
    fn new(ground: &AssignmentGround<'_>) -> Self {
        let count = |stateful: bool| -> usize {
            let parts = ground.parts.values().filter(|part| !stateful || part.is_stateful());
            parts.map(|part| usize::try_from(part.tasks).unwrap_or(0)).sum()
        };
        let (active, members) = (count(false), ground.members.len());
        let all = active + count(true) * ground.standby_replicas;
        let mut work = Self {
            processes: Vec::new(),
            process_of: Vec::with_capacity(members),
            ran: BTreeMap::new(),
            kept: BTreeMap::new(),
            active_quota: Quota::new(active, members),
            quota: Quota::new(all, members),
            given: Vec::new(),
        };
        work.add_processes(ground);
        work.add_history(ground);
        work
    }

    fn add_processes(&mut self, ground: &AssignmentGround<'_>) {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for (member, _) in ground.members.values() {
            numbers.insert(&member.process, 0);
        }
        for (place, number) in numbers.values_mut().enumerate() {
            *number = place;
            self.processes.push(Process::default());
        }
        for (number, (member, _)) in ground.members.values().enumerate() {
            let process = numbers[&*member.process];
            self.process_of.push(process);
            self.processes[process].add_member(number);
        }
    }

    fn add_history(&mut self, ground: &AssignmentGround<'_>) {
        let part_numbers: BTreeMap<&str, usize> =
            ground.parts.keys().enumerate().map(|(number, id)| (&**id, number)).collect();
        let task = |subtopology: &str, partition: PartitionIndex| {
            Some(Task { part: *part_numbers.get(subtopology)?, partition })
        };
        // Who has it now comes first, then whoever has most of the state.
        let mut kept: BTreeMap<Task, Vec<(bool, i64, Number)>> = BTreeMap::new();
        for (number, (member, told)) in ground.members.values().enumerate() {
            for (subtopology, tasks) in &member.assigned.active {
                let tasks = tasks.keys().filter_map(|partition| task(subtopology, *partition));
                self.ran.extend(tasks.map(|task| (task, number)));
            }
            let offsets = told.map(|told| &told.offsets);
            let offset = |subtopology: &SubtopologyId, partition: &PartitionIndex| {
                offsets.and_then(|offsets| offsets.get(subtopology)?.get(partition)).copied()
            };
            let standby = &member.assigned.standby;
            for (subtopology, tasks) in standby {
                for partition in tasks {
                    let Some(task) = task(subtopology, *partition) else { continue };
                    let sum = offset(subtopology, partition).unwrap_or(0);
                    kept.entry(task).or_default().push((true, sum, number));
                }
            }
            for (subtopology, tasks) in offsets.into_iter().flatten() {
                for (partition, sum) in tasks {
                    let is_standby = standby.get(subtopology).is_some_and(|tasks| tasks.contains(partition));
                    let Some(task) = task(subtopology, *partition).filter(|_| !is_standby) else { continue };
                    kept.entry(task).or_default().push((false, *sum, number));
                }
            }
        }
        for (task, mut members) in kept {
            members.sort_by_key(|(standby, sum, _)| (!standby, Reverse(*sum)));
            self.kept.insert(task, members.into_iter().map(|(_, _, number)| number).collect());
        }
    }

    fn process(&self, member: Number) -> &Process {
        &self.processes[self.process_of[member]]
    }

    /// Gives a task to a member; how many it has then.
    fn give(&mut self, member: Number, task: Task, active: bool) -> usize {
        self.given.push((member, task, active));
        self.processes[self.process_of[member]].add_task(member, task)
    }

    fn given_active(&mut self, count: usize) {
        self.active_quota.reached(count);
        self.quota.reached(count);
    }

    fn assign_active(&mut self, ground: &AssignmentGround<'_>) {
        let mut tasks = tasks(ground, false);
        tasks.sort_by_key(|task| (task.partition, task.part));
        tasks.retain(|task| {
            let before = self.ran.get(task).copied();
            !self.give_active_back(before, *task)
        });
        tasks.retain(|task| {
            let before = self.least_loaded(*task, false);
            !self.give_active_back(before, *task)
        });
        tasks.sort();
        let mut queue = self.by_load();
        for task in tasks {
            let Some(process) = queue.pop(|one, other| self.processes[one].compare(&self.processes[other]))
            else {
                return;
            };
            let count = self.give_to_least_loaded(process, task, true);
            self.given_active(count);
            queue.push(process, |one, other| self.processes[one].compare(&self.processes[other]));
        }
    }

    /// Gives a task back to who ran it or has its state, if that one may have more.
    fn give_active_back(&mut self, before: Option<Number>, task: Task) -> bool {
        let each = self.active_quota.each;
        let before = before.filter(|member| self.process(*member).tasks_of(*member) < each);
        if let Some(member) = before {
            let count = self.give(member, task, true);
            self.given_active(count);
        }
        before.is_some()
    }

    /// Of those who have the state of a task the least loaded; none whose process has the task, if asked.
    fn least_loaded(&self, task: Task, elsewhere: bool) -> Option<Number> {
        let mut best: Option<Number> = None;
        for member in self.kept.get(&task).into_iter().flatten().copied() {
            let process = self.process(member);
            if elsewhere && process.has(task) {
                continue;
            }
            let is_better = best.is_none_or(|best| {
                let (than, own) = (self.process(best), process.tasks_of(member));
                process.compare(than).is_lt() && own < than.tasks_of(best)
            });
            if is_better {
                best = Some(member);
            }
        }
        best
    }

    fn give_to_least_loaded(&mut self, process: usize, task: Task, active: bool) -> usize {
        let (member, count) = self.processes[process].add_to_least_loaded(task);
        self.given.push((member, task, active));
        count
    }

    fn by_load(&self) -> Heap {
        let mut queue = Heap::default();
        for process in 0..self.processes.len() {
            queue.push(process, |one, other| self.processes[one].compare(&self.processes[other]));
        }
        queue
    }

    fn assign_standby(&mut self, ground: &AssignmentGround<'_>) {
        let mut tasks = tasks(ground, true);
        tasks.sort_by_key(|task| Reverse((task.partition, task.part)));
        let mut left = Vec::new();
        for task in tasks {
            for copy in 0..ground.standby_replicas {
                if !self.give_standby_back(task) {
                    left.push((task, ground.standby_replicas - copy));
                    break;
                }
            }
        }
        left.sort_by_key(|(task, _)| Reverse(*task));
        let mut queue = self.by_load();
        for (task, copies) in left {
            for _ in 0..copies {
                if !self.give_standby(&mut queue, task) {
                    // There are too few processes for so many copies.
                    break;
                }
            }
        }
    }

    /// Gives a copy to who ran the task and does no longer, or to who has its state, if that one may have more.
    fn give_standby_back(&mut self, task: Task) -> bool {
        let each = self.quota.each;
        let has_room = |member: &Number| self.process(*member).tasks_of(*member) < each;
        let ran = self.ran.get(&task).copied();
        let ran = ran.filter(|member| !self.process(*member).has(task) && has_room(member));
        let to = ran.or_else(|| self.least_loaded(task, true).filter(has_room));
        if let Some(member) = to {
            let count = self.give(member, task, false);
            self.quota.reached(count);
        }
        to.is_some()
    }

    /// Gives a copy to the least loaded process that has none yet.
    fn give_standby(&mut self, queue: &mut Heap, task: Task) -> bool {
        let mut passed = Vec::new();
        let mut found = false;
        while let Some(process) = queue.pop(|one, other| self.processes[one].compare(&self.processes[other]))
        {
            passed.push(process);
            if !self.processes[process].has(task) {
                let count = self.give_to_least_loaded(process, task, false);
                self.quota.reached(count);
                found = true;
                break;
            }
        }
        for process in passed.into_iter().rev() {
            queue.push(process, |one, other| self.processes[one].compare(&self.processes[other]));
        }
        found
    }
}

/// All tasks, or those with state, in order.
fn tasks(ground: &AssignmentGround<'_>, stateful: bool) -> Vec<Task> {
    let parts = ground.parts.values().enumerate().filter(|(_, part)| !stateful || part.is_stateful());
    let tasks = parts.flat_map(|(number, part)| {
        (0..part.tasks).map(move |index| Task { part: number, partition: PartitionIndex(index) })
    });
    tasks.collect()
}
