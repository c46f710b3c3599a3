//! Where older batches lie, remembered in a bounded memory that all logs share, so that a reader who works its way
//! through old records needs neither index nor header reads to find its next place.
//!
//! A run of batches is kept as a block: those that an active segment no longer remembers as its latest, and those that a
//! reader's misses have walked over. The memory ([`crate::batch_memory`]) holds the blocks, segments hold weak handles.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use crate::batch_memory::{BatchMemory, Remembered};
use crate::recent_batches::RecentBatch;

/// The most batches of a block.
pub const BLOCK_MAX: usize = 512;

/// A run of batches of one segment without a gap in the file. Offsets are relative to the segment's base.
pub struct Block {
    /// The first offset that the run covers.
    pub first: u32,
    batches: Box<[RecentBatch]>,
    used: AtomicBool,
}

impl Block {
    /// A run; `None` without batches.
    pub fn new(first: u32, batches: &[RecentBatch]) -> Option<Self> {
        (!batches.is_empty()).then(|| Self { first, batches: batches.into(), used: AtomicBool::new(false) })
    }

    /// The last batch.
    pub fn last(&self) -> RecentBatch {
        self.batches[self.batches.len() - 1]
    }

    /// The bytes of its batches.
    pub fn size(&self) -> u32 {
        let last = self.last();
        last.position + last.size - self.batches[0].position
    }

    /// The mean size of its batches.
    pub fn mean_size(&self) -> u32 {
        self.size() / self.batches.len() as u32
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
            let Some(block) = Block::new(first, run) else { continue };
            let (position, next) = (run[0].position, block.last().last.saturating_add(1));
            let handle = memory.hold(&Arc::new(block));
            if handle.strong_count() > 0 {
                let blocks = self.blocks.get_or_insert_default();
                let place = blocks.partition_point(|(other, ..)| *other < first);
                match blocks.get_mut(place).filter(|(other, ..)| *other == first) {
                    Some(known) => *known = (first, position, handle),
                    None => blocks.insert(place, (first, position, handle)),
                }
            }
            first = next;
        }
    }

    /// The first batch whose last offset is `relative` or later; `None` where that is not known here.
    pub fn find(&mut self, relative: u32) -> Option<RecentBatch> {
        let block = self.before(relative)?;
        let index = block.batches.partition_point(|batch| batch.last < relative);
        block.batches.get(index).copied()
    }

    /// The run that ends right before `relative`, as that of a reader who goes on.
    pub fn ending_before(&mut self, relative: u32) -> Option<Arc<Block>> {
        self.before(relative).filter(|block| block.last().last.checked_add(1) == Some(relative))
    }

    /// Whether a known run ends at `position` or at most `distance` before it.
    pub fn end_near(&self, position: u32, distance: u32) -> bool {
        self.end_before(position).is_some_and(|end| position - end <= distance)
    }

    /// The end of the last known batch that ends at `position` or before, in the run that begins last before it.
    pub fn end_before(&self, position: u32) -> Option<u32> {
        let blocks = self.blocks.as_ref()?;
        let place = blocks.partition_point(|(_, start, _)| *start < position);
        let block = blocks.get(place.checked_sub(1)?)?.2.upgrade()?;
        let index = block.batches.partition_point(|batch| batch.position + batch.size <= position);
        let batch = block.batches.get(index.checked_sub(1)?)?;
        Some(batch.position + batch.size)
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
        assert_eq!(known.ending_before(3000).map(|block| block.last().last), Some(2999));
        assert!(known.ending_before(3001).is_none() && known.ending_before(2999).is_none());
    }

    #[test]
    fn slices_end_with_a_whole_batch() {
        let (memory, mut known) = (BatchMemory::new(BYTES_DEFAULT), KnownBatches::default());
        known.add(&memory, 0, &run(0, 10));
        for (position, end) in
            [(99, None), (100, Some(100)), (250, Some(200)), (1000, Some(1000)), (1500, Some(1000))]
        {
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
