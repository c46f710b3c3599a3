//! The protocol of Kafka Streams (KIP-1071): members hand in what their application is made of and what they have of
//! it, the coordinator has its topics made, assigns its tasks, and brings each member to its part by itself.
//!
//! All that counts is recorded: the group's epoch, the topology, the members, the target assignment with its epoch,
//! and how far each member has come. In memory only, as in Kafka, is when members were last heard of, what the
//! topology comes to with the topics there are (it can be told again from both), how far copies of state are, and
//! who asked for the end. A task is given to a member only after nobody else has it.
//!
//! As in Kafka 4.4.0 a group keeps its topology for good, takes no regular expressions for source topics and gives
//! no warm-up tasks.

mod answer;
mod assignor;
mod config;
mod configured;
mod describe;
mod endpoints;
mod heartbeat;
mod holders;
mod invalid;
mod leave;
mod live;
mod member;
mod partition_counts;
mod process;
mod reconcile;
mod recorded;
mod replay;
mod status;
mod target;
mod tasks;
#[cfg(test)]
mod tests;
mod topology;
mod turn;
mod wake;

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::Timestamp;

pub use answer::StreamsAnswer;
pub use config::{StreamsConfig, StreamsSettings};
pub use configured::InternalTopic;
pub use describe::{DescribedStreamsGroup, DescribedStreamsMember, DescribedSubtopology, DescribedTopic};
pub use endpoints::EndpointPartitions;
pub use heartbeat::StreamsHeartbeat;
pub use invalid::InvalidStreamsHeartbeat;
pub use live::{Live, StreamsChange};
pub use member::{Endpoint, Member};
pub use status::{Status, StatusCode};
pub use tasks::{ByRole, Held, HeldTasks, Offsets, Part, SubtopologyId, TaskOffsets, Tasks};
pub use topology::{CopartitionGroup, Subtopology, TopicInfo, Topology};

use super::modern::{GroupState, MemberState, Members, TargetAssignment};
use super::{Epoch, Group, GroupId, GroupShard, MemberId};
use holders::Holders;

/// What is recorded of the group itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct GroupEpochs {
    /// Grows with everything that asks for another assignment.
    epoch: Epoch,
    /// What the topics of the topology looked like then.
    metadata_hash: i64,
    /// The topology whose topics were all there; -1 for none.
    validated_topology: i32,
    /// The configuration that assignments rest on.
    assignment_configs: BTreeMap<Arc<str>, Arc<str>>,
    /// The topology whose description a plugin has stored; -1 for none.
    stored_description: i32,
    /// The topology whose description a plugin has refused; -1 for none.
    failed_description: i32,
}

/// A streams group.
#[derive(Clone, Debug)]
pub struct StreamsGroup {
    epochs: GroupEpochs,
    topology: Option<Arc<Topology>>,
    members: Members<Member>,
    /// What each member is to have.
    target: TargetAssignment<Part>,
    holders: Holders,
    /// What is in memory only.
    live: Live,
}

impl Default for StreamsGroup {
    /// A group of which nothing is known.
    fn default() -> Self {
        Self {
            epochs: GroupEpochs {
                epoch: Epoch::FIRST,
                metadata_hash: 0,
                validated_topology: -1,
                assignment_configs: BTreeMap::new(),
                stored_description: -1,
                failed_description: -1,
            },
            topology: None,
            members: Members::default(),
            target: TargetAssignment::default(),
            holders: Holders::default(),
            live: Live::default(),
        }
    }
}

impl PartialEq for StreamsGroup {
    /// Compares the durable halves.
    fn eq(&self, other: &Self) -> bool {
        self.epochs == other.epochs
            && self.topology == other.topology
            && self.members == other.members
            && self.target == other.target
            && self.holders == other.holders
    }
}

/// Where a streams group stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Nobody is in it.
    Empty,
    /// Topics are missing, or do not fit.
    NotReady,
    /// It has changed since the target assignment was made.
    Assigning,
    /// Not every member has come to its part.
    Reconciling,
    /// Every member has its part.
    Stable,
}

impl State {
    /// Kafka's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::NotReady => "NotReady",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

impl StreamsGroup {
    /// Where the group stands.
    pub fn state(&self) -> State {
        let topology = self.topology().map(|topology| topology.epoch);
        let is_ready = topology.is_some_and(|epoch| epoch == self.epochs.validated_topology);
        match self.members.group_state(self.epochs.epoch, self.target.epoch()) {
            GroupState::Empty => State::Empty,
            _ if !is_ready => State::NotReady,
            GroupState::Assigning => State::Assigning,
            GroupState::Reconciling => State::Reconciling,
            GroupState::Stable => State::Stable,
        }
    }

    /// The group's epoch.
    pub fn epoch(&self) -> Epoch {
        self.epochs.epoch
    }

    /// The members.
    pub fn members(&self) -> &BTreeMap<MemberId, Arc<Member>> {
        self.members.by_id()
    }

    /// The members, to be asked who they are.
    pub(super) fn roll(&self) -> &Members<Member> {
        &self.members
    }

    /// What the application is made of, as far as it is known.
    pub(super) fn topology(&self) -> Option<&Topology> {
        self.topology.as_deref()
    }

    /// It was just loaded.
    pub(super) fn loaded(&mut self, now: Timestamp) {
        self.live = Live::loaded(now);
    }

    /// Whether nobody is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.members.by_id().is_empty()
    }

    /// Whether the application reads a topic, and runs.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        let reads = |topology: &Arc<Topology>| topology.reader_of(topic).is_some();
        !self.is_empty() && self.topology.as_ref().is_some_and(reads)
    }
}

impl GroupShard {
    /// A streams group by its id.
    pub fn streams_group(&self, id: &str) -> Option<&StreamsGroup> {
        match self.group(id)? {
            Group::Streams(group) => Some(group),
            _ => None,
        }
    }

    /// Takes a change of what is in memory only.
    pub(super) fn change_streams(&mut self, id: &GroupId, change: StreamsChange) {
        let Some(Group::Streams(group)) = self.groups.get_mut(id) else { return };
        if let StreamsChange::Woken = change {
            let at = group.live.wake_at();
            self.timers.set(id, at);
        } else if let Some(at) = group.live.change(change) {
            self.timers.set_earlier(id, at);
        }
    }
}
