//! How a member comes to its part, one heartbeat at a time: it gives up first what it is not to have, and is given
//! only what nobody else has. State on a disk counts once a process: a copy there stands in the way of another one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::id::PartitionIndex;

use super::holders::Holders;
use super::member::Member;
use super::tasks::{Held, HeldTasks, Part, SubtopologyId, Tasks, has, remove};
use super::{Epoch, MemberState};
use crate::group::GroupRefusal;
use crate::group::modern::ModernMember;

/// What a member's next step rests on.
pub(super) struct Reconciliation<'a> {
    /// Who has what now.
    pub(super) holders: &'a Holders,
    /// The epoch of the target.
    pub(super) target_epoch: Epoch,
    /// What the member is to have.
    pub(super) target: &'a Part,
    /// What it says that it has; none where it did not say.
    pub(super) owned: Option<&'a Part>,
}

/// What one step changes, role by role.
#[derive(Default)]
struct Step {
    /// Kept.
    assigned: Held,
    /// To be given up.
    revoking: Held,
    /// To be given.
    pending: Held,
    /// Whether there is more to be given that somebody else has.
    waits: bool,
}

impl Reconciliation<'_> {
    /// The member after this step.
    ///
    /// # Errors
    /// It is in a state of a later Kafka, and has something still.
    pub(super) fn next(&self, member: &Arc<Member>) -> Result<Arc<Member>, GroupRefusal> {
        if member.is_at(self.target_epoch) {
            return Ok(member.clone());
        }
        let epoch = match member.state {
            MemberState::Unrevoked if self.has_not_released(&member.revoking) => {
                return Ok(member.clone());
            }
            MemberState::Unrevoked => member.epoch.next(),
            MemberState::Stable | MemberState::Unreleased => member.epoch,
            MemberState::Unknown if self.owned.is_some_and(Part::is_empty) => self.target_epoch,
            MemberState::Unknown => return Err(GroupRefusal::UnknownMemberState),
        };
        let next = self.step(member, epoch);
        Ok(if next == **member { member.clone() } else { Arc::new(next) })
    }

    fn step(&self, member: &Member, epoch: Epoch) -> Member {
        let mut step = Step::default();
        self.active(member, &mut step);
        step.waits |= difference(
            (&member.assigned.standby, &self.target.standby),
            [&mut step.assigned.standby, &mut step.revoking.standby, &mut step.pending.standby],
            |subtopology, task| self.standby_is_taken(member, subtopology, task),
        );
        step.waits |= difference(
            (&member.assigned.warmup, &self.target.warmup),
            [&mut step.assigned.warmup, &mut step.revoking.warmup, &mut step.pending.warmup],
            |subtopology, task| self.warmup_is_taken(member, subtopology, task),
        );
        change_roles(member, &mut step);
        self.promote(member, &mut step);
        self.moved(member, epoch, step)
    }

    fn active(&self, member: &Member, step: &mut Step) {
        for (subtopology, tasks) in &member.assigned.active {
            for (task, epoch) in tasks {
                let stays = has(&self.target.active, subtopology, *task);
                let to = if stays { &mut step.assigned.active } else { &mut step.revoking.active };
                hold(to, subtopology, *task, *epoch);
            }
        }
        for (subtopology, tasks) in &self.target.active {
            let held = member.assigned.active.get(subtopology);
            for task in tasks.iter().filter(|task| held.is_none_or(|held| !held.contains_key(task))) {
                if self.active_is_taken(member, subtopology, *task) {
                    step.waits = true;
                } else {
                    hold(&mut step.pending.active, subtopology, *task, self.target_epoch);
                }
            }
        }
    }

    /// Whether the task is active anywhere, or another member of the process has a copy of it.
    fn active_is_taken(&self, member: &Member, subtopology: &str, task: PartitionIndex) -> bool {
        self.holders.active(subtopology, task).is_some()
            || self.standby_is_anothers(member, subtopology, task)
            || self.warmup_is_anothers(member, subtopology, task)
    }

    /// Whether the process has a copy of the task already, this member's own active one aside.
    fn standby_is_taken(&self, member: &Member, subtopology: &str, task: PartitionIndex) -> bool {
        let runs_it = member.assigned.active.get(subtopology).is_some_and(|held| held.contains_key(&task));
        let process = self.holders.active(subtopology, task);
        (process == Some(&member.process) && !runs_it)
            || self.holders.has_standby(subtopology, task, &member.process)
            || self.warmup_is_anothers(member, subtopology, task)
    }

    /// Whether the process has the task already, this member's own standby aside.
    fn warmup_is_taken(&self, member: &Member, subtopology: &str, task: PartitionIndex) -> bool {
        self.holders.active(subtopology, task) == Some(&member.process)
            || self.standby_is_anothers(member, subtopology, task)
            || self.holders.has_warmup(subtopology, task, &member.process)
    }

    fn standby_is_anothers(&self, member: &Member, subtopology: &str, task: PartitionIndex) -> bool {
        let own = has(&member.assigned.standby, subtopology, task);
        !own && self.holders.has_standby(subtopology, task, &member.process)
    }

    fn warmup_is_anothers(&self, member: &Member, subtopology: &str, task: PartitionIndex) -> bool {
        let own = has(&member.assigned.warmup, subtopology, task);
        !own && self.holders.has_warmup(subtopology, task, &member.process)
    }

    /// A copy that becomes active is not given up first, but kept until the member is given the task itself.
    fn promote(&self, member: &Member, step: &mut Step) {
        let copies = [&member.assigned.standby, &member.assigned.warmup];
        let revoking = [&mut step.revoking.standby, &mut step.revoking.warmup];
        for (copies, revoking) in copies.into_iter().zip(revoking) {
            for (subtopology, task) in each(copies) {
                if has(&self.target.active, subtopology, task) {
                    remove(revoking, subtopology, task);
                }
            }
        }
        let revokes = self.revokes(&step.revoking);
        let assigned = [&mut step.assigned.standby, &mut step.assigned.warmup];
        for (copies, assigned) in copies.into_iter().zip(assigned) {
            for (subtopology, task) in each(copies) {
                let pending = step.pending.active.get(subtopology);
                let given_now = !revokes && pending.is_some_and(|pending| pending.contains_key(&task));
                if has(&self.target.active, subtopology, task) && !given_now {
                    assigned.entry(subtopology.clone()).or_default().insert(task);
                }
            }
        }
    }

    /// Whether these are to be given up, and are not yet.
    fn revokes(&self, revoking: &Held) -> bool {
        !revoking.is_empty() && self.has_not_released(revoking)
    }

    /// Whether the member may still have any of these: it does as long as it does not say what it has.
    fn has_not_released(&self, revoking: &Held) -> bool {
        self.owned.is_none_or(|owned| owned.has_any_of(revoking))
    }

    fn moved(&self, member: &Member, epoch: Epoch, step: Step) -> Member {
        let revokes = self.revokes(&step.revoking);
        let (state, epoch) = match step.waits {
            _ if revokes => (MemberState::Unrevoked, epoch),
            true => (MemberState::Unreleased, self.target_epoch),
            false => (MemberState::Stable, self.target_epoch),
        };
        let assigned = if revokes { step.assigned } else { step.assigned.merged(step.pending) };
        Member {
            epoch,
            previous_epoch: member.epoch,
            state,
            assigned: Arc::new(assigned),
            revoking: if revokes { Arc::new(step.revoking) } else { Arc::default() },
            ..member.clone()
        }
    }
}

/// Copies that the member has change their role on the spot: an active task becomes a standby, a standby a warm-up, a
/// warm-up a standby.
fn change_roles(member: &Member, step: &mut Step) {
    let held = &member.assigned;
    for (subtopology, tasks) in &held.active {
        for task in tasks.keys() {
            grant(&mut step.pending.standby, &mut step.assigned.standby, subtopology, *task);
        }
    }
    for (subtopology, task) in each(&held.standby) {
        if grant(&mut step.pending.warmup, &mut step.assigned.warmup, subtopology, task) {
            remove(&mut step.revoking.standby, subtopology, task);
        }
    }
    for (subtopology, task) in each(&held.warmup) {
        if grant(&mut step.pending.standby, &mut step.assigned.standby, subtopology, task) {
            remove(&mut step.revoking.warmup, subtopology, task);
        }
    }
}

/// Gives at once what was to be given; says whether it was.
fn grant(
    pending: &mut Tasks,
    assigned: &mut Tasks,
    subtopology: &SubtopologyId,
    task: PartitionIndex,
) -> bool {
    let was = has(pending, subtopology, task);
    if was {
        remove(pending, subtopology, task);
        assigned.entry(subtopology.clone()).or_default().insert(task);
    }
    was
}

fn each(tasks: &Tasks) -> impl Iterator<Item = (&SubtopologyId, PartitionIndex)> {
    tasks.iter().flat_map(|(subtopology, tasks)| tasks.iter().map(move |task| (subtopology, *task)))
}

fn hold(tasks: &mut HeldTasks, subtopology: &SubtopologyId, task: PartitionIndex, epoch: Epoch) {
    let of_subtopology: &mut BTreeMap<_, _> = tasks.entry(subtopology.clone()).or_default();
    of_subtopology.insert(task, epoch);
}

/// Sorts copies into those that stay, those to be given up and those to be given; says whether there are more to be
/// given that are taken.
fn difference(
    (current, target): (&Tasks, &Tasks),
    [assigned, revoking, pending]: [&mut Tasks; 3],
    is_taken: impl Fn(&str, PartitionIndex) -> bool,
) -> bool {
    let put = |to: &mut Tasks, subtopology: &SubtopologyId, task| {
        let of_subtopology: &mut BTreeSet<_> = to.entry(subtopology.clone()).or_default();
        of_subtopology.insert(task);
    };
    for (subtopology, task) in each(current) {
        let to = if has(target, subtopology, task) { &mut *assigned } else { &mut *revoking };
        put(to, subtopology, task);
    }
    let mut waits = false;
    for (subtopology, task) in each(target) {
        if has(current, subtopology, task) {
            continue;
        }
        if is_taken(subtopology, task) {
            waits = true;
        } else {
            put(pending, subtopology, task);
        }
    }
    waits
}
