//! The records of a consumer group, as Kafka writes them.

use std::sync::Arc;

use protocol::id::{PartitionIndex, Timestamp, TopicId};
use protocol::messages::record::consumer_group_current_member_assignment::TopicPartitions;
use protocol::messages::record::consumer_group_member_metadata::{ClassicMemberMetadata, ClassicProtocol};
use protocol::messages::record::consumer_group_target_assignment_member::TopicPartition;
use protocol::messages::record::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue, ConsumerGroupPartitionMetadataKey, ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue, ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue, ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue,
};
use protocol::wire::Array;

use super::{ClassicSide, ConsumerGroup, Epoch, Held, Member, MemberState, Resolved};
use crate::group::assignor::Partitions;
use crate::record::{GroupRecord, maybe_text, text};

/// The group is at this epoch, and this is what its topics look like.
pub(super) fn epoch(group: &str, epoch: Epoch, metadata_hash: i64) -> GroupRecord<'static> {
    let value = ConsumerGroupMetadataValue { epoch: epoch.0, metadata_hash };
    GroupRecord::ConsumerGroupMetadata(ConsumerGroupMetadataKey { group_id: text(group) }, Some(value))
}

/// The topics are kept nowhere any more.
pub(super) fn no_partition_metadata(group: &str) -> GroupRecord<'static> {
    let key = ConsumerGroupPartitionMetadataKey { group_id: text(group) };
    GroupRecord::ConsumerGroupPartitionMetadata(key, None)
}

fn member_key(group: &str, member: &str) -> ConsumerGroupMemberMetadataKey<'static> {
    ConsumerGroupMemberMetadataKey { group_id: text(group), member_id: text(member) }
}

/// What a member says of itself.
pub(super) fn member(group: &str, id: &str, member: &Member) -> GroupRecord<'static> {
    let value = ConsumerGroupMemberMetadataValue {
        instance_id: maybe_text(member.instance.as_ref()),
        rack_id: maybe_text(member.rack.as_ref()),
        client_id: text(&member.client_id),
        client_host: text(&member.client_host),
        subscribed_topic_names: member.topics.iter().map(|topic| text(topic)).collect(),
        subscribed_topic_regex: maybe_text(member.regex.as_ref()),
        rebalance_timeout_ms: member.rebalance_timeout.narrow(),
        server_assignor: maybe_text(member.assignor.as_ref()),
        classic_member_metadata: member.classic.as_deref().map(classic_side),
    };
    GroupRecord::ConsumerGroupMemberMetadata(member_key(group, id), Some(value))
}

fn classic_side(side: &ClassicSide) -> ClassicMemberMetadata<'static> {
    let protocols = side
        .protocols
        .iter()
        .map(|(name, metadata)| ClassicProtocol { name: text(name), metadata: metadata.to_vec().into() });
    ClassicMemberMetadata {
        session_timeout_ms: side.session_timeout.narrow(),
        supported_protocols: protocols.collect(),
    }
}

/// The member is gone.
pub(super) fn no_member(group: &str, id: &str) -> GroupRecord<'static> {
    GroupRecord::ConsumerGroupMemberMetadata(member_key(group, id), None)
}

/// The target assignment is that of this epoch.
pub(super) fn target_epoch(group: &str, epoch: Epoch, made: Timestamp) -> GroupRecord<'static> {
    let key = ConsumerGroupTargetAssignmentMetadataKey { group_id: text(group) };
    let value = ConsumerGroupTargetAssignmentMetadataValue {
        assignment_epoch: epoch.0,
        assignment_timestamp: made.0,
    };
    GroupRecord::ConsumerGroupTargetAssignmentMetadata(key, Some(value))
}

fn no_target_epoch(group: &str) -> GroupRecord<'static> {
    let key = ConsumerGroupTargetAssignmentMetadataKey { group_id: text(group) };
    GroupRecord::ConsumerGroupTargetAssignmentMetadata(key, None)
}

fn target_key(group: &str, member: &str) -> ConsumerGroupTargetAssignmentMemberKey<'static> {
    ConsumerGroupTargetAssignmentMemberKey { group_id: text(group), member_id: text(member) }
}

/// What a member is to have.
pub(super) fn target(group: &str, member: &str, partitions: &Partitions) -> GroupRecord<'static> {
    let of_topic = |(topic, indexes): (&TopicId, &std::collections::BTreeSet<PartitionIndex>)| {
        TopicPartition { topic_id: *topic, partitions: indexes.iter().map(|index| index.0).collect() }
    };
    let topic_partitions = partitions.iter().map(of_topic).collect();
    let value = ConsumerGroupTargetAssignmentMemberValue { topic_partitions };
    GroupRecord::ConsumerGroupTargetAssignmentMember(target_key(group, member), Some(value))
}

/// The member is to have nothing, as it is none.
pub(super) fn no_target(group: &str, member: &str) -> GroupRecord<'static> {
    GroupRecord::ConsumerGroupTargetAssignmentMember(target_key(group, member), None)
}

fn current_key(group: &str, member: &str) -> ConsumerGroupCurrentMemberAssignmentKey<'static> {
    ConsumerGroupCurrentMemberAssignmentKey { group_id: text(group), member_id: text(member) }
}

/// The number of how far a member has come.
fn state_number(state: MemberState) -> i8 {
    match state {
        MemberState::Stable => 0,
        MemberState::Unrevoked => 1,
        MemberState::Unreleased => 2,
        // Kafka writes what it does not know as this one number.
        MemberState::Unknown => 127,
    }
}

/// How far a member has come.
pub(super) fn current(group: &str, id: &str, member: &Member) -> GroupRecord<'static> {
    let value = ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: member.epoch.0,
        previous_member_epoch: member.previous_epoch.0,
        state: state_number(member.state),
        assigned_partitions: held(&member.assigned),
        partitions_pending_revocation: held(&member.revoking),
    };
    GroupRecord::ConsumerGroupCurrentMemberAssignment(current_key(group, id), Some(value))
}

fn held(held: &Held) -> Array<'static, TopicPartitions<'static>> {
    let of_topic = held.iter().map(|(topic, held)| TopicPartitions {
        topic_id: *topic,
        partitions: held.keys().map(|index| index.0).collect(),
        assignment_epochs: Some(held.values().map(|epoch| epoch.0).collect()),
    });
    of_topic.collect()
}

/// The member has nothing, and is at no epoch.
pub(super) fn no_current(group: &str, member: &str) -> GroupRecord<'static> {
    GroupRecord::ConsumerGroupCurrentMemberAssignment(current_key(group, member), None)
}

fn regex_key(group: &str, regex: &str) -> ConsumerGroupRegularExpressionKey<'static> {
    ConsumerGroupRegularExpressionKey { group_id: text(group), regular_expression: text(regex) }
}

/// What an expression matches.
pub(super) fn regex(group: &str, expression: &str, resolved: &Resolved) -> GroupRecord<'static> {
    let value = ConsumerGroupRegularExpressionValue {
        topics: resolved.topics.iter().map(|topic| text(topic)).collect(),
        version: resolved.version,
        timestamp: resolved.resolved_at.0,
    };
    GroupRecord::ConsumerGroupRegularExpression(regex_key(group, expression), Some(value))
}

/// Nobody has this expression any more.
pub(super) fn no_regex(group: &str, expression: &str) -> GroupRecord<'static> {
    GroupRecord::ConsumerGroupRegularExpression(regex_key(group, expression), None)
}

impl ConsumerGroup {
    /// The records that take away a member.
    pub(super) fn without_member(group: &str, member: &str) -> [GroupRecord<'static>; 3] {
        [no_current(group, member), no_target(group, member), no_member(group, member)]
    }

    /// The records that take the group away. A member that has another id by the time they are replayed is named
    /// by `renamed`.
    pub(in crate::group) fn tombstones(
        &self,
        group: &str,
        renamed: Option<(&str, &str)>,
    ) -> Vec<GroupRecord<'static>> {
        let ids: Vec<&str> = self
            .members
            .by_id()
            .keys()
            .map(|id| match renamed {
                Some((before, after)) if before == &**id => after,
                _ => id,
            })
            .collect();
        let mut records: Vec<_> = ids.iter().map(|id| no_current(group, id)).collect();
        records.extend(ids.iter().map(|id| no_target(group, id)));
        records.push(no_target_epoch(group));
        records.extend(ids.iter().map(|id| no_member(group, id)));
        records.extend(self.regexes.keys().map(|expression| no_regex(group, expression)));
        records.push(no_partition_metadata(group));
        let key = ConsumerGroupMetadataKey { group_id: text(group) };
        records.push(GroupRecord::ConsumerGroupMetadata(key, None));
        records
    }

    /// The records that make the group what it is.
    pub(super) fn records(&self, group: &str) -> Vec<GroupRecord<'static>> {
        let mut records: Vec<_> =
            self.members.by_id().iter().map(|(id, known)| member(group, id, known)).collect();
        records.push(epoch(group, self.epoch, self.metadata_hash));
        records.extend(self.members.by_id().keys().map(|id| {
            let none = Arc::default();
            target(group, id, self.target.of(id).unwrap_or(&none))
        }));
        records.push(target_epoch(group, self.target.epoch(), self.target.made()));
        records.extend(self.members.by_id().iter().map(|(id, known)| current(group, id, known)));
        records
    }
}
