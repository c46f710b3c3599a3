//! Log start, high watermark and log end of one replica, and how a leader moves the high watermark (KIP-101,
//! KIP-392, KIP-497, KIP-966).
//!
//! A leader counts with the *maximal* in-sync set: members it has asked the controller to add hold the watermark back
//! before they count for anything else. Fewer in-sync replicas than `min.insync.replicas` leave it where it is.

use protocol::id::{LeaderEpoch, NodeId};
use protocol::offset::Offset;

/// The three marks of one log: `log_start <= high_watermark <= log_end`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watermarks {
    /// The first offset a reader may ask for.
    pub log_start: Offset,
    /// Every in-sync replica has what is below it.
    pub high_watermark: Offset,
    /// The offset of the next record.
    pub log_end: Offset,
}

impl Watermarks {
    /// The marks with the high watermark brought between the other two, as a checkpoint may be behind or ahead.
    pub fn new(log_start: Offset, high_watermark: Offset, log_end: Offset) -> Self {
        assert!(log_start <= log_end, "the log starts at {log_start}, behind its end at {log_end}");
        Self { log_start, high_watermark: high_watermark.clamp(log_start, log_end), log_end }
    }
}

/// What this replica is to the partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Role {
    /// Not told yet.
    #[default]
    Unknown,
    /// It leads.
    Leader(Leadership),
    /// It copies from the leader of this epoch.
    Follower {
        /// The epoch.
        leader_epoch: LeaderEpoch,
    },
}

/// What a leader knows of its in-sync replicas.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leadership {
    /// The epoch of this reign.
    pub leader_epoch: LeaderEpoch,
    /// Where the log ended when it began: a follower must have come this far to join (KAFKA-7128).
    pub epoch_start_offset: Offset,
    /// This node.
    pub local: NodeId,
    in_sync_min: u32,
    /// How many members the controller has confirmed, this node included.
    confirmed: u32,
    /// The other members of the maximal in-sync set, each once, with the end it has reached. Most logs have none.
    others: Box<[(NodeId, Offset)]>,
}

impl Leadership {
    /// A reign that begins at `epoch_start_offset` with these other members; none of them has fetched yet.
    pub fn new(
        leader_epoch: LeaderEpoch,
        epoch_start_offset: Offset,
        local: NodeId,
        in_sync_min: usize,
        in_sync: impl IntoIterator<Item = NodeId>,
    ) -> Self {
        let (confirmed, others) = (0, Box::default());
        let mut leadership =
            Self { leader_epoch, epoch_start_offset, local, in_sync_min: 0, confirmed, others };
        leadership.set_in_sync_min(in_sync_min);
        leadership.set_in_sync(in_sync, []);
        leadership.confirmed = leadership.others.len() as u32 + 1;
        leadership
    }

    /// The smaller of `min.insync.replicas` and the number of replicas.
    pub fn in_sync_min(&self) -> usize {
        self.in_sync_min as usize
    }

    /// Sets how many replicas acks=all asks for.
    pub fn set_in_sync_min(&mut self, in_sync_min: usize) {
        self.in_sync_min = u32::try_from(in_sync_min).unwrap_or(u32::MAX);
    }

    /// Replaces the in-sync set: what the controller has confirmed, and what is asked to be added to it. Members
    /// that stay keep the end they have reached.
    pub fn set_in_sync(
        &mut self,
        confirmed: impl IntoIterator<Item = NodeId>,
        pending: impl IntoIterator<Item = NodeId>,
    ) {
        let mut others: Vec<(NodeId, Offset)> = Vec::new();
        let mut add = |node| {
            if node != self.local && others.iter().all(|(known, _)| *known != node) {
                others.push((node, self.reached(node).unwrap_or(Offset::ZERO)));
            }
        };
        let count = confirmed.into_iter().map(&mut add).count();
        pending.into_iter().for_each(add);
        (self.confirmed, self.others) = (count as u32, others.into());
    }

    fn reached(&self, member: NodeId) -> Option<Offset> {
        self.others.iter().find(|(known, _)| *known == member).map(|(_, end)| *end)
    }

    /// A follower has fetched from `log_end` on, so it has what is below.
    pub fn follower_reached(&mut self, follower: NodeId, log_end: Offset) {
        if let Some((_, end)) = self.others.iter_mut().find(|(known, _)| *known == follower) {
            *end = log_end;
        }
    }

    /// How many replicas are in sync by the controller's word.
    pub fn in_sync_count(&self) -> usize {
        self.confirmed as usize
    }

    /// Whether fewer replicas are in sync than an acks=all produce asks for.
    pub fn is_under_min(&self) -> bool {
        self.confirmed < self.in_sync_min
    }

    /// Where the high watermark may stand, this replica ending at `log_end`; `None` to leave it.
    pub fn high_watermark(&self, log_end: Offset) -> Option<Offset> {
        if self.is_under_min() {
            return None;
        }
        Some(self.others.iter().map(|(_, end)| *end).fold(log_end, Offset::min))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leadership(in_sync_min: usize, in_sync: &[i32]) -> Leadership {
        let nodes = in_sync.iter().map(|&node| NodeId(node));
        Leadership::new(LeaderEpoch(1), Offset(10), NodeId(1), in_sync_min, nodes)
    }

    #[test]
    fn a_lone_replica_follows_its_own_end() {
        assert_eq!(leadership(1, &[1]).high_watermark(Offset(42)), Some(Offset(42)));
    }

    #[test]
    fn the_slowest_member_holds_the_watermark_and_outsiders_do_not() {
        let mut leadership = leadership(2, &[1, 2, 3]);
        leadership.follower_reached(NodeId(2), Offset(30));
        leadership.follower_reached(NodeId(3), Offset(20));
        leadership.follower_reached(NodeId(9), Offset(1));
        assert_eq!(leadership.high_watermark(Offset(42)), Some(Offset(20)));
        leadership.set_in_sync([NodeId(1), NodeId(2)], []);
        assert_eq!(leadership.high_watermark(Offset(42)), Some(Offset(30)));
    }

    #[test]
    fn a_member_that_is_only_asked_for_holds_back_and_does_not_count() {
        let mut leadership = leadership(2, &[1]);
        leadership.set_in_sync([NodeId(1)], [NodeId(2)]);
        assert!(leadership.is_under_min());
        assert_eq!(leadership.high_watermark(Offset(42)), None);
        leadership.set_in_sync_min(1);
        assert_eq!(leadership.high_watermark(Offset(42)), Some(Offset(0)));
        leadership.follower_reached(NodeId(2), Offset(41));
        assert_eq!(leadership.high_watermark(Offset(42)), Some(Offset(41)));
    }

    #[test]
    fn a_checkpointed_watermark_is_brought_between_start_and_end() {
        for (checkpoint, expected) in [(0, 5), (7, 7), (90, 9)] {
            let marks = Watermarks::new(Offset(5), Offset(checkpoint), Offset(9));
            assert_eq!(marks.high_watermark, Offset(expected));
        }
    }
}
