//! The consumer protocol (KIP-848): members say what they read and what they hold, the coordinator assigns, and each
//! member is brought to its part by itself, in its own heartbeats.
//!
//! All that counts is recorded: the group's epoch, the members, the target assignment with its epoch, how far each
//! member has come, and what regular expressions match. In memory only is when members were last heard of and how
//! long they may take, as in Kafka. A partition is given to a member only after nobody else holds it. Members that
//! speak the classic protocol may be in the group too (`classic_side`), and a group changes its protocol while it
//! lives (`upgrade`, `downgrade`).

mod classic_side;
mod describe;
mod downgrade;
mod embedded;
mod fence;
mod gathering;
mod heartbeat;
mod invalid;
mod leave;
mod live;
mod member;
mod metadata_hash;
mod presence;
mod reconcile;
mod recorded;
mod regex;
mod replay;
mod subscriptions;
mod target;
mod turn;
mod upgrade;
mod wake;

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::{PartitionIndex, Timestamp, TopicId};

use super::assignor::Partitions;
use super::modern::{MemberState, Members, TargetAssignment};
use super::{Epoch, Group, GroupId, GroupShard, MemberId};

pub use describe::{DescribedConsumer, DescribedConsumerGroup};
pub use heartbeat::{ConsumerHeartbeat, HeartbeatAnswer};
pub use invalid::InvalidHeartbeat;
pub use live::{Live, SoftChange};
pub use member::{ClassicSide, Held, Member};
pub use presence::Presence;
pub use regex::Resolved;

pub use super::modern::GroupState;

use subscriptions::Subscriptions;

/// A consumer group.
#[derive(Clone, Debug)]
pub struct ConsumerGroup {
    /// Grows with everything that asks for another assignment.
    epoch: Epoch,
    /// What the topics that the group reads looked like when it last assigned.
    metadata_hash: i64,
    members: Members<Member>,
    /// What each member is to have.
    target: TargetAssignment<Partitions>,
    /// What the members' regular expressions match.
    regexes: BTreeMap<Arc<str>, Arc<Resolved>>,
    /// Whether an older broker has left a record of the topics, which nobody reads any more.
    has_partition_metadata: bool,
    /// The partitions that somebody holds, each with the epoch of who does.
    holders: BTreeMap<TopicId, BTreeMap<PartitionIndex, Epoch>>,
    /// What the members ask for, counted.
    subscriptions: Subscriptions,
    /// What is in memory only.
    live: Live,
}

impl Default for ConsumerGroup {
    /// A group of which nothing is known.
    fn default() -> Self {
        Self {
            epoch: Epoch::FIRST,
            metadata_hash: 0,
            members: Members::default(),
            target: TargetAssignment::default(),
            regexes: BTreeMap::new(),
            has_partition_metadata: false,
            holders: BTreeMap::new(),
            subscriptions: Subscriptions::default(),
            live: Live::default(),
        }
    }
}

impl PartialEq for ConsumerGroup {
    /// Compares the durable halves.
    fn eq(&self, other: &Self) -> bool {
        self.epoch == other.epoch
            && self.metadata_hash == other.metadata_hash
            && self.members == other.members
            && self.target == other.target
            && self.regexes == other.regexes
            && self.has_partition_metadata == other.has_partition_metadata
            && self.holders == other.holders
            && self.subscriptions == other.subscriptions
    }
}

impl ConsumerGroup {
    /// Where the group stands.
    pub fn state(&self) -> GroupState {
        self.members.group_state(self.epoch, self.target.epoch())
    }

    /// The group's epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The epoch of the target assignment.
    pub fn target_epoch(&self) -> Epoch {
        self.target.epoch()
    }

    /// The members.
    pub fn members(&self) -> &BTreeMap<MemberId, Arc<Member>> {
        self.members.by_id()
    }

    /// The members, to be asked who they are.
    pub(super) fn roll(&self) -> &Members<Member> {
        &self.members
    }

    /// What a member is to have.
    pub fn target_of(&self, member: &str) -> Option<&Arc<Partitions>> {
        self.target.of(member)
    }

    /// It was just loaded.
    pub(super) fn loaded(&mut self, now: Timestamp) {
        self.live = Live::loaded(now);
    }

    /// Whether nobody is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.members.by_id().is_empty()
    }

    /// Whether anybody in the group reads a topic.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.subscriptions.has_topic(topic)
    }

    /// Whether no partition is held.
    fn is_held_by_nobody(&self) -> bool {
        self.holders.values().all(BTreeMap::is_empty)
    }

    /// The epoch at which somebody holds a partition.
    fn holder(&self, topic: TopicId, partition: PartitionIndex) -> Option<Epoch> {
        self.holders.get(&topic)?.get(&partition).copied()
    }
}

impl GroupShard {
    /// A consumer group by its id.
    pub(super) fn consumer_group(&self, id: &str) -> Option<&ConsumerGroup> {
        match self.group(id)? {
            Group::Consumer(group) => Some(group),
            Group::Classic(_) | Group::Streams(_) => None,
        }
    }

    fn consumer_group_mut(&mut self, id: &str) -> Option<&mut ConsumerGroup> {
        match self.groups.get_mut(id)? {
            Group::Consumer(group) => Some(group),
            Group::Classic(_) | Group::Streams(_) => None,
        }
    }

    /// Takes a change of what is in memory only.
    pub(super) fn change_consumers(&mut self, id: &GroupId, change: SoftChange) {
        let Some(group) = self.consumer_group_mut(id) else { return };
        if let SoftChange::Woken = change {
            let at = group.live.wake_at();
            self.timers.set(id, at);
        } else if let Some(at) = group.live.change(change) {
            self.timers.set_earlier(id, at);
        }
    }
}
