//! A member of a consumer group: what it said of itself, and how far it has come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::id::{PartitionIndex, TopicId};

use super::Epoch;
use crate::group::Millis;
use crate::group::classic::Protocols;
use crate::group::modern::{MemberState, ModernMember};

/// The partitions that a member holds, each with the epoch at which it was given.
pub type Held = BTreeMap<TopicId, BTreeMap<PartitionIndex, Epoch>>;

/// What a member has that speaks the classic protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassicSide {
    /// How long it may be silent.
    pub session_timeout: Millis,
    /// What it can do, the best first, each with what it told the leader that there is not.
    pub protocols: Protocols,
}

impl ClassicSide {
    /// The protocol in use, which is the first, and what the member told under it.
    pub fn protocol(&self) -> Option<&(Arc<str>, Arc<[u8]>)> {
        self.protocols.first()
    }
}

/// A member.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The static member's own name.
    pub instance: Option<Arc<str>>,
    /// Where it runs.
    pub rack: Option<Arc<str>>,
    /// What the client calls itself.
    pub client_id: Arc<str>,
    /// Where it connects from, as Kafka writes it: with a slash in front.
    pub client_host: Arc<str>,
    /// How long it may take to give something up; negative where it never said.
    pub rebalance_timeout: Millis,
    /// The topics that it names.
    pub topics: Arc<BTreeSet<Arc<str>>>,
    /// What the names of topics that it reads look like; empty for none.
    pub regex: Option<Arc<str>>,
    /// The assignor that it would have.
    pub assignor: Option<Arc<str>>,
    /// What it has beside, if it speaks the classic protocol.
    pub classic: Option<Arc<ClassicSide>>,
    /// Where it is.
    pub epoch: Epoch,
    /// Where it was before, and may believe to be still.
    pub previous_epoch: Epoch,
    /// How far it has come.
    pub state: MemberState,
    /// What it has.
    pub assigned: Arc<Held>,
    /// What it is to give up.
    pub revoking: Arc<Held>,
}

impl Default for Member {
    /// A member of which nothing is known.
    fn default() -> Self {
        Self {
            instance: None,
            rack: None,
            client_id: Arc::from(""),
            client_host: Arc::from(""),
            rebalance_timeout: Millis(-1),
            topics: Arc::default(),
            regex: Some(Arc::from("")),
            assignor: None,
            classic: None,
            epoch: Epoch::JOINING,
            previous_epoch: Epoch::NONE,
            state: MemberState::Stable,
            assigned: Arc::default(),
            revoking: Arc::default(),
        }
    }
}

impl ModernMember for Member {
    fn instance(&self) -> Option<&Arc<str>> {
        self.instance.as_ref()
    }

    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn previous_epoch(&self) -> Epoch {
        self.previous_epoch
    }

    fn state(&self) -> MemberState {
        self.state
    }

    fn rebalance_timeout(&self) -> Millis {
        self.rebalance_timeout
    }

    fn is_classic(&self) -> bool {
        self.classic.is_some()
    }
}

impl Member {
    /// Its regular expression, if it has one.
    pub(super) fn regex(&self) -> Option<&Arc<str>> {
        self.regex.as_ref().filter(|regex| !regex.is_empty())
    }

    /// The epoch at which it was given a partition that it holds, or is to give up.
    pub(in crate::group) fn held_since(&self, topic: TopicId, partition: PartitionIndex) -> Option<Epoch> {
        let of = |held: &Held| held.get(&topic).and_then(|held| held.get(&partition)).copied();
        of(&self.assigned).or_else(|| of(&self.revoking))
    }

    /// The same with another epoch, the present one being the one before.
    pub(super) fn moved_to(&self, epoch: Epoch) -> Self {
        Self { epoch, previous_epoch: self.epoch, ..self.clone() }
    }
}

/// The same partitions without their epochs.
pub(super) fn without_epochs(held: &Held) -> crate::group::assignor::Partitions {
    held.iter().map(|(topic, held)| (*topic, held.keys().copied().collect())).collect()
}

/// The partitions of a target, all given at one epoch.
pub(super) fn held_at(partitions: &crate::group::assignor::Partitions, epoch: Epoch) -> Held {
    let at = |indexes: &BTreeSet<PartitionIndex>| indexes.iter().map(|index| (*index, epoch)).collect();
    partitions.iter().map(|(topic, indexes)| (*topic, at(indexes))).collect()
}
