//! What the two protocols have in common in which the coordinator assigns: that of consumers (KIP-848) and that of Kafka
//! Streams (KIP-1071). Kafka calls the groups of both modern.
//!
//! Nothing here knows what is assigned, and nothing writes a record: the rooms `consumer/` and `streams/` do, which alone
//! drive what is here.

mod commit;
mod epoch;
mod invalid;
mod members;
mod replay;
mod state;
mod target;
mod waits;

pub use commit::MayCommit;
pub use epoch::Epoch;
pub use invalid::{InvalidBeat, check_epoch, check_names};
pub use members::{Comes, Members, ModernMember};
pub use state::{GroupState, MemberState};
pub use target::TargetAssignment;
pub use waits::{WaitChange, Waits};

use protocol::id::Timestamp;

use super::{Group, GroupShard};

impl GroupShard {
    /// Every member of a modern group that was just loaded is given a session to be heard of; how long that is the group's
    /// configuration says, when the shard is woken for it.
    pub(super) fn load_modern(&mut self, now: Timestamp) {
        let mut due = Vec::new();
        for (id, group) in self.groups.iter_mut() {
            match group {
                Group::Classic(_) => continue,
                Group::Consumer(group) => group.loaded(now),
                Group::Streams(group) => group.loaded(now),
            }
            due.push(id.clone());
        }
        for id in due {
            self.timers.set(&id, Some(now));
        }
    }
}
