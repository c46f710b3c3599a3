//! OffsetDelete (KIP-496), and the offsets of topics that are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metadata::Image;
use protocol::id::{PartitionIndex, TopicId};

use super::{CommittedOffset, tombstone};
use crate::group::{Group, GroupDecision, GroupRefusal, GroupShard};
use crate::record::GroupRecord;

/// What became of each partition, in the request's order.
pub type Deleted = Vec<Result<(), GroupRefusal>>;

impl GroupShard {
    /// Deletes committed offsets of topics that nobody in the group reads.
    ///
    /// # Errors
    /// There is no such group, or it has members that do not say what they read.
    pub fn delete_offsets(
        &self,
        group: &str,
        partitions: &[(Arc<str>, PartitionIndex)],
    ) -> Result<GroupDecision<Deleted>, GroupRefusal> {
        let known = self.group(group).ok_or(GroupRefusal::GroupIdNotFound)?;
        if let Group::Classic(classic) = known {
            classic.live.may_delete_offsets()?;
        }
        let mut decision = GroupDecision::wait();
        let mut outcomes = Vec::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            if known.is_subscribed_to(topic) {
                outcomes.push(Err(GroupRefusal::GroupSubscribedToTopic));
                continue;
            }
            if self.offsets().get(group, topic, *partition).is_some() {
                decision.records.push(tombstone(group, topic, *partition));
            }
            outcomes.push(Ok(()));
        }
        decision.reply = Some(outcomes);
        Ok(decision)
    }

    /// Forgets what any group has committed for topics that were deleted.
    pub fn forget_topics(&self, topics: &[(Arc<str>, TopicId)]) -> GroupDecision<()> {
        let mut ids: BTreeMap<&Arc<str>, BTreeSet<TopicId>> = BTreeMap::new();
        for (topic, id) in topics {
            ids.entry(topic).or_default().insert(*id);
        }
        let is_of_gone = |topic: &Arc<str>, offset: &CommittedOffset| {
            ids.get(topic).is_some_and(|ids| offset.topic_id.is_zero() || ids.contains(&offset.topic_id))
        };
        let mut decision = GroupDecision::reply(());
        decision.divisible = true;
        for (group, offsets) in &self.offsets().committed {
            for topic in ids.keys().copied() {
                // What was committed for a younger topic of the same name stays.
                for (index, offset) in offsets.get(topic).into_iter().flatten() {
                    if is_of_gone(topic, offset) {
                        self.forget(group, &(topic.clone(), *index), is_of_gone, &mut decision);
                    }
                }
            }
        }
        for group in self.offsets().open.keys() {
            for place in self.offsets().pending_of(group).filter(|(topic, _)| ids.contains_key(topic)) {
                if self.offsets().get(group, &place.0, place.1).is_none() {
                    self.forget(group, place, is_of_gone, &mut decision);
                }
            }
        }
        decision
    }

    /// Forgets what was committed for topics that are not there any more, and for which nobody else could do so at the
    /// time: of those offsets of which `is_settled` says that the metadata cannot be older than their topic.
    pub fn forget_absent(
        &self,
        image: &Image,
        is_settled: impl Fn(&CommittedOffset) -> bool,
    ) -> GroupDecision<()> {
        let mut decision = GroupDecision::reply(());
        decision.divisible = true;
        let is_of_gone =
            |_: &Arc<str>, offset: &CommittedOffset| is_absent(image, offset) && is_settled(offset);
        for (group, offsets) in &self.offsets().committed {
            for (topic, partitions) in offsets {
                for (index, _) in partitions.iter().filter(|(_, offset)| is_of_gone(topic, offset)) {
                    self.forget(group, &(topic.clone(), *index), is_of_gone, &mut decision);
                }
            }
        }
        decision
    }

    /// Has an offset forgotten, unless a transaction is about to put one in its place that stays: a tombstone would take
    /// that away, too.
    fn forget(
        &self,
        group: &str,
        place: &(Arc<str>, PartitionIndex),
        is_of_gone: impl Fn(&Arc<str>, &CommittedOffset) -> bool,
        decision: &mut GroupDecision<()>,
    ) {
        if self.offsets().pending_at(group, place).all(|offset| is_of_gone(&place.0, offset)) {
            decision.records.push(tombstone(group, &place.0, place.1));
        }
    }

    /// The records that take away all offsets of a group, pending ones too.
    pub(in crate::group) fn tombstones_of(&self, group: &str) -> Vec<GroupRecord<'static>> {
        let committed = self.offsets().of(group).into_iter().flatten();
        let mut records: Vec<_> = committed
            .flat_map(|(topic, partitions)| {
                partitions.keys().map(move |partition| tombstone(group, topic, *partition))
            })
            .collect();
        let pending = self.offsets().pending_of(group);
        let unwritten = pending.filter(|(topic, index)| self.offsets().get(group, topic, *index).is_none());
        records.extend(unwritten.map(|(topic, index)| tombstone(group, topic, *index)));
        records
    }
}

/// Whether the topic that an offset was committed for is not there. Of one whose id was not recorded nobody knows.
pub(super) fn is_absent(image: &Image, offset: &CommittedOffset) -> bool {
    !offset.topic_id.is_zero() && image.topics.get(offset.topic_id).is_none()
}
