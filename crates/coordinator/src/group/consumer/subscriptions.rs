//! What the members of a consumer group ask for, counted: how many read a topic by its name, how many expressions
//! match it, how many members share an expression, an assignor, a classic protocol.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Member;
use super::regex::Resolved;
use crate::group::modern::ModernMember;

type Counts = BTreeMap<Arc<str>, usize>;

/// The counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Subscriptions {
    /// Members that name a topic, and expressions that match it.
    topics: BTreeMap<Arc<str>, (usize, usize)>,
    regexes: Counts,
    assignors: Counts,
    classic_members: usize,
    classic_protocols: Counts,
}

impl Subscriptions {
    /// Whether anybody reads a topic.
    pub(super) fn has_topic(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    /// The name of a topic that anybody reads, as it is kept here.
    pub(super) fn name_of(&self, topic: &str) -> Option<Arc<str>> {
        self.topics.get_key_value(topic).map(|(name, _)| name.clone())
    }

    /// The topics that anybody reads.
    pub(super) fn topics(&self) -> impl Iterator<Item = &Arc<str>> {
        self.topics.keys()
    }

    /// How many members and expressions ask for a topic.
    pub(super) fn of_topic(&self, topic: &str) -> usize {
        self.topics.get(topic).map_or(0, |(names, regexes)| names + regexes)
    }

    /// How many members have an expression.
    pub(super) fn of_regex(&self, regex: &str) -> usize {
        self.regexes.get(regex).copied().unwrap_or(0)
    }

    /// The members' expressions.
    pub(super) fn regexes(&self) -> impl Iterator<Item = &Arc<str>> {
        self.regexes.keys()
    }

    /// How many members speak the classic protocol.
    pub(super) fn classic_members(&self) -> usize {
        self.classic_members
    }

    /// Whether all members that speak the classic protocol know one of its protocols.
    pub(super) fn all_classic_know(&self, protocol: &str) -> bool {
        self.classic_protocols.get(protocol).copied().unwrap_or(0) == self.classic_members
    }

    /// The assignor that most members would have, when `before` has become `after`.
    pub(super) fn preferred_assignor(
        &self,
        before: Option<&Member>,
        after: Option<&Member>,
    ) -> Option<Arc<str>> {
        let named = |member: Option<&Member>| member.and_then(|member| member.assignor.clone());
        let (lost, won) = (named(before), named(after));
        let count = |name: &Arc<str>, known: usize| {
            let left = known.saturating_sub(usize::from(lost.as_ref() == Some(name)));
            left + usize::from(won.as_ref() == Some(name))
        };
        let known = self.assignors.iter().map(|(name, known)| (name, count(name, *known)));
        let new =
            won.as_ref().filter(|name| !self.assignors.contains_key(*name)).map(|name| (name, 1)).into_iter();
        let all = known.chain(new).filter(|(_, count)| *count > 0);
        // deviation: of range and uniform with equally many votes Kafka takes whichever its table comes upon first, which may be another with
        // the next heartbeat of the same members, and assigns anew each time; here it is uniform as long as the votes are equal.
        all.max_by_key(|(name, count)| (*count, *name)).map(|(name, _)| name.clone())
    }

    /// A member has come.
    pub(super) fn add(&mut self, member: &Member) {
        for topic in member.topics.iter() {
            self.topics.entry(topic.clone()).or_default().0 += 1;
        }
        for_each_count(self, member, |counts, name| *counts.entry(name.clone()).or_default() += 1);
        self.classic_members += usize::from(member.is_classic());
    }

    /// A member has gone.
    pub(super) fn remove(&mut self, member: &Member) {
        for topic in member.topics.iter() {
            self.less(topic, |(names, _)| *names = names.saturating_sub(1));
        }
        for_each_count(self, member, |counts, name| {
            if let Some(count) = counts.get_mut(name) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    counts.remove(name);
                }
            }
        });
        self.classic_members = self.classic_members.saturating_sub(usize::from(member.is_classic()));
    }

    /// An expression matches these topics.
    pub(super) fn add_resolved(&mut self, resolved: &Resolved) {
        for topic in &resolved.topics {
            self.topics.entry(topic.clone()).or_default().1 += 1;
        }
    }

    /// An expression matches these topics no longer.
    pub(super) fn remove_resolved(&mut self, resolved: &Resolved) {
        for topic in &resolved.topics {
            self.less(topic, |(_, regexes)| *regexes = regexes.saturating_sub(1));
        }
    }

    fn less(&mut self, topic: &str, change: impl FnOnce(&mut (usize, usize))) {
        if let Some(count) = self.topics.get_mut(topic) {
            change(count);
            if *count == (0, 0) {
                self.topics.remove(topic);
            }
        }
    }
}

/// Calls with each of a member's names but those of topics, and the counts that they belong to.
fn for_each_count(
    counts: &mut Subscriptions,
    member: &Member,
    mut change: impl FnMut(&mut Counts, &Arc<str>),
) {
    if let Some(regex) = member.regex() {
        change(&mut counts.regexes, regex);
    }
    if let Some(assignor) = &member.assignor {
        change(&mut counts.assignors, assignor);
    }
    if let Some(classic) = &member.classic {
        for (name, _) in classic.protocols.iter() {
            change(&mut counts.classic_protocols, name);
        }
    }
}
