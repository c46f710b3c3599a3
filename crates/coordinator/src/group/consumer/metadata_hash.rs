//! What the topics that a group reads look like, in one number: when it changes the group assigns anew (KIP-1101).

use std::collections::BTreeMap;
use std::sync::Arc;

use metadata::Image;

use super::turn::{Turn, Update};
use super::{ConsumerGroup, Epoch, Member, SoftChange, recorded};
use crate::group::subscription::hash_of_topics;

impl ConsumerGroup {
    /// The number, once these members have become those.
    pub(super) fn metadata_hash_after(&self, image: &Image, before: &[&Member], after: &[&Member]) -> i64 {
        let mut delta: BTreeMap<&Arc<str>, isize> = BTreeMap::new();
        let mut regexes: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for member in before {
            for topic in member.topics.iter() {
                *delta.entry(topic).or_default() -= 1;
            }
            if let Some(regex) = member.regex() {
                *regexes.entry(regex).or_default() += 1;
            }
        }
        for member in after {
            for topic in member.topics.iter() {
                *delta.entry(topic).or_default() += 1;
            }
            if let Some(left) = member.regex().and_then(|regex| regexes.get_mut(regex)) {
                *left = left.saturating_sub(1);
            }
        }
        // What only an expression matched that nobody has any more is read no longer.
        for (regex, left) in regexes {
            let resolved =
                self.regexes.get(regex).filter(|_| left > 0 && self.subscriptions.of_regex(regex) <= left);
            for topic in resolved.into_iter().flat_map(|resolved| resolved.topics.iter()) {
                *delta.entry(topic).or_default() -= 1;
            }
        }
        let known = self.subscriptions.topics().filter(|topic| {
            let change = delta.get(topic).copied().unwrap_or(0);
            self.subscriptions.of_topic(topic).checked_add_signed(change).is_some_and(|count| count > 0)
        });
        let new = delta.iter().filter(|(topic, change)| **change > 0 && !self.subscriptions.has_topic(topic));
        hash_of_topics(known.chain(new.map(|(topic, _)| *topic)), image)
    }

    /// Whether all that the group reads its members name.
    fn reads_by_name_only(&self) -> bool {
        self.regexes.is_empty() && self.subscriptions.regexes().next().is_none()
    }

    /// Whether the group reads the same topics once these members are gone, as far as that is known at a glance: a thousand
    /// members that go must not have a thousand partitions hashed each.
    pub(super) fn reads_the_same_without(&self, leaving: &[&Member]) -> bool {
        let mut readers: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for topic in leaving.iter().flat_map(|member| member.topics.iter()) {
            *readers.entry(topic).or_default() += 1;
        }
        let mut read = readers.into_iter();
        self.reads_by_name_only() && read.all(|(topic, leaving)| self.subscriptions.of_topic(topic) > leaving)
    }

    /// The same once a member has become another: for a thousand members that join.
    fn reads_the_same_with(&self, before: &Member, after: &Member) -> bool {
        self.reads_by_name_only()
            && before.regex().is_none()
            && after.regex().is_none()
            && after.topics.iter().all(|topic| self.subscriptions.has_topic(topic))
            && before
                .topics
                .iter()
                .all(|topic| after.topics.contains(topic) || self.subscriptions.of_topic(topic) > 1)
    }
}

impl Turn<'_> {
    /// Whether the cluster has changed since the group has looked at its topics.
    pub(super) fn metadata_is_old(&self) -> bool {
        self.group.live.metadata_seen != Some(self.ground.image.end())
    }

    /// Looks at the topics, and takes the group to its next epoch if they, or what is asked for, have changed. The
    /// epoch that the group is at then.
    pub(super) fn refresh(&mut self, update: &Update, asks_for_more: bool) -> Epoch {
        let (before, after) = (&*update.before, &*update.after);
        let full = || self.group.metadata_hash_after(self.ground.image, &[before], &[after]);
        let hash = if self.metadata_is_old() || !self.group.reads_the_same_with(before, after) {
            full()
        } else {
            debug_assert_eq!(self.group.metadata_hash, full(), "nothing has changed that it is made of");
            self.group.metadata_hash
        };
        let epoch = if asks_for_more || hash != self.group.metadata_hash {
            self.bump(hash)
        } else {
            self.group.epoch
        };
        self.changes.push(SoftChange::MetadataSeen(self.ground.image.end()));
        if self.group.has_partition_metadata {
            self.records.push(recorded::no_partition_metadata(&self.id));
        }
        epoch
    }
}
