//! When each group has something to do by itself.
//!
//! A group has one entry, which may be too early: a heartbeat moves a member's deadline without touching it. Whoever
//! is woken for nothing says when to come back.

use std::collections::{BTreeMap, BTreeSet};

use protocol::id::Timestamp;

use super::GroupId;
use super::offsets::delete::DeletedTopics;

/// The entries.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Timestamp, GroupId)>,
    by_group: BTreeMap<GroupId, Timestamp>,
    /// The earliest of them: it is asked for with every request.
    first: Option<Timestamp>,
    /// When expired offsets are looked for.
    pub(super) sweep_at: Option<Timestamp>,
    /// The group from which on that goes on; none for all.
    pub(super) sweep_from: Option<GroupId>,
    /// Topics of which no offsets are to be kept.
    pub(super) deleted: DeletedTopics,
}

impl Timers {
    /// The group has nothing to do before `at`, or nothing at all.
    pub(super) fn set(&mut self, group: &GroupId, at: Option<Timestamp>) {
        let known = self.by_group.get(group).copied();
        if known == at {
            return;
        }
        if let Some(known) = known {
            self.by_time.remove(&(known, group.clone()));
            self.by_group.remove(group);
        }
        if let Some(at) = at {
            self.by_time.insert((at, group.clone()));
            self.by_group.insert(group.clone(), at);
        }
        self.first = self.by_time.first().map(|(at, _)| *at);
    }

    /// The group has something to do at `at`, if not before.
    pub(super) fn set_earlier(&mut self, group: &GroupId, at: Timestamp) {
        if self.by_group.get(group).is_none_or(|known| at < *known) {
            self.set(group, Some(at));
        }
    }

    /// The earliest entry.
    pub(super) fn next(&self) -> Option<Timestamp> {
        [self.first, self.sweep_at, self.deleted.forget_at].into_iter().flatten().min()
    }

    /// A group whose time has come.
    pub(super) fn due(&self, now: Timestamp) -> Option<&GroupId> {
        self.by_time.first().filter(|(at, _)| *at <= now).map(|(_, group)| group)
    }

    /// This group, if its time has come.
    pub(super) fn due_of(&self, group: &str, now: Timestamp) -> Option<&GroupId> {
        self.by_group.get_key_value(group).filter(|(_, at)| **at <= now).map(|(group, _)| group)
    }
}
