//! The members of a classic group, and beside them what all of them come to: how many wait to join, how long the slowest may take,
//! who knows which protocol, when the first may be taken for dead.
//!
//! A change of a group is worked out on a copy (`turn`). A copy shares with what it was made of whatever it leaves as
//! it is, and what all members come to is kept with each change of one: so a request costs as much in a group of ten
//! thousand members as in one of ten, unless it is the one that a generation begins or ends with.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::id::Timestamp;

use super::super::few::{self, Few};
use super::super::{MemberId, Millis};
use super::Member;

/// The members, first who they are.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub struct Members {
    by_id: Few<MemberId, Arc<Member>>,
    /// How many of them have a JoinGroup that waits.
    joining: usize,
    /// How many of them may take how long to join again.
    rebalance_timeouts: Few<Millis, usize>,
    /// How many of them know each protocol.
    supported: Few<Arc<str>, usize>,
    /// No deadline of theirs is earlier. It may be one that was put off since.
    due: Option<Timestamp>,
}

impl PartialEq for Members {
    /// All else follows from who they are, but for how much too early `due` is.
    fn eq(&self, other: &Self) -> bool {
        self.by_id == other.by_id
    }
}

impl Members {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// One of them.
    pub fn get(&self, id: &str) -> Option<&Arc<Member>> {
        self.by_id.get(id)
    }

    /// One of them, with its id as it is kept.
    pub(super) fn get_key_value(&self, id: &str) -> Option<(&MemberId, &Arc<Member>)> {
        self.by_id.get_key_value(id)
    }

    /// All of them in the order of their ids.
    pub fn iter(&self) -> few::Iter<'_, MemberId, Arc<Member>> {
        self.by_id.iter()
    }

    /// Their ids in order.
    pub fn keys(&self) -> impl Iterator<Item = &MemberId> {
        self.by_id.keys()
    }

    /// All of them in the order of their ids.
    pub fn values(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.by_id.values()
    }

    /// The first in the order of their ids.
    pub(super) fn first(&self) -> Option<&MemberId> {
        self.by_id.first().map(|(id, _)| id)
    }

    /// How many JoinGroups wait.
    pub(super) fn joining(&self) -> usize {
        self.joining
    }

    /// How many members know a protocol.
    pub(super) fn supporting(&self, protocol: &str) -> usize {
        self.supported.get(protocol).copied().unwrap_or(0)
    }

    /// The protocols that all members know.
    pub(super) fn supported_by_all(&self) -> impl Iterator<Item = &Arc<str>> {
        self.supported.iter().filter(|(_, count)| **count == self.len()).map(|(name, _)| name)
    }

    /// The longest time that any of them may take to join again.
    pub(super) fn rebalance_timeout(&self) -> Millis {
        self.rebalance_timeouts.last().map(|(timeout, _)| *timeout).unwrap_or_default()
    }

    /// When the first of them may have been silent for too long, or before that.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// Looks who is the first.
    pub(super) fn find_due(&mut self) {
        self.due = self.by_id.values().filter_map(|member| member.deadline).min();
    }

    /// Whether what is kept beside the members is what they come to. No group compares it: it is for whoever plays one.
    pub fn add_up(&self) -> bool {
        let anew: Self = self.iter().map(|(id, member)| (id.clone(), member.clone())).collect();
        let first = self.values().filter_map(|member| member.deadline).min();
        self.joining == anew.joining
            && self.rebalance_timeouts == anew.rebalance_timeouts
            && self.supported == anew.supported
            && first.is_none_or(|first| self.due.is_some_and(|due| due <= first))
    }

    /// Somebody is in the group now, in the place of whoever had that id.
    pub(super) fn insert(&mut self, id: MemberId, member: Arc<Member>) {
        self.add(&member);
        if let Some(before) = self.by_id.insert(id, member) {
            self.subtract(&before);
        }
    }

    /// Somebody is not any more.
    pub(super) fn remove(&mut self, id: &str) -> Option<Arc<Member>> {
        let member = self.by_id.remove(id)?;
        self.subtract(&member);
        if self.by_id.is_empty() {
            self.due = None;
        }
        Some(member)
    }

    /// One of them was heard of and has until then to be heard of again.
    pub(super) fn heard(&mut self, id: &str, deadline: Timestamp) {
        let Some(member) = self.by_id.get_mut(id) else { return };
        let before = Arc::make_mut(member).deadline.replace(deadline);
        // What is put off was not the first any earlier than it is known to be.
        if before.is_none_or(|before| deadline < before) {
            self.expect(Some(deadline));
        }
    }

    /// Changes one of them, if it is there.
    pub(super) fn change<R>(&mut self, id: &str, change: impl FnOnce(&mut Member) -> R) -> Option<R> {
        let member = Arc::make_mut(self.by_id.get_mut(id)?);
        let (joined, timeout) = (member.joins.is_some(), member.rebalance_timeout);
        let protocols = member.protocols.clone();
        let outcome = change(member);
        let (joins, timeout_now) = (member.joins.is_some(), member.rebalance_timeout);
        let (deadline, protocols_now) = (member.deadline, member.protocols.clone());
        self.joining = self.joining + usize::from(joins) - usize::from(joined);
        if timeout != timeout_now {
            count(&mut self.rebalance_timeouts, &timeout_now);
            uncount(&mut self.rebalance_timeouts, &timeout);
        }
        if !Arc::ptr_eq(&protocols, &protocols_now) {
            names(&protocols_now).for_each(|name| count(&mut self.supported, name));
            names(&protocols).for_each(|name| uncount(&mut self.supported, name));
        }
        self.expect(deadline);
        Some(outcome)
    }

    /// Changes each of them, in the order of their ids.
    pub(super) fn change_all(&mut self, mut change: impl FnMut(&MemberId, &mut Member)) {
        let ids: Vec<MemberId> = self.by_id.keys().cloned().collect();
        for id in &ids {
            self.change(id, |member| change(id, member));
        }
    }

    fn add(&mut self, member: &Member) {
        self.joining += usize::from(member.joins.is_some());
        count(&mut self.rebalance_timeouts, &member.rebalance_timeout);
        names(&member.protocols).for_each(|name| count(&mut self.supported, name));
        self.expect(member.deadline);
    }

    fn subtract(&mut self, member: &Member) {
        self.joining -= usize::from(member.joins.is_some());
        uncount(&mut self.rebalance_timeouts, &member.rebalance_timeout);
        names(&member.protocols).for_each(|name| uncount(&mut self.supported, name));
    }

    fn expect(&mut self, deadline: Option<Timestamp>) {
        self.due = [self.due, deadline].into_iter().flatten().min();
    }
}

impl FromIterator<(MemberId, Arc<Member>)> for Members {
    fn from_iter<I: IntoIterator<Item = (MemberId, Arc<Member>)>>(members: I) -> Self {
        let mut all = Self::default();
        members.into_iter().for_each(|(id, member)| all.insert(id, member));
        all
    }
}

impl<'a> IntoIterator for &'a Members {
    type Item = (&'a MemberId, &'a Arc<Member>);
    type IntoIter = few::Iter<'a, MemberId, Arc<Member>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn count<K: Ord + Clone>(counts: &mut Few<K, usize>, what: &K) {
    match counts.get_mut(what) {
        Some(count) => *count += 1,
        None => drop(counts.insert(what.clone(), 1)),
    }
}

fn uncount<K: Ord + Clone>(counts: &mut Few<K, usize>, what: &K) {
    match counts.get_mut(what) {
        Some(count) if *count > 1 => *count -= 1,
        _ => drop(counts.remove(what)),
    }
}

/// Each protocol once, however often it is named.
fn names(protocols: &[(Arc<str>, Arc<[u8]>)]) -> impl Iterator<Item = &Arc<str>> {
    let names: BTreeSet<_> = protocols.iter().map(|(name, _)| name).collect();
    names.into_iter()
}

#[cfg(test)]
mod tests;
