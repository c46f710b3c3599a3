//! OffsetDelete (KIP-496), and the offsets of topics that are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metadata::Image;
use protocol::id::{PartitionIndex, Timestamp, TopicId};

use super::expire::{LOOKS_MAX, PAUSE, RECORDS_MAX};
use super::{CommittedOffset, tombstone};
use crate::group::{Group, GroupDecision, GroupGround, GroupId, GroupRefusal, GroupShard, Transition};
use crate::record::GroupRecord;

/// What became of each partition, in the request's order.
pub type Deleted = Vec<Result<(), GroupRefusal>>;

/// Topics that were deleted and of which no offsets are to be kept. Whoever takes the shard over has them from nobody: what is
/// left then the sweep takes away, by the ids of the topics, and by their names where no id was recorded. What stays are
/// offsets without an id of a topic whose name was given to another before that sweep.
#[derive(Clone, Debug, Default)]
pub(in crate::group) struct DeletedTopics {
    ids: Ids,
    /// What was deleted while the groups are being gone through for those, and has its turn when they have been: who begins
    /// anew each time never comes to the last of them.
    next: Ids,
    /// When their offsets are forgotten, or more of them.
    pub(in crate::group) forget_at: Option<Timestamp>,
    /// The group from which on that goes on; none for all.
    from: Option<GroupId>,
}

/// The ids of topics by their names.
type Ids = BTreeMap<Arc<str>, BTreeSet<TopicId>>;

impl DeletedTopics {
    /// More were deleted.
    pub(in crate::group) fn add(&mut self, at: Timestamp, topics: &[(Arc<str>, TopicId)]) {
        let ids = if self.from.is_some() { &mut self.next } else { &mut self.ids };
        for (topic, id) in topics {
            ids.entry(topic.clone()).or_default().insert(*id);
        }
        // What goes on after a pause is not hastened.
        self.forget_at.get_or_insert(at);
    }

    /// What was due is done. What is left is due at `at`: that goes on from a group, or all groups have been gone through, and
    /// are once more where others were deleted meanwhile.
    pub(in crate::group) fn go_on(&mut self, at: Timestamp, from: Option<GroupId>) {
        if from.is_none() {
            self.ids = std::mem::take(&mut self.next);
        }
        self.forget_at = (!self.ids.is_empty()).then_some(at);
        self.from = from;
    }

    /// Whether an offset was committed for one of them. Of one whose id was not recorded its name says so.
    fn has(&self, topic: &str, offset: &CommittedOffset) -> bool {
        let mut ids = [&self.ids, &self.next].into_iter().filter_map(|ids| ids.get(topic));
        ids.any(|ids| offset.topic_id.is_zero() || ids.contains(&offset.topic_id))
    }
}

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
        if group.is_empty() {
            return Err(GroupRefusal::InvalidGroupId);
        }
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

    /// Topics were deleted: what any group has committed for them is forgotten, a part at a time.
    pub fn topics_were_deleted(
        &self,
        ground: &GroupGround<'_>,
        topics: &[(Arc<str>, TopicId)],
    ) -> GroupDecision<()> {
        GroupDecision::reply(()).transition(Transition::TopicsDeleted(ground.now, topics.into()))
    }

    /// Whether offsets of a topic of this name are being forgotten because it was deleted.
    pub fn forgets_topic(&self, topic: &str) -> bool {
        let DeletedTopics { ids, next, .. } = &self.timers.deleted;
        ids.contains_key(topic) || next.contains_key(topic)
    }

    /// Forgets what groups have committed for topics that were deleted, as much of it as is done at once.
    pub(in crate::group) fn forget_offsets(&self, ground: &GroupGround<'_>) -> GroupDecision<()> {
        let deleted = &self.timers.deleted;
        let mut decision = GroupDecision::reply(());
        decision.divisible = true;
        let mut looks = 0;
        let mut goes_on = None;
        for (id, _) in self.groups.iter_from(deleted.from.as_ref()) {
            let room_is_left = decision.records.len() < RECORDS_MAX && looks < LOOKS_MAX;
            if !room_is_left || !self.forget_of(id, &mut looks, &mut decision.records) {
                goes_on = Some(id.clone());
                break;
            }
        }
        let at = PAUSE.after(ground.now);
        let unwritten = Transition::ForgetOffsets(at, None);
        decision.transition(Transition::ForgetOffsets(at, goes_on)).or_unwritten(unwritten)
    }

    /// Forgets what one group has committed for deleted topics; whether that was all.
    fn forget_of(&self, group: &str, looks: &mut usize, records: &mut Vec<GroupRecord<'static>>) -> bool {
        let (deleted, committed) = (&self.timers.deleted, self.offsets().of(group));
        for topic in deleted.ids.keys() {
            *looks += 1;
            for (index, offset) in committed.and_then(|topics| topics.get(topic)).into_iter().flatten() {
                *looks += 1;
                // What was committed for a younger topic of the same name stays.
                if deleted.has(topic, offset) && !self.forget(group, &(topic.clone(), *index), records) {
                    return false;
                }
            }
        }
        for place in self.offsets().pending_of(group) {
            *looks += 1;
            let is_committed = || self.offsets().get(group, &place.0, place.1).is_some();
            if deleted.ids.contains_key(&place.0) && !is_committed() && !self.forget(group, place, records) {
                return false;
            }
        }
        true
    }

    /// Has an offset forgotten, unless a transaction is about to put one in its place that stays: a tombstone would take
    /// that away, too. Says whether there was room for that.
    fn forget(
        &self,
        group: &str,
        place: &(Arc<str>, PartitionIndex),
        records: &mut Vec<GroupRecord<'static>>,
    ) -> bool {
        if self.offsets().pending_at(group, place).all(|offset| self.timers.deleted.has(&place.0, offset)) {
            if records.len() >= RECORDS_MAX {
                return false;
            }
            records.push(tombstone(group, &place.0, place.1));
        }
        true
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

/// Whether the topic that an offset was committed for is not there. Where its id was not recorded, none of its name is.
pub(super) fn is_absent(image: &Image, topic: &str, offset: &CommittedOffset) -> bool {
    if offset.topic_id.is_zero() {
        return image.topics.by_name(topic).is_none();
    }
    image.topics.get(offset.topic_id).is_none()
}
