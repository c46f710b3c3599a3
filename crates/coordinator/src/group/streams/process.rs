//! A process of the application while tasks are assigned: its members are threads that share a disk.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use protocol::id::PartitionIndex;

use super::assignor::Number;

/// A task: a partition of a part of the application, by the part's number in the order of ids.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Task {
    pub(super) part: usize,
    pub(super) partition: PartitionIndex,
}

/// The process.
#[derive(Default)]
pub(super) struct Process {
    /// Its members, each with how many tasks it has.
    members: Vec<(Number, usize)>,
    /// Where each of them stands.
    places: BTreeMap<Number, usize>,
    /// All tasks of its members.
    tasks: BTreeSet<Task>,
    count: usize,
    /// The members by load, by their places, until one is given a task out of turn.
    by_load: Option<Heap>,
}

impl Process {
    pub(super) fn add_member(&mut self, member: Number) {
        self.places.insert(member, self.members.len());
        self.members.push((member, 0));
    }

    /// How many tasks a member has.
    pub(super) fn tasks_of(&self, member: Number) -> usize {
        self.places.get(&member).map_or(0, |place| self.members[*place].1)
    }

    /// Whether any member has a task, whatever its role.
    pub(super) fn has(&self, task: Task) -> bool {
        self.tasks.contains(&task)
    }

    /// Which has fewer tasks for each of its members.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        (self.count * other.members.len()).cmp(&(other.count * self.members.len()))
    }

    /// Gives a member a task; how many it has then.
    pub(super) fn add_task(&mut self, member: Number, task: Task) -> usize {
        self.by_load = None;
        let place = self.places.get(&member).copied();
        place.map_or(0, |place| self.add_at(place, task))
    }

    fn add_at(&mut self, place: usize, task: Task) -> usize {
        self.tasks.insert(task);
        self.count += 1;
        let (_, count) = &mut self.members[place];
        *count += 1;
        *count
    }

    /// Gives the member with the fewest tasks one more; who that is, and how many it has then.
    pub(super) fn add_to_least_loaded(&mut self, task: Task) -> (Number, usize) {
        let by_count =
            |members: &[(Number, usize)], one: usize, other: usize| members[one].1.cmp(&members[other].1);
        let mut queue = self.by_load.take().unwrap_or_else(|| {
            let mut queue = Heap::default();
            for place in 0..self.members.len() {
                queue.push(place, |one, other| by_count(&self.members, one, other));
            }
            queue
        });
        let place = queue.pop(|one, other| by_count(&self.members, one, other)).unwrap_or(0);
        let count = self.add_at(place, task);
        queue.push(place, |one, other| by_count(&self.members, one, other));
        self.by_load = Some(queue);
        (self.members[place].0, count)
    }
}

/// A binary heap of numbers that orders equals as Java's priority queue does.
#[derive(Default)]
pub(super) struct Heap(Vec<usize>);

impl Heap {
    pub(super) fn push(&mut self, item: usize, compare: impl Fn(usize, usize) -> Ordering) {
        let mut place = self.0.len();
        self.0.push(item);
        while place > 0 {
            let parent = (place - 1) / 2;
            if compare(item, self.0[parent]).is_ge() {
                break;
            }
            self.0.swap(place, parent);
            place = parent;
        }
    }

    /// Takes out the least.
    pub(super) fn pop(&mut self, compare: impl Fn(usize, usize) -> Ordering) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        let least = self.0.swap_remove(0);
        let count = self.0.len();
        let mut place = 0;
        while place < count / 2 {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            let right_is_less = right < count && compare(self.0[left], self.0[right]).is_gt();
            let child = if right_is_less { right } else { left };
            if compare(self.0[place], self.0[child]).is_le() {
                break;
            }
            self.0.swap(place, child);
            place = child;
        }
        Some(least)
    }
}
