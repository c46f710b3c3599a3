//! Offsets that nobody has needed for `offsets.retention.minutes` (KIP-211), or whose topic is gone.
//!
//! From when the time counts depends on the group: an empty one is looked at from when it became empty, a group of
//! consumers that is stable from each commit, for topics that nobody reads any more; a group that nobody has joined
//! from each commit. A group that rebalances loses nothing, nor does an offset that a transaction is about to write.

use protocol::id::Timestamp;

use super::delete::is_absent;
use super::{CommittedOffset, tombstone};
use crate::group::{Group, GroupConfig, GroupDecision, GroupGround, GroupShard, Millis, Transition};
use crate::record::GroupRecord;

/// How long after it was committed an offset's topic is in the metadata for sure.
const SETTLED: Millis = Millis(60_000);
/// After so many tombstones, or groups and offsets looked at, a sweep lets others have their turn.
pub(super) const RECORDS_MAX: usize = 5000;
pub(super) const LOOKS_MAX: usize = 100_000;
/// How soon it goes on: later than such a part takes, so that other shards of the directory have their turn, too.
pub(super) const PAUSE: Millis = Millis(100);

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

/// What a sweep leaves of a group's offsets.
enum Left {
    /// None.
    Nothing,
    /// Some that are kept.
    Some,
    /// Some that have expired.
    More,
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
        let mut looks = 0;
        let mut goes_on = None;
        for (id, group) in self.groups.iter_from(self.timers.sweep_from.as_ref()) {
            if decision.records.len() >= RECORDS_MAX || looks >= LOOKS_MAX {
                goes_on = Some(id.clone());
                break;
            }
            looks += 1;
            let left = self.expired(id, group, ground, (&mut looks, &mut decision.records));
            match left {
                Left::Nothing if !self.offsets().any_pending(id) => {
                    decision.records.extend(self.tombstones_if_empty(id));
                }
                Left::Nothing | Left::Some => {}
                Left::More => {
                    goes_on = Some(id.clone());
                    break;
                }
            }
        }
        let next = ground.config.offsets_check_interval.after(ground.now);
        let again = if goes_on.is_some() { PAUSE.after(ground.now) } else { next };
        let unwritten = Transition::SweepOffsets(next, None);
        decision.transition(Transition::SweepOffsets(again, goes_on)).or_unwritten(unwritten)
    }

    /// Adds the tombstones of a group's expired offsets, as far as there is room for them; says what is left.
    fn expired(
        &self,
        id: &str,
        group: &Group,
        ground: &GroupGround<'_>,
        (looks, records): (&mut usize, &mut Vec<GroupRecord<'static>>),
    ) -> Left {
        let since = match group {
            Group::Classic(classic) => classic.live.offsets_count_since(),
            Group::Consumer(_) | Group::Streams(_) => Since::Commit,
        };
        let mut left = Left::Nothing;
        for (topic, partitions) in self.offsets().of(id).into_iter().flatten() {
            let read = group.is_subscribed_to(topic);
            for (partition, offset) in partitions {
                *looks += 1;
                // One that was committed a moment ago may be of a topic that is younger than the metadata at hand.
                let is_settled = SETTLED.after(offset.committed_at) <= ground.now;
                let absent = is_settled && is_absent(ground.image, topic, offset);
                let expired = absent || !read && since.is_expired(offset, ground.now, ground.config);
                if expired && !self.offsets().is_pending(id, topic, *partition) {
                    if records.len() >= RECORDS_MAX {
                        return Left::More;
                    }
                    records.push(tombstone(id, topic, *partition));
                } else {
                    left = Left::Some;
                }
            }
        }
        left
    }
}
