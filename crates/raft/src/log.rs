//! What the machine knows of its log: where it starts and ends, which epochs it holds, what is on stable storage.
//!
//! ```text
//!   start (a snapshot, or 0)      flushed        end
//!     |   epoch 1   |  epoch 3  |    |            |
//!     +-------------+-----------+----+------------+
//! ```

use std::collections::VecDeque;

use protocol::id::LeaderEpoch;
use protocol::offset::Offset;

/// A position together with the epoch of the record before it: how Kafka names the end of a log and a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct OffsetAndEpoch {
    /// The epoch of the last record before the position. First, so that the order is that of logs: epoch, then length.
    pub epoch: LeaderEpoch,
    /// The position, exclusive.
    pub offset: Offset,
}

/// One append on its way to stable storage.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AppendId(pub u64);

/// The log as the machine models it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogModel {
    start: OffsetAndEpoch,
    /// Each epoch with the offset of its first record, both ascending.
    epochs: Vec<(LeaderEpoch, Offset)>,
    end: Offset,
    flushed: Offset,
    pending: VecDeque<(AppendId, Offset)>,
    next_append: u64,
}

impl LogModel {
    /// A log found on disk, all of it flushed. `start` is the snapshot it begins after, the default for none.
    pub fn new(start: OffsetAndEpoch, epochs: Vec<(LeaderEpoch, Offset)>, end: Offset) -> Self {
        Self { start, epochs, end, flushed: end, pending: VecDeque::new(), next_append: 0 }
    }

    /// The snapshot the log begins after.
    pub fn start(&self) -> OffsetAndEpoch {
        self.start
    }

    /// Where the next record goes.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// Up to where records are on stable storage.
    pub fn flushed(&self) -> Offset {
        self.flushed
    }

    /// The epoch of the last record, that of the snapshot for an empty log.
    pub fn last_epoch(&self) -> LeaderEpoch {
        self.epochs.last().map_or(self.start.epoch, |&(epoch, _)| epoch)
    }

    /// The end of the log with its epoch, which is what a vote compares.
    pub fn last(&self) -> OffsetAndEpoch {
        OffsetAndEpoch { epoch: self.last_epoch(), offset: self.end }
    }

    /// The largest epoch not above `epoch` that the log knows, and where that epoch ends.
    pub fn end_of_epoch(&self, epoch: LeaderEpoch) -> OffsetAndEpoch {
        let after = self.epochs.partition_point(|&(known, _)| known <= epoch);
        let offset = self.epochs.get(after).map_or(self.end, |&(_, first)| first);
        match after.checked_sub(1) {
            Some(index) => OffsetAndEpoch { epoch: self.epochs[index].0, offset },
            None => OffsetAndEpoch { epoch: self.start.epoch, offset: self.start.offset },
        }
    }

    pub(crate) fn append(&mut self, epoch: LeaderEpoch, records: u32) -> AppendId {
        assert!(epoch >= self.last_epoch(), "an epoch below the last one was appended");
        if self.epochs.last().is_none_or(|&(last, _)| last < epoch) {
            self.epochs.push((epoch, self.end));
        }
        self.end = self.end.plus(i64::from(records));
        let id = AppendId(self.next_append);
        self.next_append += 1;
        self.pending.push_back((id, self.end));
        id
    }

    /// Notes that an append, and with it every earlier one, reached stable storage. What was truncated away
    /// meanwhile does not count.
    pub(crate) fn flush(&mut self, append: AppendId) {
        while let Some(&(id, end)) = self.pending.front() {
            if id > append {
                break;
            }
            self.flushed = end.min(self.end);
            self.pending.pop_front();
        }
    }

    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(crate) fn truncate(&mut self, to: Offset) {
        self.end = self.end.min(to);
        self.flushed = self.flushed.min(to);
        self.epochs.retain(|&(_, first)| first < to);
        for (_, end) in &mut self.pending {
            *end = (*end).min(to);
        }
    }

    /// Lets the log begin after a newer snapshot of itself.
    pub(crate) fn move_start(&mut self, start: OffsetAndEpoch) {
        let kept = self.epochs.partition_point(|&(_, first)| first <= start.offset).saturating_sub(1);
        self.epochs.drain(..kept);
        if let Some(first) = self.epochs.first_mut() {
            first.1 = first.1.max(start.offset);
        }
        self.start = start;
    }

    /// Replaces everything by a snapshot fetched from the leader.
    pub(crate) fn reset(&mut self, start: OffsetAndEpoch) {
        let next_append = self.next_append;
        *self = Self { next_append, ..Self::new(start, Vec::new(), start.offset) };
    }
}
