//! Until when the members of a modern group are waited for. In memory only, as in Kafka: after a load all are given their time
//! anew, once somebody knows how much that is.

use std::collections::BTreeMap;

use protocol::id::Timestamp;

use super::Epoch;
use crate::group::{MemberId, Millis};

/// Until when a member is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Deadlines {
    /// It is heard of.
    pub session: Option<Timestamp>,
    /// It gives up what it is to give up, while it is at this epoch.
    pub rebalance: Option<(Timestamp, Epoch)>,
    /// A classic member joins again.
    pub join: Option<Timestamp>,
    /// A classic member fetches its part.
    pub sync: Option<Timestamp>,
}

impl Deadlines {
    fn first(&self) -> Option<Timestamp> {
        let rebalance = self.rebalance.map(|(at, _)| at);
        [self.session, rebalance, self.join, self.sync].into_iter().flatten().min()
    }
}

/// What waiting has to know of a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waited {
    /// Where it is.
    pub epoch: Epoch,
    /// How long it may take to give up what it is to give up; none where it has nothing to.
    pub gives_up: Option<Millis>,
}

impl Waited {
    /// Until when it has to give something up if that counts from now, and at which epoch.
    pub fn gives_up_until(self, now: Timestamp) -> Option<(Timestamp, Epoch)> {
        self.gives_up.map(|most| (most.after(now), self.epoch))
    }
}

/// Who of a group is waited for.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    by_member: BTreeMap<MemberId, Deadlines>,
    /// When the group was loaded, until every member has its deadlines.
    loaded_at: Option<Timestamp>,
}

/// A change of it.
#[derive(Clone, Debug)]
pub enum WaitChange {
    /// A member was heard of: until when it has to be again.
    Session(MemberId, Timestamp),
    /// Until when a member has to give something up; none where it has nothing to.
    Rebalance(MemberId, Option<(Timestamp, Epoch)>),
    /// Until when a classic member has to join again.
    Join(MemberId, Option<Timestamp>),
    /// Until when a classic member has to fetch its part.
    Sync(MemberId, Option<Timestamp>),
    /// Nobody waits for this member any more.
    Gone(MemberId),
    /// The members of a group that was loaded have their deadlines.
    Counted,
}

impl Waits {
    /// Those of a group that was just loaded.
    pub fn loaded(now: Timestamp) -> Self {
        Self { loaded_at: Some(now), ..Self::default() }
    }

    /// Whether the members of a group that was loaded are still to be given their deadlines.
    pub fn are_uncounted(&self) -> bool {
        self.loaded_at.is_some()
    }

    /// Until when a member is waited for.
    pub fn of(&self, member: &str) -> Deadlines {
        self.by_member.get(member).copied().unwrap_or_default()
    }

    /// A member was heard of, and has at least as long as it had to be heard of again: nothing has to be done any sooner. Says
    /// whether that is so; nothing has changed otherwise.
    pub fn put_off(&mut self, member: &str, until: Timestamp) -> bool {
        let Some(known) = self.by_member.get_mut(member) else { return false };
        let is_later = known.session.is_some_and(|session| session <= until);
        if is_later {
            known.session = Some(until);
        }
        is_later
    }

    /// When something is due.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.by_member.values().filter_map(Deadlines::first).chain(self.loaded_at).min()
    }

    /// Takes a change; when it has something done.
    pub fn change(&mut self, change: WaitChange) -> Option<Timestamp> {
        match change {
            WaitChange::Session(member, at) => {
                self.member(member).session = Some(at);
                Some(at)
            }
            WaitChange::Rebalance(member, until) => {
                self.member(member).rebalance = until;
                until.map(|(at, _)| at)
            }
            WaitChange::Join(member, until) => {
                self.member(member).join = until;
                until
            }
            WaitChange::Sync(member, until) => {
                self.member(member).sync = until;
                until
            }
            WaitChange::Gone(member) => {
                self.by_member.remove(&member);
                None
            }
            WaitChange::Counted => {
                self.loaded_at = None;
                None
            }
        }
    }

    fn member(&mut self, id: MemberId) -> &mut Deadlines {
        self.by_member.entry(id).or_default()
    }

    /// Gives the members of a group that was just loaded a session to be heard of.
    pub fn counted<'m>(
        &self,
        now: Timestamp,
        session: Millis,
        members: impl Iterator<Item = (&'m MemberId, Waited)>,
    ) -> Vec<WaitChange> {
        let mut changes = vec![WaitChange::Counted];
        for (id, member) in members {
            let known = self.of(id);
            if known.session.is_none() {
                changes.push(WaitChange::Session(id.clone(), session.after(now)));
            }
            if let (None, until @ Some(_)) = (known.rebalance, member.gives_up_until(now)) {
                changes.push(WaitChange::Rebalance(id.clone(), until));
            }
        }
        changes
    }

    /// A member that was waited for in vain. `member` says what is to be known of one; nothing where it is none any more.
    pub fn overdue(&self, now: Timestamp, member: impl Fn(&str) -> Option<Waited>) -> Option<MemberId> {
        let overdue = |id: &MemberId, until: &Deadlines| {
            let past = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
            let Some(member) = member(id) else { return false };
            let stuck = until.rebalance.filter(|(_, epoch)| *epoch == member.epoch).map(|(at, _)| at);
            past(until.session) || past(until.join) || past(until.sync) || past(stuck)
        };
        self.by_member.iter().find(|(id, until)| overdue(id, until)).map(|(id, _)| id.clone())
    }

    /// Where nobody is overdue: forgets deadlines that mean nobody.
    pub fn stale(&self, now: Timestamp, is_there: impl Fn(&str) -> bool) -> Vec<WaitChange> {
        let mut changes = Vec::new();
        for (id, until) in &self.by_member {
            if !is_there(id) {
                changes.push(WaitChange::Gone(id.clone()));
            } else if until.rebalance.is_some_and(|(at, _)| at <= now) {
                // It has moved on from the epoch that it was to leave.
                changes.push(WaitChange::Rebalance(id.clone(), None));
            }
        }
        changes
    }
}
