//! Where the batches appended last lie, so that readers at the tail need no index and no read to find their place.
//!
//! Bound: [`RECENT_MAX`] batches of twelve bytes for each partition that is being written to; none before the
//! first append.

use std::collections::VecDeque;

/// How many batches are remembered.
pub const RECENT_MAX: usize = 1024;

/// The last batches of an active segment, without a gap between them.
#[derive(Default)]
pub struct RecentBatches {
    /// The first relative offset that is covered, if there is a batch.
    first: u32,
    batches: VecDeque<RecentBatch>,
}

/// One batch: its last offset relative to the segment's base, and its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecentBatch {
    /// The last offset, relative.
    pub last: u32,
    /// Where it starts.
    pub position: u32,
    /// Its bytes.
    pub size: u32,
}

impl RecentBatches {
    /// Remembers a batch that begins with the relative offset `first`. There must be room ([`Self::take_oldest`]).
    pub fn push(&mut self, first: u32, batch: RecentBatch) {
        if self.batches.is_empty() {
            self.first = first;
            // Most of very many logs have one batch for long.
            self.batches.reserve_exact(1);
        }
        self.batches.push_back(batch);
    }

    /// Whether the oldest have to go before another batch comes.
    pub fn is_full(&self) -> bool {
        self.batches.len() >= RECENT_MAX
    }

    /// Takes the `count` oldest out: the first offset they cover, and they.
    pub fn take_oldest(&mut self, count: usize) -> (u32, Vec<RecentBatch>) {
        let first = self.first;
        let oldest: Vec<_> = self.batches.drain(..count.min(self.batches.len())).collect();
        if let Some(last) = oldest.last() {
            self.first = last.last.saturating_add(1);
        }
        (first, oldest)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// The first batch whose last offset is `relative` or later; `None` where that is not known here.
    pub fn find(&self, relative: u32) -> Option<RecentBatch> {
        if relative < self.first {
            return None;
        }
        let index = self.batches.partition_point(|batch| batch.last < relative);
        self.batches.get(index).copied()
    }

    /// Whether `relative` lies behind the last batch; `false` where there is none.
    pub fn is_behind(&self, relative: u32) -> bool {
        self.batches.back().is_some_and(|batch| relative > batch.last)
    }

    /// The end of the last whole batch that ends at `position` or before; `None` where that is not known here.
    pub fn end_before(&self, position: u32) -> Option<u32> {
        let index = self.batches.partition_point(|batch| batch.position + batch.size <= position);
        let batch = self.batches.get(index.checked_sub(1)?)?;
        Some(batch.position + batch.size)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(count: u32) -> RecentBatches {
        let mut recent = RecentBatches::default();
        for batch in 0..count {
            let (first, position) = (10 + batch * 3, 500 + batch * 100);
            if recent.is_full() {
                recent.take_oldest(RECENT_MAX / 2);
            }
            recent.push(first, RecentBatch { last: first + 2, position, size: 100 });
        }
        recent
    }

    #[test]
    fn an_offset_is_found_in_the_batch_that_holds_it() {
        let recent = ring(4);
        let table =
            [(9, None), (10, Some(500)), (12, Some(500)), (13, Some(600)), (21, Some(800)), (22, None)];
        for (relative, position) in table {
            assert_eq!(recent.find(relative).map(|batch| batch.position), position, "{relative}");
        }
    }

    #[test]
    fn what_was_forgotten_is_not_known() {
        let recent = ring(RECENT_MAX as u32 + 2);
        assert_eq!(recent.len(), RECENT_MAX / 2 + 2);
        let forgotten = 10 + RECENT_MAX as u32 / 2 * 3;
        assert_eq!(recent.find(forgotten - 1), None);
        let position = 500 + RECENT_MAX as u32 / 2 * 100;
        assert_eq!(recent.find(forgotten).map(|batch| batch.position), Some(position));
    }

    #[test]
    fn what_is_taken_out_is_said_with_where_it_begins() {
        let mut recent = ring(5);
        let (first, oldest) = recent.take_oldest(2);
        assert_eq!((first, oldest.len(), oldest[1].last), (10, 2, 15));
        assert_eq!(recent.take_oldest(9).0, 16);
        assert!(recent.is_empty());
    }

    #[test]
    fn slices_end_with_a_whole_batch() {
        let recent = ring(3);
        let table = [(599, None), (600, Some(600)), (799, Some(700)), (800, Some(800)), (9999, Some(800))];
        for (position, end) in table {
            assert_eq!(recent.end_before(position), end, "{position}");
        }
    }
}
