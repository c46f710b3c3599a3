//! Where older batches lie, remembered in a bounded memory that all logs share, so that a reader who works its way
//! through old records needs neither index nor header reads to find its next place.
//!
//! A run of batches is kept as a block: those that an active segment no longer remembers as its latest, and those that a
//! reader's misses have walked over. Of the latter it is known how young they are, so that who looks a time up reads nothing
//! but the batch it is in. The memory ([`crate::batch_memory`]) holds the blocks, segments hold weak handles.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use protocol::id::Timestamp;

use crate::batch_memory::{BatchMemory, Remembered};
use crate::recent_batches::RecentBatch;

/// The most batches of a block.
pub const BLOCK_MAX: usize = 512;

/// A run of batches of one segment without a gap in the file. Offsets are relative to the segment's base.
pub struct Block {
    /// The first offset that the run covers.
    pub first: u32,
    /// Where the last batch ends.
    end: u32,
    /// What the ages of the batches are counted from.
    epoch: Timestamp,
    batches: Box<[Placed]>,
    used: AtomicBool,
}

/// A batch of a run: it ends where the next one starts.
#[derive(Clone, Copy)]
struct Placed {
    last: u32,
    position: u32,
    /// Its largest timestamp, in milliseconds since the block's epoch; `UNTIMED` where that is not known.
    since: u32,
}

const UNTIMED: u32 = u32::MAX;

/// A batch that a walk has met: its place, and its largest timestamp.
pub type Walked = (RecentBatch, Timestamp);

/// What is known of the first batch of an age.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AsYoung {
    /// It is this one.
    At(RecentBatch),
    /// It lies behind all that precede this relative offset.
    Behind(u32),
    /// Where it may lie is known, but not how young the batches there are.
    Untimed,
    /// Nothing.
    Unknown,
}

impl Block {
    /// A run; `None` without batches.
    pub fn new(first: u32, batches: &[RecentBatch]) -> Option<Self> {
        Self::placed(first, batches, |_| UNTIMED, Timestamp::NONE)
    }

    /// The same of a walk. Where the ages lie too far apart nothing is known of them.
    fn walked(first: u32, walked: &[Walked]) -> Option<Self> {
        let (batches, times): (Vec<_>, Vec<_>) = walked.iter().copied().unzip();
        let epoch = times.iter().copied().min()?;
        let since = |time: Timestamp| u32::try_from(time.0.checked_sub(epoch.0)?).ok();
        let known = times.iter().all(|time| since(*time).is_some_and(|since| since < UNTIMED));
        let at = |place: usize| if known { since(times[place]).unwrap_or(UNTIMED) } else { UNTIMED };
        Self::placed(first, &batches, at, epoch)
    }

    fn placed(
        first: u32,
        batches: &[RecentBatch],
        since: impl Fn(usize) -> u32,
        epoch: Timestamp,
    ) -> Option<Self> {
        let end = batches.last().map(|last| last.position + last.size)?;
        let placed = batches.iter().enumerate().map(|(place, batch)| Placed {
            last: batch.last,
            position: batch.position,
            since: since(place),
        });
        Some(Self { first, end, epoch, batches: placed.collect(), used: AtomicBool::new(false) })
    }

    /// The last offset.
    pub fn last(&self) -> u32 {
        self.batches[self.batches.len() - 1].last
    }

    /// Where the last batch ends.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// The bytes of its batches.
    pub fn size(&self) -> u32 {
        self.end - self.batches[0].position
    }

    /// The mean size of its batches.
    pub fn mean_size(&self) -> u32 {
        self.size() / self.batches.len() as u32
    }

    fn get(&self, index: usize) -> Option<RecentBatch> {
        let Placed { last, position, .. } = *self.batches.get(index)?;
        Some(RecentBatch { last, position, size: self.end_of(index) - position })
    }

    /// The end of the last batch that ends at `position` or before.
    fn last_end_to(&self, position: u32) -> Option<u32> {
        // Of those that start there or before, only the last one may end behind it.
        let started = self.batches.partition_point(|batch| batch.position <= position);
        let ends = (0..started).rev().map(|index| self.end_of(index));
        ends.take(2).find(|end| *end <= position)
    }

    fn end_of(&self, index: usize) -> u32 {
        self.batches.get(index + 1).map_or(self.end, |next| next.position)
    }

    /// The place of the first batch whose last offset is `relative` or later.
    fn place(&self, relative: u32) -> usize {
        self.batches.partition_point(|batch| batch.last < relative)
    }
}

impl Remembered for Block {
    fn bytes_held(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.batches)
    }

    fn used(&self) -> &AtomicBool {
        &self.used
    }
}

/// The blocks of one segment, in the order of their offsets.
#[derive(Default)]
pub struct KnownBatches {
    /// There once there was one: most of very many logs are never read far behind.
    #[expect(clippy::box_collection, reason = "a segment without any is to have no room for a list of them")]
    blocks: Option<Box<Vec<Known>>>,
}

/// The first offset and the first position of a block, and its handle.
type Known = (u32, u32, Weak<Block>);

impl KnownBatches {
    /// Remembers a run. Runs may overlap: then the later one is asked first.
    pub fn add(&mut self, memory: &BatchMemory, first: u32, batches: &[RecentBatch]) {
        let mut first = first;
        for run in batches.chunks(BLOCK_MAX) {
            first = self.hold(memory, Block::new(first, run)).unwrap_or(first);
        }
    }

    /// The same of batches that were walked over.
    pub fn add_walked(&mut self, memory: &BatchMemory, first: u32, walked: &[Walked]) {
        let mut first = first;
        for run in walked.chunks(BLOCK_MAX) {
            first = self.hold(memory, Block::walked(first, run)).unwrap_or(first);
        }
    }

    /// Has a run held; says which offset comes behind it.
    fn hold(&mut self, memory: &BatchMemory, run: Option<Block>) -> Option<u32> {
        let run = run?;
        let (first, position, next) = (run.first, run.batches[0].position, run.last().saturating_add(1));
        let handle = memory.hold(&Arc::new(run));
        if handle.strong_count() > 0 {
            let blocks = self.blocks.get_or_insert_default();
            let place = blocks.partition_point(|(other, ..)| *other < first);
            match blocks.get_mut(place).filter(|(other, ..)| *other == first) {
                Some(known) => *known = (first, position, handle),
                None => blocks.insert(place, (first, position, handle)),
            }
        }
        Some(next)
    }

    /// The first batch whose last offset is `relative` or later; `None` where that is not known here.
    pub fn find(&mut self, relative: u32) -> Option<RecentBatch> {
        let block = self.before(relative)?;
        block.get(block.place(relative))
    }

    /// The first batch as young as `timestamp` of those whose last offset is `relative` or later.
    pub fn as_young(&mut self, relative: u32, timestamp: Timestamp) -> AsYoung {
        let Some(block) = self.before(relative) else { return AsYoung::Unknown };
        let from = block.place(relative);
        match block.batches.get(from) {
            None => return AsYoung::Unknown,
            Some(batch) if batch.since == UNTIMED => return AsYoung::Untimed,
            Some(_) => {}
        }
        let since = timestamp.0.saturating_sub(block.epoch.0);
        let young = block.batches[from..].iter().position(|batch| i64::from(batch.since) >= since);
        let found = young.and_then(|young| block.get(from + young));
        found.map_or(AsYoung::Behind(block.last().saturating_add(1)), AsYoung::At)
    }

    /// The run that ends right before `relative`, as that of a reader who goes on.
    pub fn ending_before(&mut self, relative: u32) -> Option<Arc<Block>> {
        self.before(relative).filter(|block| block.last().checked_add(1) == Some(relative))
    }

    /// Whether a known run ends at `position` or at most `distance` before it.
    pub fn end_near(&self, position: u32, distance: u32) -> bool {
        self.size_near(position, distance).is_some()
    }

    /// The bytes of that run.
    pub fn size_near(&self, position: u32, distance: u32) -> Option<u32> {
        let block = self.begun_before(position)?;
        let end = block.last_end_to(position)?;
        (position - end <= distance).then(|| end - block.batches[0].position)
    }

    /// The end of the last known batch that ends at `position` or before, in the run that begins last before it.
    pub fn end_before(&self, position: u32) -> Option<u32> {
        self.begun_before(position)?.last_end_to(position)
    }

    fn begun_before(&self, position: u32) -> Option<Arc<Block>> {
        let blocks = self.blocks.as_ref()?;
        let place = blocks.partition_point(|(_, start, _)| *start < position);
        blocks.get(place.checked_sub(1)?)?.2.upgrade()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.blocks = None;
    }

    /// The last run that begins at `relative` or before. Those that the memory has let go are dropped on the way.
    fn before(&mut self, relative: u32) -> Option<Arc<Block>> {
        let blocks = self.blocks.as_mut()?;
        loop {
            let place = blocks.partition_point(|(first, ..)| *first <= relative).checked_sub(1)?;
            match blocks[place].2.upgrade() {
                Some(block) => {
                    block.used.store(true, Ordering::Relaxed);
                    return Some(block);
                }
                None => {
                    blocks.remove(place);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch_memory::BYTES_DEFAULT;

    /// `count` batches of three records and 100 bytes, from the relative offset `first` on.
    fn run(first: u32, count: u32) -> Vec<RecentBatch> {
        let batch =
            |at| RecentBatch { last: first + at * 3 + 2, position: (first / 3 + at) * 100, size: 100 };
        (0..count).map(batch).collect()
    }

    #[test]
    fn a_batch_is_found_in_its_run_and_not_beyond() {
        let (memory, mut known) = (BatchMemory::new(BYTES_DEFAULT), KnownBatches::default());
        known.add(&memory, 0, &run(0, 1000));
        known.add(&memory, 6000, &run(6000, 10));
        for (relative, position) in [
            (0, Some(0)),
            (2, Some(0)),
            (2999, Some(99_900)),
            (3000, None),
            (6029, Some(200_900)),
            (6030, None),
        ] {
            assert_eq!(known.find(relative).map(|batch| batch.position), position, "{relative}");
        }
        assert_eq!(known.ending_before(3000).map(|block| block.last()), Some(2999));
        assert!(known.ending_before(3001).is_none() && known.ending_before(2999).is_none());
    }

    #[test]
    fn the_first_batch_of_an_age_is_found_in_a_walk_and_not_where_ages_are_unknown() {
        let (memory, mut known) = (BatchMemory::new(BYTES_DEFAULT), KnownBatches::default());
        // The fourth is older than the one before it.
        let times = [50, 60, 70, 65, 80, 80, 90];
        let walked: Vec<_> = run(0, 7).into_iter().zip(times.map(Timestamp)).collect();
        known.add_walked(&memory, 0, &walked);
        let at = |place: u32| AsYoung::At(run(0, 7)[place as usize]);
        for (relative, timestamp, found) in [
            (0, 0, at(0)),
            (0, 50, at(0)),
            (0, 51, at(1)),
            (9, 65, at(3)),
            (11, 66, at(4)),
            (15, 80, at(5)),
            (0, 90, at(6)),
            (0, 91, AsYoung::Behind(21)),
            (21, 50, AsYoung::Unknown),
        ] {
            assert_eq!(known.as_young(relative, Timestamp(timestamp)), found, "{relative} {timestamp}");
        }
        known.add(&memory, 300, &run(300, 5));
        assert_eq!(known.as_young(300, Timestamp(1)), AsYoung::Untimed, "of appends nothing is noted");
        let far = [Timestamp::NONE, Timestamp(1_700_000_000_000)];
        known.add_walked(&memory, 600, &run(600, 2).into_iter().zip(far).collect::<Vec<_>>());
        assert_eq!(known.as_young(600, Timestamp(1)), AsYoung::Untimed, "too far apart");
        assert_eq!(known.find(603), Some(run(600, 2)[1]));
    }

    #[test]
    fn slices_end_with_a_whole_batch() {
        let (memory, mut known) = (BatchMemory::new(BYTES_DEFAULT), KnownBatches::default());
        known.add(&memory, 0, &run(0, 10));
        for (position, end) in [
            (99, None),
            (100, Some(100)),
            (199, Some(100)),
            (250, Some(200)),
            (1000, Some(1000)),
            (1500, Some(1000)),
        ] {
            assert_eq!(known.end_before(position), end, "{position}");
        }
        assert!(known.end_near(1500, 500) && !known.end_near(1501, 500) && !known.end_near(50, 500));
    }

    #[test]
    fn the_memory_keeps_its_bound_and_what_is_used() {
        let one = Block::new(0, &run(0, 512)).unwrap().bytes_held();
        let (memory, mut known) = (BatchMemory::new(4 * one), KnownBatches::default());
        for at in 0..20 {
            known.add(&memory, at * 1536, &run(at * 1536, 512));
            // The first one is in use all the time.
            assert!(known.find(5).is_some(), "{at}");
            let (blocks, bytes) = memory.holds();
            assert!(bytes <= 4 * one && blocks <= 4);
        }
        let alive = (0..20).filter(|at| known.find(at * 1536).is_some()).count();
        assert_eq!(alive, 4);
        assert!(
            known.blocks.as_ref().unwrap().len() <= 4,
            "handles without a block are dropped when they are met"
        );
    }

    #[test]
    fn a_memory_of_nothing_remembers_nothing() {
        let (memory, mut known) = (BatchMemory::new(0), KnownBatches::default());
        known.add(&memory, 0, &run(0, 3));
        assert!(known.find(0).is_none() && known.blocks.is_none());
    }
}
