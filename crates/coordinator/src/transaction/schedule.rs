//! Which transactional ids have something to do by themselves, and when: made from what is recorded of them, so that
//! nobody has to walk them all.

use std::collections::{BTreeMap, BTreeSet};

use protocol::id::Timestamp;

use super::TransactionalId;
use super::recorded::Recorded;

/// The ids by what they wait for.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    /// Open transactions, by when they run out of time.
    open: BTreeSet<(Timestamp, TransactionalId)>,
    /// Those of them that have, and wait for a fresh producer id.
    overdue: BTreeSet<TransactionalId>,
    /// Those whose end is decided.
    ending: BTreeSet<TransactionalId>,
    /// Those of them that have no partition to mark.
    markless: BTreeSet<TransactionalId>,
    /// Those without a transaction, by when they were last used.
    idle: BTreeSet<(Timestamp, TransactionalId)>,
    /// Those of all these that are let lie until then, because the log does not take what they would write.
    put_off: BTreeMap<TransactionalId, Timestamp>,
    /// When transactions that ran out of time are aborted, at the earliest.
    pub(super) abort_at: Timestamp,
    /// When ids that were not used are forgotten.
    pub(super) expire_at: Timestamp,
}

impl Schedule {
    /// The id is no longer like this.
    pub(super) fn take_out(&mut self, id: &TransactionalId, recorded: &Recorded) {
        self.put_off.remove(id);
        if let Some(deadline) = recorded.deadline() {
            self.open.remove(&(deadline, id.clone()));
            self.overdue.remove(id);
        }
        if recorded.state.is_ending() {
            self.ending.remove(id);
            self.markless.remove(id);
        }
        if recorded.state.is_idle() {
            self.idle.remove(&(recorded.updated, id.clone()));
        }
    }

    /// The id is like this.
    pub(super) fn put_in(&mut self, id: &TransactionalId, recorded: &Recorded) {
        if let Some(deadline) = recorded.deadline() {
            self.open.insert((deadline, id.clone()));
        }
        if recorded.state.is_ending() {
            self.ending.insert(id.clone());
            if recorded.partitions.is_empty() {
                self.markless.insert(id.clone());
            }
        }
        if recorded.state.is_idle() {
            self.idle.insert((recorded.updated, id.clone()));
        }
    }

    /// These wait for a fresh producer id.
    pub(super) fn overdue(&mut self, ids: Vec<TransactionalId>) {
        self.overdue.extend(ids);
    }

    /// This one is let lie until then.
    pub(super) fn put_off(&mut self, id: TransactionalId, until: Timestamp) {
        self.put_off.insert(id, until);
    }

    fn lies(&self, id: &TransactionalId, now: Timestamp) -> bool {
        self.put_off.get(id).is_some_and(|until| *until > now)
    }

    /// Who waits for a fresh producer id.
    pub(super) fn waiting_for_id(&self) -> impl Iterator<Item = &TransactionalId> {
        self.overdue.iter()
    }

    /// Whose end is decided.
    pub(super) fn ending(&self) -> impl Iterator<Item = &TransactionalId> {
        self.ending.iter()
    }

    /// Whose end is decided and needs no marker, but for those who are let lie.
    pub(super) fn markless(&self, now: Timestamp) -> impl Iterator<Item = &TransactionalId> {
        self.markless.iter().filter(move |id| !self.lies(id, now))
    }

    /// Who has run out of time, but for those who are known to wait or are let lie.
    pub(super) fn timed_out(&self, now: Timestamp) -> impl Iterator<Item = &TransactionalId> {
        let late = self.open.iter().take_while(move |(deadline, _)| *deadline < now).map(|(_, id)| id);
        late.filter(move |id| !self.overdue.contains(*id) && !self.lies(id, now))
    }

    /// Who was not used after this time.
    pub(super) fn unused_since(&self, time: Timestamp) -> impl Iterator<Item = &TransactionalId> {
        self.idle.iter().take_while(move |(updated, _)| *updated <= time).map(|(_, id)| id)
    }

    /// When the next of all this is due.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        if self.markless.iter().any(|id| !self.put_off.contains_key(id)) {
            return Some(Timestamp(0));
        }
        let waits = |id: &TransactionalId| self.overdue.contains(id) || self.put_off.contains_key(id);
        let open = self.open.iter().find(|(_, id)| !waits(id));
        let abort = open.map(|(deadline, _)| Timestamp(deadline.0.saturating_add(1)).max(self.abort_at));
        let expire = (!self.idle.is_empty()).then_some(self.expire_at);
        let put_off = self.put_off.iter().map(|(id, until)| {
            // What ran out of time is looked for now and then only.
            if self.markless.contains(id) { *until } else { (*until).max(self.abort_at) }
        });
        let put_off = put_off.min();
        [abort, expire, put_off].into_iter().flatten().min()
    }
}
