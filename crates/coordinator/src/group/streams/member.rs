//! A member of a streams group: what it said of itself, and how far it has come.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::PartitionIndex;

use super::Epoch;
use super::tasks::Held;
use crate::group::Millis;
use crate::group::modern::{MemberState, ModernMember};

/// Where a member's own service can be reached, for queries of its state.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Endpoint {
    /// The host.
    pub host: Arc<str>,
    /// The port.
    pub port: u16,
}

/// A member.
#[derive(Clone, PartialEq, Eq, Debug)]
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
    /// Which topology it has.
    pub topology_epoch: i32,
    /// The process that it is a thread of: state is kept once a process.
    pub process: Arc<str>,
    /// Where its state can be asked for.
    pub endpoint: Option<Endpoint>,
    /// What it says of where it runs.
    pub tags: Arc<BTreeMap<Arc<str>, Arc<str>>>,
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
            topology_epoch: -1,
            process: Arc::from(""),
            endpoint: None,
            tags: Arc::default(),
            epoch: Epoch::JOINING,
            previous_epoch: Epoch::JOINING,
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
}

impl Member {
    /// The epoch at which it was given an active task that it has, or is to give up.
    pub(in crate::group) fn held_since(&self, subtopology: &str, task: PartitionIndex) -> Option<Epoch> {
        let of = |held: &Held| held.active.get(subtopology).and_then(|held| held.get(&task)).copied();
        of(&self.assigned).or_else(|| of(&self.revoking))
    }

    /// Whether a change of what a static member says of itself asks for another assignment.
    pub(super) fn asks_for_more(&self, before: &Self) -> bool {
        self.topology_epoch != before.topology_epoch
            || self.rack != before.rack
            || self.tags != before.tags
            || self.process != before.process
    }
}
