//! What the records of a streams group do to it: the only way its durable half changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::PartitionIndex;
use protocol::messages::record::streams_group_current_member_assignment::TaskIds as CurrentTaskIds;
use protocol::messages::record::streams_group_target_assignment_member::TaskIds as TargetTaskIds;
use protocol::messages::record::{
    StreamsGroupCurrentMemberAssignmentValue, StreamsGroupMemberMetadataValue, StreamsGroupMetadataValue,
    StreamsGroupTargetAssignmentMemberValue,
};
use protocol::wire::Array;

use super::tasks::{Held, HeldTasks, Part, Tasks};
use super::{Endpoint, Epoch, GroupEpochs, Member, MemberState, StreamsGroup, Topology};
use crate::group::Millis;
use crate::record::GroupRecord;

impl StreamsGroup {
    /// Takes a record into the group. The tombstone of the group itself is not for it to take.
    pub(in crate::group) fn replay(&mut self, record: &GroupRecord<'_>) {
        match record {
            GroupRecord::StreamsGroupMetadata(_, Some(value)) => self.epochs = GroupEpochs::from(value),
            GroupRecord::StreamsGroupMemberMetadata(key, value) => {
                self.replay_member(&key.member_id, value.as_ref());
            }
            GroupRecord::StreamsGroupTargetAssignmentMetadata(_, value) => {
                let made = value.as_ref().map(|value| (value.assignment_epoch, value.assignment_timestamp));
                self.target.replay_epoch(made);
            }
            GroupRecord::StreamsGroupTargetAssignmentMember(key, value) => {
                self.replay_target(&key.member_id, value.as_ref());
            }
            GroupRecord::StreamsGroupCurrentMemberAssignment(key, value) => {
                self.replay_current(&key.member_id, value.as_ref());
            }
            GroupRecord::StreamsGroupTopology(_, value) => {
                self.topology = value.as_ref().map(|value| Arc::new(Topology::from(value)));
            }
            _ => {}
        }
    }

    fn replay_member(&mut self, id: &str, value: Option<&StreamsGroupMemberMetadataValue<'_>>) {
        let Some(value) = value else {
            self.drop_member(id);
            return;
        };
        let known = self.members.get(id).map(|member| Member::clone(member)).unwrap_or_default();
        let tags = value.client_tags.iter().map(|tag| (Arc::from(&*tag.key), Arc::from(&*tag.value)));
        let member = Member {
            instance: value.instance_id.as_deref().map(Arc::from),
            rack: value.rack_id.as_deref().map(Arc::from),
            client_id: Arc::from(&*value.client_id),
            client_host: Arc::from(&*value.client_host),
            rebalance_timeout: Millis(value.rebalance_timeout_ms.into()),
            topology_epoch: value.topology_epoch,
            process: Arc::from(&*value.process_id),
            endpoint: value
                .user_endpoint
                .as_ref()
                .map(|at| Endpoint { host: Arc::from(&*at.host), port: at.port }),
            tags: Arc::new(tags.collect()),
            ..known
        };
        self.put_member(id, member);
    }

    fn replay_target(&mut self, id: &str, value: Option<&StreamsGroupTargetAssignmentMemberValue<'_>>) {
        let part = value.map(|value| Part {
            active: targeted(&value.active_tasks),
            standby: targeted(&value.standby_tasks),
            warmup: targeted(&value.warmup_tasks),
        });
        self.target.set(id, part.map(Arc::new));
    }

    fn replay_current(&mut self, id: &str, value: Option<&StreamsGroupCurrentMemberAssignmentValue<'_>>) {
        let known = self.members.get(id).map(|member| Member::clone(member));
        let member = match (value, known) {
            (Some(value), known) => Member {
                epoch: Epoch(value.member_epoch),
                previous_epoch: Epoch(value.previous_member_epoch),
                state: state_of(value.state),
                assigned: Arc::new(Held {
                    active: held(&value.active_tasks, value.member_epoch),
                    standby: plain(&value.standby_tasks),
                    warmup: plain(&value.warmup_tasks),
                }),
                revoking: Arc::new(Held {
                    active: held(&value.active_tasks_pending_revocation, value.member_epoch),
                    standby: plain(&value.standby_tasks_pending_revocation),
                    warmup: plain(&value.warmup_tasks_pending_revocation),
                }),
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

    fn put_member(&mut self, id: &str, member: Member) {
        let member = Arc::new(member);
        if let Some(before) = self.members.put(id, member.clone()) {
            self.holders.remove(&before);
        }
        self.holders.add(&member);
    }

    fn drop_member(&mut self, id: &str) {
        if let Some(before) = self.members.take(id) {
            self.holders.remove(&before);
        }
    }
}

impl From<&StreamsGroupMetadataValue<'_>> for GroupEpochs {
    fn from(value: &StreamsGroupMetadataValue<'_>) -> Self {
        let configs = value.last_assignment_configs.iter().flat_map(Array::iter);
        Self {
            epoch: Epoch(value.epoch),
            metadata_hash: value.metadata_hash,
            validated_topology: value.validated_topology_epoch,
            assignment_configs: configs
                .map(|config| (Arc::from(&*config.key), Arc::from(&*config.value)))
                .collect(),
            stored_description: value.stored_description_topology_epoch,
            failed_description: value.failed_description_topology_epoch,
        }
    }
}

/// How far a member of this number has come.
fn state_of(number: i8) -> MemberState {
    match number {
        1 => MemberState::Stable,
        2 => MemberState::Unrevoked,
        3 => MemberState::Unreleased,
        _ => MemberState::Unknown,
    }
}

fn targeted(tasks: &Array<'_, TargetTaskIds<'_>>) -> Tasks {
    let of_subtopology = tasks.iter().map(|tasks| {
        (Arc::from(&*tasks.subtopology_id), tasks.partitions.iter().map(PartitionIndex).collect())
    });
    of_subtopology.collect()
}

fn plain(tasks: &Array<'_, CurrentTaskIds<'_>>) -> Tasks {
    let of_subtopology = tasks.iter().map(|tasks| {
        (Arc::from(&*tasks.subtopology_id), tasks.partitions.iter().map(PartitionIndex).collect())
    });
    of_subtopology.collect()
}

/// Tasks with their epochs; those of brokers before 4.3 were given at the member's own.
fn held(tasks: &Array<'_, CurrentTaskIds<'_>>, default: i32) -> HeldTasks {
    let of_subtopology = tasks.iter().map(|tasks| {
        let epochs = tasks.assignment_epochs.as_ref();
        let epochs = epochs.filter(|epochs| epochs.len() == tasks.partitions.len());
        let epochs: Vec<i32> = epochs.map_or_else(Vec::new, |epochs| epochs.iter().collect());
        let with_epochs = tasks.partitions.iter().enumerate();
        let held: BTreeMap<_, _> = with_epochs
            .map(|(place, task)| (PartitionIndex(task), Epoch(epochs.get(place).copied().unwrap_or(default))))
            .collect();
        (Arc::from(&*tasks.subtopology_id), held)
    });
    of_subtopology.collect()
}
