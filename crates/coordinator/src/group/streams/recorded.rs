//! The records of a streams group, as Kafka writes them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::id::{PartitionIndex, Timestamp};
use protocol::messages::record::streams_group_current_member_assignment::TaskIds as CurrentTaskIds;
use protocol::messages::record::streams_group_member_metadata::{Endpoint, KeyValue};
use protocol::messages::record::streams_group_metadata::LastAssignmentConfig;
use protocol::messages::record::streams_group_target_assignment_member::TaskIds as TargetTaskIds;
use protocol::messages::record::streams_group_topology as record;
use protocol::messages::record::{
    StreamsGroupCurrentMemberAssignmentKey, StreamsGroupCurrentMemberAssignmentValue,
    StreamsGroupMemberMetadataKey, StreamsGroupMemberMetadataValue, StreamsGroupMetadataKey,
    StreamsGroupMetadataValue, StreamsGroupTargetAssignmentMemberKey,
    StreamsGroupTargetAssignmentMemberValue, StreamsGroupTargetAssignmentMetadataKey,
    StreamsGroupTargetAssignmentMetadataValue, StreamsGroupTopologyKey, StreamsGroupTopologyValue,
};
use protocol::wire::Array;

use super::tasks::{HeldTasks, Part, Tasks};
use super::topology::{Subtopology, TopicInfo, Topology};
use super::{Epoch, GroupEpochs, Member, MemberState, StreamsGroup};
use crate::record::{GroupRecord, maybe_text, text};

fn texts(words: &[Arc<str>]) -> Array<'static, Cow<'static, str>> {
    words.iter().map(|word| text(word)).collect()
}

/// The group is at this epoch.
pub(super) fn epochs(group: &str, epochs: &GroupEpochs) -> GroupRecord<'static> {
    let configs = epochs
        .assignment_configs
        .iter()
        .map(|(key, value)| LastAssignmentConfig { key: text(key), value: text(value) });
    let value = StreamsGroupMetadataValue {
        epoch: epochs.epoch.0,
        metadata_hash: epochs.metadata_hash,
        validated_topology_epoch: epochs.validated_topology,
        last_assignment_configs: Some(configs.collect()),
        stored_description_topology_epoch: epochs.stored_description,
        failed_description_topology_epoch: epochs.failed_description,
    };
    GroupRecord::StreamsGroupMetadata(StreamsGroupMetadataKey { group_id: text(group) }, Some(value))
}

fn member_key(group: &str, member: &str) -> StreamsGroupMemberMetadataKey<'static> {
    StreamsGroupMemberMetadataKey { group_id: text(group), member_id: text(member) }
}

/// What a member says of itself.
pub(super) fn member(group: &str, id: &str, member: &Member) -> GroupRecord<'static> {
    let endpoint = member.endpoint.as_ref();
    let tags = member.tags.iter().map(|(key, value)| KeyValue { key: text(key), value: text(value) });
    let value = StreamsGroupMemberMetadataValue {
        instance_id: maybe_text(member.instance.as_ref()),
        rack_id: maybe_text(member.rack.as_ref()),
        client_id: text(&member.client_id),
        client_host: text(&member.client_host),
        rebalance_timeout_ms: member.rebalance_timeout.narrow(),
        topology_epoch: member.topology_epoch,
        process_id: text(&member.process),
        user_endpoint: endpoint.map(|at| Endpoint { host: text(&at.host), port: at.port }),
        client_tags: tags.collect(),
    };
    GroupRecord::StreamsGroupMemberMetadata(member_key(group, id), Some(value))
}

/// The target assignment is that of this epoch.
pub(super) fn target_epoch(group: &str, epoch: Epoch, made: Timestamp) -> GroupRecord<'static> {
    let key = StreamsGroupTargetAssignmentMetadataKey { group_id: text(group) };
    let value =
        StreamsGroupTargetAssignmentMetadataValue { assignment_epoch: epoch.0, assignment_timestamp: made.0 };
    GroupRecord::StreamsGroupTargetAssignmentMetadata(key, Some(value))
}

fn target_key(group: &str, member: &str) -> StreamsGroupTargetAssignmentMemberKey<'static> {
    StreamsGroupTargetAssignmentMemberKey { group_id: text(group), member_id: text(member) }
}

/// What a member is to have.
pub(super) fn target(group: &str, member: &str, part: &Part) -> GroupRecord<'static> {
    let ids = |tasks: &Tasks| {
        let of_subtopology = |(id, tasks): (&Arc<str>, &BTreeSet<PartitionIndex>)| TargetTaskIds {
            subtopology_id: text(id),
            partitions: tasks.iter().map(|task| task.0).collect(),
        };
        tasks.iter().map(of_subtopology).collect()
    };
    let value = StreamsGroupTargetAssignmentMemberValue {
        active_tasks: ids(&part.active),
        standby_tasks: ids(&part.standby),
        warmup_tasks: ids(&part.warmup),
    };
    GroupRecord::StreamsGroupTargetAssignmentMember(target_key(group, member), Some(value))
}

fn current_key(group: &str, member: &str) -> StreamsGroupCurrentMemberAssignmentKey<'static> {
    StreamsGroupCurrentMemberAssignmentKey { group_id: text(group), member_id: text(member) }
}

/// The number of how far a member has come.
fn state_number(state: MemberState) -> i8 {
    match state {
        MemberState::Stable => 1,
        MemberState::Unrevoked => 2,
        MemberState::Unreleased => 3,
        // Kafka writes what it does not know as this one number.
        MemberState::Unknown => 127,
    }
}

/// How far a member has come.
pub(super) fn current(group: &str, id: &str, member: &Member) -> GroupRecord<'static> {
    let (assigned, revoking) = (&*member.assigned, &*member.revoking);
    let value = StreamsGroupCurrentMemberAssignmentValue {
        member_epoch: member.epoch.0,
        previous_member_epoch: member.previous_epoch.0,
        state: state_number(member.state),
        active_tasks: held(&assigned.active),
        standby_tasks: plain(&assigned.standby),
        warmup_tasks: plain(&assigned.warmup),
        active_tasks_pending_revocation: held(&revoking.active),
        standby_tasks_pending_revocation: plain(&revoking.standby),
        warmup_tasks_pending_revocation: plain(&revoking.warmup),
    };
    GroupRecord::StreamsGroupCurrentMemberAssignment(current_key(group, id), Some(value))
}

/// Tasks that are given at no epoch: there is a list of none, which takes no bytes, and not no list, which does.
fn plain(tasks: &Tasks) -> Array<'static, CurrentTaskIds<'static>> {
    let of_subtopology = |(id, tasks): (&Arc<str>, &BTreeSet<PartitionIndex>)| CurrentTaskIds {
        subtopology_id: text(id),
        partitions: tasks.iter().map(|task| task.0).collect(),
        assignment_epochs: Some(Array::default()),
    };
    tasks.iter().map(of_subtopology).collect()
}

fn held(tasks: &HeldTasks) -> Array<'static, CurrentTaskIds<'static>> {
    let of_subtopology = |(id, tasks): (&Arc<str>, &BTreeMap<PartitionIndex, Epoch>)| CurrentTaskIds {
        subtopology_id: text(id),
        partitions: tasks.keys().map(|task| task.0).collect(),
        assignment_epochs: Some(tasks.values().map(|epoch| epoch.0).collect()),
    };
    tasks.iter().map(of_subtopology).collect()
}

/// The application is made of this.
pub(super) fn topology(group: &str, topology: &Topology) -> GroupRecord<'static> {
    let subtopologies = topology.subtopologies.iter().map(subtopology);
    let value = StreamsGroupTopologyValue { epoch: topology.epoch, subtopologies: subtopologies.collect() };
    GroupRecord::StreamsGroupTopology(StreamsGroupTopologyKey { group_id: text(group) }, Some(value))
}

fn subtopology(part: &Subtopology) -> record::Subtopology<'static> {
    let groups = part.copartition_groups.iter().map(|group| record::CopartitionGroup {
        source_topics: group.sources.iter().copied().collect(),
        source_topic_regex: group.source_regexes.iter().copied().collect(),
        repartition_source_topics: group.repartition_sources.iter().copied().collect(),
    });
    record::Subtopology {
        subtopology_id: text(&part.id),
        source_topics: texts(&part.sources),
        source_topic_regex: texts(&part.source_regexes),
        state_changelog_topics: part.changelogs.iter().map(topic_info).collect(),
        repartition_sink_topics: texts(&part.repartition_sinks),
        repartition_source_topics: part.repartition_sources.iter().map(topic_info).collect(),
        copartition_groups: groups.collect(),
    }
}

fn topic_info(topic: &TopicInfo) -> record::TopicInfo<'static> {
    let configs =
        topic.configs.iter().map(|(key, value)| record::TopicConfig { key: text(key), value: text(value) });
    record::TopicInfo {
        name: text(&topic.name),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        topic_configs: configs.collect(),
    }
}

/// The records that take away a member.
pub(super) fn without_member(group: &str, member: &str) -> [GroupRecord<'static>; 3] {
    [
        GroupRecord::StreamsGroupCurrentMemberAssignment(current_key(group, member), None),
        GroupRecord::StreamsGroupTargetAssignmentMember(target_key(group, member), None),
        GroupRecord::StreamsGroupMemberMetadata(member_key(group, member), None),
    ]
}

impl StreamsGroup {
    /// The records that take the group away, which has no members.
    pub(in crate::group) fn tombstones(group: &str) -> Vec<GroupRecord<'static>> {
        let target = StreamsGroupTargetAssignmentMetadataKey { group_id: text(group) };
        vec![
            GroupRecord::StreamsGroupTargetAssignmentMetadata(target, None),
            GroupRecord::StreamsGroupMetadata(StreamsGroupMetadataKey { group_id: text(group) }, None),
            GroupRecord::StreamsGroupTopology(StreamsGroupTopologyKey { group_id: text(group) }, None),
        ]
    }
}
