//! Offsets that nobody has needed for `offsets.retention.minutes` (KIP-211).
//!
//! From when the time counts depends on the group: an empty one is looked at from when it became empty, a group of
//! consumers that is stable from each commit, for topics that nobody reads any more; a group that nobody has joined
//! from each commit. A group that rebalances loses nothing, nor does an offset that a transaction is about to write.

use protocol::id::Timestamp;

use super::{CommittedOffset, tombstone};
use crate::group::{Group, GroupConfig, GroupDecision, GroupGround, GroupShard, Transition};
use crate::record::GroupRecord;

/// From when the time of a group's offsets counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Since {
    /// From then.
    Empty(Timestamp),
    /// From each commit.
    Commit,
    /// They do not expire as long as the group is like this.
    Never,
}

impl Since {
    fn is_expired(self, offset: &CommittedOffset, now: Timestamp, config: &GroupConfig) -> bool {
        let base = match self {
            Self::Never => return false,
            _ if offset.expires_at != Timestamp::NONE => return now >= offset.expires_at,
            Self::Empty(since) => since,
            Self::Commit => offset.committed_at,
        };
        now.0.saturating_sub(base.0) >= config.offsets_retention.0
    }
}

impl GroupShard {
    /// Takes away what has expired, and the groups that have nothing left.
    pub(in crate::group) fn sweep_offsets(&self, ground: &GroupGround<'_>) -> GroupDecision<()> {
        let mut decision = GroupDecision::reply(());
        decision.divisible = true;
        for (id, group) in self.groups() {
            let all = self.expired(id, group, ground, &mut decision.records);
            if all && !self.offsets().any_pending(id) {
                decision.records.extend(self.tombstones_if_empty(id));
            }
        }
        let next = ground.config.offsets_check_interval.after(ground.now);
        decision.transition(Transition::SweepOffsets(next))
    }

    /// Adds the tombstones of a group's expired offsets; says whether none is left.
    fn expired(
        &self,
        id: &str,
        group: &Group,
        ground: &GroupGround<'_>,
        records: &mut Vec<GroupRecord<'static>>,
    ) -> bool {
        let since = match group {
            Group::Classic(classic) => classic.live.offsets_count_since(),
            Group::Consumer(_) | Group::Streams(_) => Since::Commit,
        };
        let mut all = true;
        for (topic, partitions) in self.offsets().of(id).into_iter().flatten() {
            let read = group.is_subscribed_to(topic);
            for (partition, offset) in partitions {
                let expired = !read && since.is_expired(offset, ground.now, ground.config);
                if expired && !self.offsets().is_pending(id, topic, *partition) {
                    records.push(tombstone(id, topic, *partition));
                } else {
                    all = false;
                }
            }
        }
        all
    }
}
