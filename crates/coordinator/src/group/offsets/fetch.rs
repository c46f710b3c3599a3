//! OffsetFetch: what a group has committed.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::{LeaderEpoch, PartitionIndex, TopicId};
use protocol::offset::Offset;

use super::{CommittedOffset, Note};
use crate::group::{Generation, Group, GroupRefusal, GroupShard};

/// One offset of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedOffset {
    /// The partition.
    pub partition: PartitionIndex,
    /// What was committed: -1 where nothing was.
    pub offset: Offset,
    /// The leader epoch that was committed with it.
    pub leader_epoch: LeaderEpoch,
    /// The note that was committed with it.
    pub metadata: Note,
    /// Why there is no telling.
    pub refusal: Option<GroupRefusal>,
}

impl FetchedOffset {
    /// Nothing was committed.
    pub fn none(partition: PartitionIndex) -> Self {
        Self { partition, offset: Offset(-1), leader_epoch: LeaderEpoch::NONE, metadata: None, refusal: None }
    }
}

impl GroupShard {
    /// Whether this member may read the group's offsets. In a classic group, and where there is none, anybody may.
    ///
    /// # Errors
    /// It is no member of the consumer group, or not at this epoch.
    pub fn may_fetch_offsets(
        &self,
        group: &str,
        member: Option<&str>,
        epoch: Generation,
    ) -> Result<(), GroupRefusal> {
        match self.group(group) {
            Some(Group::Consumer(group)) => group.roll().may_fetch(member, epoch),
            Some(Group::Streams(group)) => group.roll().may_fetch(member, epoch),
            Some(Group::Classic(_)) | None => Ok(()),
        }
    }

    /// The committed offset of a partition. With `stable`, one that a transaction is about to replace is not told.
    /// One that was committed for another topic of the same name does not count; whose id is not known, zero, may be any.
    pub fn fetch_offset(
        &self,
        group: &str,
        (topic, topic_id): (&str, TopicId),
        partition: PartitionIndex,
        stable: bool,
    ) -> FetchedOffset {
        let none = FetchedOffset::none(partition);
        if stable && self.offsets().is_pending(group, topic, partition) {
            return FetchedOffset { refusal: Some(GroupRefusal::UnstableOffset), ..none };
        }
        let known = self.offsets().get(group, topic, partition);
        match known.filter(|known| is_of(known, topic_id)) {
            Some(known) => FetchedOffset {
                partition,
                offset: known.offset,
                leader_epoch: known.leader_epoch,
                metadata: known.metadata.clone(),
                refusal: None,
            },
            None => none,
        }
    }

    /// Everything a group has committed, by topic, for the topics of these ids.
    pub fn fetch_all_offsets(
        &self,
        group: &str,
        id_of: impl Fn(&str) -> TopicId,
        stable: bool,
    ) -> Vec<(Arc<str>, Vec<FetchedOffset>)> {
        let topics = self.offsets().of(group).into_iter().flatten();
        let of_topic = |(topic, partitions): (&Arc<str>, &BTreeMap<PartitionIndex, CommittedOffset>)| {
            let id = id_of(topic);
            let told = partitions.iter().filter(|(_, known)| is_of(known, id));
            let told = told.map(|(index, _)| self.fetch_offset(group, (topic, id), *index, stable));
            let told: Vec<_> = told.collect();
            (!told.is_empty()).then(|| (topic.clone(), told))
        };
        topics.filter_map(of_topic).collect()
    }
}

/// Whether an offset was committed for the topic of this id, as far as both are known.
fn is_of(offset: &CommittedOffset, topic_id: TopicId) -> bool {
    offset.topic_id.is_zero() || topic_id.is_zero() || offset.topic_id == topic_id
}
