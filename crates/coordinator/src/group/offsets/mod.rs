//! Committed offsets, those of transactions that have not ended apart (KIP-98, KIP-447).
//!
//! A transactional commit pends under its producer until the end marker is replayed. As in Kafka, of a transactional
//! and a plain commit of the same partition the one whose record lies later in the log stands, whenever the
//! transaction ends: it is the one that compaction keeps.

pub mod commit;
pub mod delete;
pub mod expire;
pub mod fetch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::id::{LeaderEpoch, PartitionIndex, ProducerId, Timestamp, TopicId};
use protocol::messages::record::{
    LegacyOffsetCommitKey, LegacyOffsetCommitValue, OffsetCommitKey, OffsetCommitValue,
};
use protocol::offset::Offset;

use super::GroupId;
use crate::record::GroupRecord;
use crate::shard::Written;

/// A consumer's own note; none for the empty one, which takes no room then, as most are. Whoever tells it shares it.
pub type Note = Option<Arc<str>>;

fn note(text: &str) -> Note {
    (!text.is_empty()).then(|| Arc::from(text))
}

/// One committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next record to read.
    pub offset: Offset,
    /// The leader epoch of the last record read; none where the consumer did not say.
    pub leader_epoch: LeaderEpoch,
    /// The consumer's own note.
    pub metadata: Note,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// When it goes, where the commit said so itself; none otherwise.
    pub expires_at: Timestamp,
    /// The topic's id at that time; zero where it was not said.
    pub topic_id: TopicId,
    /// Where its record lies.
    pub record_offset: Offset,
}

/// Offsets by topic and partition.
pub type ByTopic = BTreeMap<Arc<str>, BTreeMap<PartitionIndex, CommittedOffset>>;

/// The producers whose transactions have not ended, by what they commit.
type OpenOffsets = BTreeMap<(Arc<str>, PartitionIndex), BTreeSet<ProducerId>>;

/// The offsets of all groups of a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    committed: BTreeMap<GroupId, ByTopic>,
    pending: BTreeMap<ProducerId, BTreeMap<GroupId, ByTopic>>,
    /// The producers whose transactions have not ended, by what they commit.
    open: BTreeMap<GroupId, OpenOffsets>,
}

impl Offsets {
    /// One committed offset.
    pub fn get(&self, group: &str, topic: &str, partition: PartitionIndex) -> Option<&CommittedOffset> {
        self.committed.get(group)?.get(topic)?.get(&partition)
    }

    /// Everything a group has committed.
    pub fn of(&self, group: &str) -> Option<&ByTopic> {
        self.committed.get(group)
    }

    /// How many there are, pending ones aside.
    pub fn len(&self) -> usize {
        self.committed.values().flat_map(BTreeMap::values).map(BTreeMap::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.committed.is_empty()
    }

    /// Whether a transaction that has not ended commits this offset.
    pub fn is_pending(&self, group: &str, topic: &str, partition: PartitionIndex) -> bool {
        let open = self.open.get(group);
        open.is_some_and(|open| open.contains_key(&(Arc::from(topic), partition)))
    }

    /// Whether any transaction that has not ended commits offsets of the group.
    pub fn any_pending(&self, group: &str) -> bool {
        self.open.contains_key(group)
    }

    /// What transactions that have not ended commit for a group.
    pub(super) fn pending_of(&self, group: &str) -> impl Iterator<Item = &(Arc<str>, PartitionIndex)> {
        self.open.get(group).into_iter().flat_map(BTreeMap::keys)
    }

    /// What transactions that have not ended commit for one partition.
    pub(super) fn pending_at<'o>(
        &'o self,
        group: &'o str,
        (topic, partition): &'o (Arc<str>, PartitionIndex),
    ) -> impl Iterator<Item = &'o CommittedOffset> {
        let producers = self.open.get(group).and_then(|open| open.get(&(topic.clone(), *partition)));
        let offset =
            move |producer: &ProducerId| self.pending.get(producer)?.get(group)?.get(topic)?.get(partition);
        producers.into_iter().flatten().filter_map(offset)
    }

    pub(super) fn replay(
        &mut self,
        written: Written,
        key: &OffsetCommitKey<'_>,
        value: Option<&OffsetCommitValue<'_>>,
    ) {
        let place = (&*key.group, &*key.topic, PartitionIndex(key.partition));
        let committed = value.map(|value| CommittedOffset {
            offset: Offset(value.offset),
            leader_epoch: LeaderEpoch(value.leader_epoch),
            metadata: note(&value.metadata),
            committed_at: Timestamp(value.commit_timestamp),
            expires_at: Timestamp(value.expire_timestamp),
            topic_id: value.topic_id,
            record_offset: written.offset,
        });
        self.take(written, place, committed);
    }

    pub(super) fn replay_legacy(
        &mut self,
        written: Written,
        key: &LegacyOffsetCommitKey<'_>,
        value: Option<&LegacyOffsetCommitValue<'_>>,
    ) {
        let place = (&*key.group, &*key.topic, PartitionIndex(key.partition));
        let committed = value.map(|value| CommittedOffset {
            offset: Offset(value.offset),
            leader_epoch: LeaderEpoch::NONE,
            metadata: note(&value.metadata),
            committed_at: Timestamp(value.commit_timestamp),
            expires_at: Timestamp::NONE,
            topic_id: TopicId::ZERO,
            record_offset: written.offset,
        });
        self.take(written, place, committed);
    }

    fn take(
        &mut self,
        written: Written,
        (group, topic, partition): (&str, &str, PartitionIndex),
        committed: Option<CommittedOffset>,
    ) {
        match (written.transaction, committed) {
            (None, Some(committed)) => self.put(group, topic, partition, committed),
            (Some((producer, _)), Some(committed)) => {
                self.pend(producer, group, topic, partition, committed);
            }
            (_, None) => {
                remove(&mut self.committed, group, topic, partition);
                self.forget_pending(group, topic, partition);
            }
        }
    }

    fn put(&mut self, group: &str, topic: &str, partition: PartitionIndex, committed: CommittedOffset) {
        let known = self.committed.get_mut(group).and_then(|group| group.get_mut(topic));
        match known {
            Some(partitions) => {
                partitions.insert(partition, committed);
            }
            None => {
                let topics = self.committed.entry(group.into()).or_default();
                topics.entry(topic.into()).or_default().insert(partition, committed);
            }
        }
    }

    fn pend(
        &mut self,
        producer: ProducerId,
        group: &str,
        topic: &str,
        partition: PartitionIndex,
        committed: CommittedOffset,
    ) {
        let topics = self.pending.entry(producer).or_default().entry(group.into()).or_default();
        topics.entry(topic.into()).or_default().insert(partition, committed);
        let open = self.open.entry(group.into()).or_default();
        open.entry((topic.into(), partition)).or_default().insert(producer);
    }

    /// A tombstone says that nothing pends either.
    fn forget_pending(&mut self, group: &str, topic: &str, partition: PartitionIndex) {
        let Some(open) = self.open.get_mut(group) else { return };
        for producer in open.remove(&(Arc::from(topic), partition)).unwrap_or_default() {
            if let Some(groups) = self.pending.get_mut(&producer) {
                remove(groups, group, topic, partition);
                if groups.is_empty() {
                    self.pending.remove(&producer);
                }
            }
        }
        if open.is_empty() {
            self.open.remove(group);
        }
    }

    pub(super) fn end_transaction(&mut self, producer: ProducerId, committed: bool) {
        let Some(groups) = self.pending.remove(&producer) else { return };
        for (group, topics) in groups {
            for (topic, partitions) in topics {
                for (partition, offset) in partitions {
                    self.close(producer, &group, (topic.clone(), partition));
                    let known = self.get(&group, &topic, partition);
                    let newer = known.is_none_or(|known| known.record_offset < offset.record_offset);
                    if committed && newer {
                        self.put(&group, &topic, partition, offset);
                    }
                }
            }
        }
    }

    fn close(&mut self, producer: ProducerId, group: &str, place: (Arc<str>, PartitionIndex)) {
        let Some(open) = self.open.get_mut(group) else { return };
        if let Some(producers) = open.get_mut(&place) {
            producers.remove(&producer);
            if producers.is_empty() {
                open.remove(&place);
            }
        }
        if open.is_empty() {
            self.open.remove(group);
        }
    }
}

fn remove(groups: &mut BTreeMap<GroupId, ByTopic>, group: &str, topic: &str, partition: PartitionIndex) {
    let Some(topics) = groups.get_mut(group) else { return };
    if let Some(partitions) = topics.get_mut(topic) {
        partitions.remove(&partition);
        if partitions.is_empty() {
            topics.remove(topic);
        }
    }
    if topics.is_empty() {
        groups.remove(group);
    }
}

/// The record that takes an offset away.
pub(super) fn tombstone(group: &str, topic: &str, partition: PartitionIndex) -> GroupRecord<'static> {
    let key = OffsetCommitKey {
        group: group.to_owned().into(),
        topic: topic.to_owned().into(),
        partition: partition.0,
    };
    GroupRecord::OffsetCommit(key, None)
}
