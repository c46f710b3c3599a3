//! The classic protocol: members join, the leader among them assigns, everybody fetches their part (KIP-62,
//! KIP-345, KIP-394, KIP-429; the contents of subscriptions and assignments are the clients' own).
//!
//! What is recorded of a group is its last assignment. Who has joined since, who waits and until when is in memory
//! only, as in Kafka: after a load every recorded member is given one session to be heard of.

mod converted;
pub mod heartbeat;
pub mod join;
pub mod leave;
mod live;
mod member;
mod members;
mod promises;
mod recorded;
mod static_member;
pub mod sync;
mod turn;
mod wake;

pub(in crate::group) use converted::{rebalancing, turned_away};
pub use heartbeat::Heartbeat;
pub use join::{Join, JoinAnswer, JoinedMember};
pub use leave::{Leave, Leaver, Left};
pub use live::{Live, State, Wait};
pub use member::{Member, Protocols};
pub use members::Members;
pub use recorded::{Recorded, RecordedMember};
pub use sync::{Sync, SyncAnswer};

use protocol::id::Timestamp;
use protocol::messages::record::GroupMetadataValue;

use super::{Group, GroupConfig, GroupId, GroupShard};

/// The protocol type of consumers, whose subscriptions the coordinator may read.
pub const CONSUMER: &str = "consumer";

/// A classic group.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub struct ClassicGroup {
    /// What is true of it now.
    pub live: Live,
    /// What its last record says; none for a group that only offsets have made.
    pub recorded: Option<Recorded>,
}

impl ClassicGroup {
    /// A group like this.
    fn new(recorded: Recorded) -> Self {
        Self { live: Live::from(&recorded), recorded: Some(recorded) }
    }
}

impl GroupShard {
    pub(super) fn replay_classic(&mut self, id: &str, value: Option<&GroupMetadataValue<'_>>) {
        let Some(value) = value else {
            self.timers.set(&id.into(), None);
            self.groups.remove(id);
            return;
        };
        let recorded = Recorded::of(value);
        match self.groups.get_mut(id) {
            Some(Group::Classic(group)) => group.recorded = Some(recorded),
            // A group that has become a classic one is taken away first, unless compaction has.
            Some(Group::Consumer(_) | Group::Streams(_)) | None => {
                self.groups.insert(id.into(), Group::Classic(ClassicGroup::new(recorded)));
            }
        }
    }

    pub(super) fn put_classic(&mut self, id: GroupId, live: Live) {
        if let Some(Group::Classic(group)) = self.groups.get_mut(&id) {
            self.timers.set(&id, live.wake_at());
            group.live = live;
        }
    }

    /// Every member of a group that was just loaded is given a session to be heard of.
    pub(super) fn load_classic(&mut self, now: Timestamp, config: &GroupConfig) {
        let mut overfull = Vec::new();
        for (id, group) in self.groups.iter_mut() {
            let Group::Classic(group) = group else { continue };
            let Some(recorded) = &group.recorded else { continue };
            let mut live = Live::from(recorded);
            live.hear_all(now);
            group.live = live;
            if group.live.members().len() > config.members_max {
                overfull.push(id.clone());
            }
            self.timers.set(id, group.live.wake_at());
        }
        // A group that no longer fits rebalances, and only so many may join again.
        for id in overfull {
            if let Some(live) = self.rebalanced(&id, now, config) {
                self.put_classic(id, live);
            }
        }
    }
}
