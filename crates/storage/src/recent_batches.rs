//! Where the batches appended last lie, so that readers at the tail need no index and no read to find their place.
//!
//! Bound: [`RECENT_MAX`] batches of twelve bytes for each partition that is being written to. One alone, as most of very
//! many logs have for long, lies in place.

use std::collections::VecDeque;

/// How many batches are remembered.
pub const RECENT_MAX: usize = 1024;

/// The last batches of an active segment, without a gap between them.
#[derive(Default)]
pub struct RecentBatches {
    /// The first relative offset that is covered, if there is a batch.
    first: u32,
    batches: Batches,
}

#[derive(Default)]
enum Batches {
    #[default]
    None,
    One(RecentBatch),
    #[expect(clippy::box_collection, reason = "it is not to be wider than the one batch")]
    Many(Box<VecDeque<RecentBatch>>),
}

impl Batches {
    /// In order; the second part follows the first.
    fn parts(&self) -> (&[RecentBatch], &[RecentBatch]) {
        match self {
            Self::None => (&[], &[]),
            Self::One(batch) => (std::slice::from_ref(batch), &[]),
            Self::Many(batches) => batches.as_slices(),
        }
    }

    fn len(&self) -> usize {
        let (older, newer) = self.parts();
        older.len() + newer.len()
    }

    fn get(&self, index: usize) -> Option<RecentBatch> {
        let (older, newer) = self.parts();
        older.get(index).or_else(|| newer.get(index - older.len())).copied()
    }

    /// How many of the oldest hold true: they must hold true up to some place and not after it.
    fn partition_point(&self, holds: impl Fn(&RecentBatch) -> bool) -> usize {
        let (older, newer) = self.parts();
        match newer.first().is_some_and(&holds) {
            true => older.len() + newer.partition_point(holds),
            false => older.partition_point(holds),
        }
    }
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
        match &mut self.batches {
            Batches::None => {
                self.first = first;
                self.batches = Batches::One(batch);
            }
            Batches::One(earlier) => self.batches = Batches::Many(Box::new([*earlier, batch].into())),
            Batches::Many(batches) => batches.push_back(batch),
        }
    }

    /// Whether the oldest have to go before another batch comes.
    pub fn is_full(&self) -> bool {
        self.batches.len() >= RECENT_MAX
    }

    /// Takes the `count` oldest out: the first offset they cover, and they.
    pub fn take_oldest(&mut self, count: usize) -> (u32, Vec<RecentBatch>) {
        let first = self.first;
        let oldest: Vec<_> = match std::mem::take(&mut self.batches) {
            Batches::Many(mut batches) => {
                let oldest = batches.drain(..count.min(batches.len())).collect();
                if !batches.is_empty() {
                    self.batches = Batches::Many(batches);
                }
                oldest
            }
            Batches::One(batch) if count > 0 => vec![batch],
            kept => {
                self.batches = kept;
                Vec::new()
            }
        };
        if let Some(last) = oldest.last() {
            self.first = last.last.saturating_add(1);
        }
        (first, oldest)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    /// The last one.
    pub fn last(&self) -> Option<RecentBatch> {
        let (older, newer) = self.batches.parts();
        newer.last().or(older.last()).copied()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first batch whose last offset is `relative` or later; `None` where that is not known here.
    pub fn find(&self, relative: u32) -> Option<RecentBatch> {
        if relative < self.first {
            return None;
        }
        let index = self.batches.partition_point(|batch| batch.last < relative);
        self.batches.get(index)
    }

    /// Whether `relative` lies behind the last batch; `false` where there is none.
    pub fn is_behind(&self, relative: u32) -> bool {
        let (older, newer) = self.batches.parts();
        newer.last().or(older.last()).is_some_and(|batch| relative > batch.last)
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
