//! OffsetDelete (KIP-496), and the offsets of topics that are gone.

use std::sync::Arc;

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
        let mut decision = GroupDecision::reply(());
        decision.divisible = true;
        for (group, offsets) in &self.offsets().committed {
            for (topic, id) in topics {
                // What was committed for a younger topic of the same name stays.
                let of_it = |offset: &CommittedOffset| offset.topic_id.is_zero() || offset.topic_id == *id;
                let partitions = offsets.get(topic).into_iter().flatten();
                let partitions = partitions.filter(|(_, offset)| of_it(offset));
                decision.records.extend(partitions.map(|(index, _)| tombstone(group, topic, *index)));
            }
        }
        let is_gone = |name: &Arc<str>| topics.iter().any(|(topic, _)| topic == name);
        for group in self.offsets().open.keys() {
            let pending = self.offsets().pending_of(group).filter(|(topic, _)| is_gone(topic));
            let unwritten =
                pending.filter(|(topic, index)| self.offsets().get(group, topic, *index).is_none());
            decision.records.extend(unwritten.map(|(topic, index)| tombstone(group, topic, *index)));
        }
        decision
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
