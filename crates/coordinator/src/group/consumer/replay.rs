//! What the records of a consumer group do to it: the only way its durable half changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::id::{PartitionIndex, Timestamp};
use protocol::messages::record::consumer_group_current_member_assignment::TopicPartitions;
use protocol::messages::record::{
    ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataValue,
    ConsumerGroupRegularExpressionValue, ConsumerGroupTargetAssignmentMemberValue,
};
use protocol::wire::Array;

use super::{ClassicSide, ConsumerGroup, Epoch, Held, Member, MemberState, Resolved};
use crate::group::Millis;
use crate::group::assignor::Partitions;
use crate::record::GroupRecord;

impl ConsumerGroup {
    /// Takes a record into the group. The tombstone of the group itself is not for it to take.
    pub(in crate::group) fn replay(&mut self, record: &GroupRecord<'_>) {
        match record {
            GroupRecord::ConsumerGroupMetadata(_, Some(value)) => self.replay_epoch(value),
            GroupRecord::ConsumerGroupPartitionMetadata(_, value) => {
                self.has_partition_metadata = value.is_some();
            }
            GroupRecord::ConsumerGroupMemberMetadata(key, value) => {
                self.replay_member(&key.member_id, value.as_ref());
            }
            GroupRecord::ConsumerGroupTargetAssignmentMetadata(_, value) => {
                let made = value.as_ref().map(|value| (value.assignment_epoch, value.assignment_timestamp));
                self.target.replay_epoch(made);
            }
            GroupRecord::ConsumerGroupTargetAssignmentMember(key, value) => {
                self.replay_target(&key.member_id, value.as_ref());
            }
            GroupRecord::ConsumerGroupCurrentMemberAssignment(key, value) => {
                self.replay_current(&key.member_id, value.as_ref());
            }
            GroupRecord::ConsumerGroupRegularExpression(key, value) => {
                self.replay_regex(&key.regular_expression, value.as_ref());
            }
            _ => {}
        }
    }

    fn replay_epoch(&mut self, value: &ConsumerGroupMetadataValue) {
        self.epoch = Epoch(value.epoch);
        self.metadata_hash = value.metadata_hash;
    }

    fn replay_member(&mut self, id: &str, value: Option<&ConsumerGroupMemberMetadataValue<'_>>) {
        let Some(value) = value else {
            self.drop_member(id);
            return;
        };
        let known = self.members.get(id).map(|member| Member::clone(member)).unwrap_or_default();
        let topics: BTreeSet<Arc<str>> =
            value.subscribed_topic_names.iter().map(|topic| self.known_topic(&topic)).collect();
        let member = Member {
            instance: value.instance_id.as_deref().map(Arc::from),
            rack: value.rack_id.as_deref().map(Arc::from),
            client_id: Arc::from(&*value.client_id),
            client_host: Arc::from(&*value.client_host),
            rebalance_timeout: Millis(value.rebalance_timeout_ms.into()),
            topics: self.known_topics(topics),
            regex: value.subscribed_topic_regex.as_deref().map(Arc::from),
            assignor: value.server_assignor.as_deref().map(Arc::from),
            classic: value.classic_member_metadata.as_ref().map(|side| {
                let protocols = side.supported_protocols.iter();
                Arc::new(ClassicSide {
                    session_timeout: Millis(side.session_timeout_ms.into()),
                    protocols: protocols
                        .map(|protocol| (Arc::from(&*protocol.name), Arc::from(&*protocol.metadata)))
                        .collect(),
                })
            }),
            ..known
        };
        self.put_member(id, member);
    }

    /// The name of a topic as the group knows it already, so that a name that many read is kept once.
    fn known_topic(&self, topic: &str) -> Arc<str> {
        self.subscriptions.name_of(topic).unwrap_or_else(|| Arc::from(topic))
    }

    /// The same topics as another member has, kept once.
    fn known_topics(&self, topics: BTreeSet<Arc<str>>) -> Arc<BTreeSet<Arc<str>>> {
        let first = self.members.by_id().values().next().filter(|first| *first.topics == topics);
        first.map_or_else(|| Arc::new(topics), |first| first.topics.clone())
    }

    fn replay_target(&mut self, id: &str, value: Option<&ConsumerGroupTargetAssignmentMemberValue<'_>>) {
        let partitions = value.map(|value| {
            let of_topic = value.topic_partitions.iter().map(|topic| {
                (topic.topic_id, topic.partitions.iter().map(PartitionIndex).collect::<BTreeSet<_>>())
            });
            Arc::new(of_topic.collect::<Partitions>())
        });
        self.target.set(id, partitions);
    }

    fn replay_current(&mut self, id: &str, value: Option<&ConsumerGroupCurrentMemberAssignmentValue<'_>>) {
        let known = self.members.get(id).map(|member| Member::clone(member));
        let member = match (value, known) {
            (Some(value), known) => Member {
                epoch: Epoch(value.member_epoch),
                previous_epoch: Epoch(value.previous_member_epoch),
                state: state_of(value.state),
                assigned: Arc::new(held(&value.assigned_partitions, value.member_epoch)),
                revoking: Arc::new(held(&value.partitions_pending_revocation, value.member_epoch)),
                ..known.unwrap_or_default()
            },
            (None, Some(known)) => Member {
                epoch: Epoch::NONE,
                previous_epoch: Epoch::NONE,
                assigned: Arc::default(),
                revoking: Arc::default(),
                ..known
            },
            (None, None) => return,
        };
        self.put_member(id, member);
    }

    fn replay_regex(&mut self, expression: &str, value: Option<&ConsumerGroupRegularExpressionValue<'_>>) {
        if let Some(before) = self.regexes.remove(expression) {
            self.subscriptions.remove_resolved(&before);
        }
        let Some(value) = value else { return };
        let resolved = Resolved {
            topics: value.topics.iter().map(|topic| self.known_topic(&topic)).collect(),
            version: value.version,
            resolved_at: Timestamp(value.timestamp),
        };
        self.subscriptions.add_resolved(&resolved);
        self.regexes.insert(expression.into(), Arc::new(resolved));
    }

    /// A member is like this from now on.
    pub(super) fn put_member(&mut self, id: &str, member: Member) {
        let member = Arc::new(member);
        if let Some(before) = self.members.put(id, member.clone()) {
            self.uncount(&before);
        }
        self.subscriptions.add(&member);
        for held in [&member.assigned, &member.revoking] {
            self.hold(held, member.epoch);
        }
    }

    fn drop_member(&mut self, id: &str) {
        if let Some(before) = self.members.take(id) {
            self.uncount(&before);
        }
    }

    fn uncount(&mut self, before: &Member) {
        self.subscriptions.remove(before);
        for held in [&before.assigned, &before.revoking] {
            self.release(held, before.epoch);
        }
    }

    /// A member at this epoch holds these. Between records of one decision two may: the later epoch counts.
    fn hold(&mut self, held: &Held, epoch: Epoch) {
        for (topic, partitions) in held {
            let holders = self.holders.entry(*topic).or_default();
            for partition in partitions.keys() {
                let known = holders.entry(*partition).or_insert(epoch);
                *known = (*known).max(epoch);
            }
        }
    }

    /// Nobody at this epoch holds these any more; who has taken them since does.
    fn release(&mut self, held: &Held, epoch: Epoch) {
        for (topic, partitions) in held {
            let Some(holders) = self.holders.get_mut(topic) else { continue };
            for partition in partitions.keys() {
                if holders.get(partition) == Some(&epoch) {
                    holders.remove(partition);
                }
            }
            if holders.is_empty() {
                self.holders.remove(topic);
            }
        }
    }
}

/// How far a member of this number has come.
fn state_of(number: i8) -> MemberState {
    match number {
        0 => MemberState::Stable,
        1 => MemberState::Unrevoked,
        2 => MemberState::Unreleased,
        _ => MemberState::Unknown,
    }
}

/// The partitions of a record. Before 4.3 it said of none when it was given: the member's epoch stands for that.
fn held(topics: &Array<'_, TopicPartitions<'_>>, member_epoch: i32) -> Held {
    let of_topic = topics.iter().map(|topic| {
        let epochs = topic.assignment_epochs.as_ref().filter(|epochs| epochs.len() == topic.partitions.len());
        let held: BTreeMap<PartitionIndex, Epoch> = match epochs {
            Some(epochs) => {
                let epochs = epochs.iter().map(Epoch);
                topic.partitions.iter().map(PartitionIndex).zip(epochs).collect()
            }
            None => {
                let epoch = Epoch(member_epoch.max(0));
                topic.partitions.iter().map(|index| (PartitionIndex(index), epoch)).collect()
            }
        };
        (topic.topic_id, held)
    });
    of_topic.collect()
}
