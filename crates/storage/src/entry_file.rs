//! A file of entries of one width, sorted as they were appended: what the three indexes of a segment have in common.
//!
//! Entries are appended in memory and written a page at a time, so that an append of records costs one system call;
//! what a crash loses of them recovery rebuilds from the batches. Nothing is mapped. A small file is read with one call when
//! it is first looked into, its entries are kept in the memory that all logs share ([`crate::batch_memory`]), and it does
//! not stay open. Of a larger one the first entry, the last and that of the last search are kept: a look-up guesses from
//! them where its entry lies and reads a block there, which for offsets and times that rise evenly is the right one or the
//! next to it.
//!
//! Kafka preallocates the indexes of its active segment, so a file may end in zeros that mean nothing; no entry of
//! any index is all zero.

use std::sync::{Arc, Weak};

use crate::batch_memory::EntryBlock;
use crate::descriptors::LazyFile;
use crate::disk::{Disk, RealDisk};
use crate::fault::Fault;
use crate::whole_file::{read_up_to, write_all};

/// Entries not yet written take at most this many bytes.
const PENDING_MAX: usize = 4096;
/// A search reads this many bytes at once, and a file of fewer is read whole.
const BLOCK: usize = 4096;
/// So many blocks are guessed; after that a search goes by halves.
const GUESSES: u32 = 3;

/// A sorted file of entries of `WIDTH` bytes.
pub struct EntryFile<const WIDTH: usize, D: Disk = RealDisk> {
    file: LazyFile<D>,
    /// Entries in the file; `None` before anybody asked.
    written: Option<u32>,
    /// Whether the file is known to exist.
    exists: bool,
    /// Whole entries that come after those in the file. Bound: `PENDING_MAX` and what one append adds.
    pending: Vec<u8>,
    /// All entries in the file, where those are few and the memory still has them.
    held: Weak<EntryBlock>,
    /// Some entries in the file, each with its place: the first, the last there was, and the one that the last search ended
    /// at, near which looks who reads on in order.
    known: [Option<(u32, [u8; WIDTH])>; 3],
}

/// The places of [`EntryFile::known`].
const FIRST: usize = 0;
const LAST: usize = 1;
const NEAR: usize = 2;

impl<const WIDTH: usize, D: Disk> EntryFile<WIDTH, D> {
    /// A file that is not there yet.
    pub fn absent(file: LazyFile<D>) -> Self {
        Self { written: Some(0), exists: false, ..Self::present(file) }
    }

    /// A file that is there; its length is read when first needed.
    pub fn present(file: LazyFile<D>) -> Self {
        let (pending, held) = (Vec::new(), Weak::new());
        Self { file, written: None, exists: true, pending, held, known: [None; 3] }
    }

    /// The file below, for naming it in errors.
    pub fn file(&self) -> &LazyFile<D> {
        &self.file
    }

    /// Whether the file exists on the disk.
    pub fn exists(&self) -> bool {
        self.exists
    }

    /// How many entries there are.
    pub fn count(&mut self) -> Result<u32, Fault> {
        Ok(self.written()? + (self.pending.len() / WIDTH) as u32)
    }

    /// Adds an entry in memory.
    pub fn push(&mut self, entry: [u8; WIDTH]) {
        self.pending.extend_from_slice(&entry);
    }

    /// Makes room for entries to come: writes those in memory once they fill a page.
    pub fn make_room(&mut self) -> Result<(), Fault> {
        if self.pending.len() < PENDING_MAX { Ok(()) } else { self.write_pending() }
    }

    /// Writes the entries that are only in memory.
    pub fn write_pending(&mut self) -> Result<(), Fault> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let written = self.written()?;
        let file = self.create()?;
        write_all(self.file.disk(), &file, &self.pending, u64::from(written) * WIDTH as u64)
            .map_err(|error| Fault::io("write", &self.file.path(), error))?;
        self.written = Some(written + (self.pending.len() / WIDTH) as u32);
        self.pending = Vec::new();
        Ok(())
    }

    /// Writes everything and cuts what lies beyond the last entry; the file exists afterwards.
    pub fn trim(&mut self) -> Result<(), Fault> {
        let file = self.create()?;
        self.write_pending()?;
        let length = u64::from(self.written()?) * WIDTH as u64;
        let disk = self.file.disk();
        let there = disk.length(&file).map_err(|error| Fault::io("read", &self.file.path(), error))?;
        if there != length {
            disk.truncate(&file, length).map_err(|error| Fault::io("truncate", &self.file.path(), error))?;
        }
        Ok(())
    }

    /// The open file, for an fsync; `None` if there is none.
    pub fn opened(&self) -> Result<Option<Arc<D::File>>, Fault> {
        if self.exists { self.file.open().map(Some) } else { Ok(None) }
    }

    /// Forgets all entries, to be filled again. What the file holds is overwritten, and cut by `trim`.
    pub fn reset(&mut self) {
        self.resume(0);
    }

    /// Takes the file for one of `count` entries, which are there. What it holds behind them is overwritten, and cut by
    /// `trim`.
    pub fn resume(&mut self, count: u32) {
        (self.written, self.pending) = (Some(count), Vec::new());
        (self.held, self.known) = (Weak::new(), [None; 3]);
    }

    /// Reads the last of the first `count` entries on the disk; `false` if there are not so many.
    pub fn last_of(&self, count: u32, into: &mut Vec<u8>) -> Result<bool, Fault> {
        let Some(last) = count.checked_sub(1) else { return Ok(true) };
        if !self.exists {
            return Ok(false);
        }
        let (file, mut entry) = (self.file.open()?, [0; WIDTH]);
        let read = read_up_to(self.file.disk(), &file, &mut entry, u64::from(last) * WIDTH as u64)
            .map_err(|error| Fault::io("read", &self.file.path(), error))?;
        into.extend_from_slice(&entry);
        Ok(read == WIDTH)
    }

    /// Keeps the first `count` entries.
    pub fn keep(&mut self, count: u32) -> Result<(), Fault> {
        let written = self.written()?;
        if count >= written {
            self.pending.truncate((count - written) as usize * WIDTH);
            return Ok(());
        }
        let file = self.file.open()?;
        self.file
            .disk()
            .truncate(&file, u64::from(count) * WIDTH as u64)
            .map_err(|error| Fault::io("truncate", &self.file.path(), error))?;
        self.resume(count);
        Ok(())
    }

    /// The entry at `index`, which must be less than the count.
    pub fn get(&mut self, index: u32) -> Result<[u8; WIDTH], Fault> {
        let written = self.written()?;
        let mut entry = [0; WIDTH];
        if index >= written {
            let start = (index - written) as usize * WIDTH;
            entry.copy_from_slice(&self.pending[start..start + WIDTH]);
        } else if let Some(block) = self.whole(written)? {
            let start = index as usize * WIDTH;
            entry.copy_from_slice(&block.bytes()[start..start + WIDTH]);
        } else if let Some((_, known)) = self.known.iter().flatten().find(|(at, _)| *at == index) {
            entry = *known;
        } else {
            self.read(&*self.file.open()?, index, &mut entry)?;
        }
        Ok(entry)
    }

    /// The last entry.
    pub fn last(&mut self) -> Result<Option<[u8; WIDTH]>, Fault> {
        match self.count()? {
            0 => Ok(None),
            count => self.get(count - 1).map(Some),
        }
    }

    /// How many leading entries have a key of at most `target`: keys must rise.
    pub fn partition_point(&mut self, key: impl Fn(&[u8; WIDTH]) -> i64, target: i64) -> Result<u32, Fault> {
        Ok(self.floor(key, target)?.0)
    }

    /// How many leading entries have a key of at most `target`, and the last of them.
    pub fn floor(
        &mut self,
        key: impl Fn(&[u8; WIDTH]) -> i64,
        target: i64,
    ) -> Result<(u32, Option<[u8; WIDTH]>), Fault> {
        let written = self.written()?;
        let holds = |entry: &[u8; WIDTH]| key(entry) <= target;
        let pending = self.pending.as_chunks::<WIDTH>().0;
        if pending.first().is_some_and(holds) {
            let count = pending.partition_point(holds);
            return Ok((written + count as u32, Some(pending[count - 1])));
        }
        if let Some(block) = self.whole(written)? {
            let entries = &block.bytes().as_chunks::<WIDTH>().0[..written as usize];
            let count = entries.partition_point(holds);
            return Ok((count as u32, count.checked_sub(1).map(|last| entries[last])));
        }
        let found = self.search(written, key, target)?;
        if let (Some(near), Some(entry)) = (found.0.checked_sub(1), found.1) {
            self.known[NEAR] = Some((near, entry));
        }
        Ok(found)
    }

    /// Calls `visit` with each entry from `first` on until it answers `false`.
    pub fn walk(&mut self, first: u32, mut visit: impl FnMut(&[u8; WIDTH]) -> bool) -> Result<(), Fault> {
        let written = self.written()?;
        let mut next = first;
        let mut block = vec![0; BLOCK / WIDTH * WIDTH];
        while next < written {
            let want = ((written - next) as usize * WIDTH).min(block.len());
            self.read(&*self.file.open()?, next, &mut block[..want])?;
            for entry in block[..want].as_chunks::<WIDTH>().0 {
                if !visit(entry) {
                    return Ok(());
                }
            }
            next += (want / WIDTH) as u32;
        }
        let skipped = (first.saturating_sub(written)) as usize;
        for entry in self.pending.as_chunks::<WIDTH>().0.iter().skip(skipped) {
            if !visit(entry) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// All `written` entries in the file, if they are few.
    fn whole(&mut self, written: u32) -> Result<Option<Arc<EntryBlock>>, Fault> {
        let bytes = written as usize * WIDTH;
        if written == 0 || bytes > BLOCK {
            return Ok(None);
        }
        if let Some(block) = self.held.upgrade().filter(|block| block.bytes().len() >= bytes) {
            return Ok(Some(block));
        }
        let mut block = vec![0; bytes];
        self.read(&*self.file.look()?, 0, &mut block)?;
        Ok(Some(self.hold(block)))
    }

    fn hold(&mut self, bytes: Vec<u8>) -> Arc<EntryBlock> {
        let block = Arc::new(EntryBlock::new(bytes));
        self.held = self.file.batches().hold(&block);
        block
    }

    /// Searches a file of many entries block by block.
    fn search(
        &self,
        written: u32,
        key: impl Fn(&[u8; WIDTH]) -> i64,
        target: i64,
    ) -> Result<(u32, Option<[u8; WIDTH]>), Fault> {
        let mut search = Search { low: 0, high: written, below: None, above: None, last: None };
        for (at, entry) in self.known.iter().flatten().filter(|(at, _)| *at < written) {
            search.narrow(*at, std::slice::from_ref(entry), &key, target);
        }
        let mut looks = 0;
        while search.low < search.high {
            let (first, end) = search.next_block(target, looks);
            let mut block = [0; BLOCK];
            let block = &mut block[..(end - first) as usize * WIDTH];
            self.read(&*self.file.open()?, first, block)?;
            search.narrow(first, block.as_chunks::<WIDTH>().0, &key, target);
            looks += 1;
        }
        Ok((search.low, search.last))
    }

    fn read(&self, file: &D::File, first: u32, into: &mut [u8]) -> Result<(), Fault> {
        let position = u64::from(first) * WIDTH as u64;
        let read = read_up_to(self.file.disk(), file, into, position)
            .map_err(|error| Fault::io("read", &self.file.path(), error))?;
        if read < into.len() {
            let reason = "the file ends here, in the middle of what its length promised";
            return Err(Fault::corrupt(&self.file.path(), position + read as u64, reason));
        }
        Ok(())
    }

    fn written(&mut self) -> Result<u32, Fault> {
        if let Some(written) = self.written {
            return Ok(written);
        }
        let (file, mut block) = (self.file.look()?, vec![0; BLOCK]);
        let fault = |error| Fault::io("read", &self.file.path(), error);
        // Most are small: one read tells all there is.
        let read = read_up_to(self.file.disk(), &file, &mut block, 0).map_err(fault)?;
        let length = match read < BLOCK {
            true => read as u64,
            false => self.file.disk().length(&file).map_err(fault)?,
        };
        if length % WIDTH as u64 != 0 {
            let reason = format!("{length} bytes long, which is no number of entries of {WIDTH}");
            return Err(Fault::corrupt(&self.file.path(), length, reason));
        }
        let Ok(entries) = u32::try_from(length / WIDTH as u64) else {
            let reason = format!("{length} bytes long, more than an index can be");
            return Err(Fault::corrupt(&self.file.path(), u64::from(u32::MAX), reason));
        };
        let is_entry = |entry: &[u8; WIDTH]| *entry != [0; WIDTH];
        let held = block[..read].as_chunks::<WIDTH>().0;
        let mut written = held.partition_point(is_entry) as u32;
        if read == BLOCK && written as usize == held.len() {
            self.known[FIRST] = held.first().map(|first| (0, *first));
            let mut last = [0; WIDTH];
            self.read(&file, entries - 1, &mut last)?;
            self.file.keep(file);
            // The key of what is none: greater than that of any entry.
            written = match is_entry(&last) {
                true => entries,
                false => self.search(entries, |entry| i64::from(!is_entry(entry)), 0)?.0,
            };
            self.known[LAST] = is_entry(&last).then_some((entries - 1, last));
        } else {
            block.truncate(written as usize * WIDTH);
            self.hold(block);
        }
        self.written = Some(written);
        Ok(written)
    }

    fn create(&mut self) -> Result<Arc<D::File>, Fault> {
        let file = if self.exists { self.file.open() } else { self.file.create() }?;
        self.exists = true;
        Ok(file)
    }
}

/// A search for the last entry whose key is no greater than that of what is looked for.
struct Search<const WIDTH: usize> {
    /// All entries before this one have such a key.
    low: u32,
    /// This one and all behind it have none.
    high: u32,
    /// The key of the entry before `low`, if there is one.
    below: Option<i64>,
    /// The key of the entry at `high`, if that was looked at.
    above: Option<i64>,
    /// The entry before `low`.
    last: Option<[u8; WIDTH]>,
}

impl<const WIDTH: usize> Search<WIDTH> {
    /// Takes in what these entries say, of which the first is at `first`.
    fn narrow(
        &mut self,
        first: u32,
        entries: &[[u8; WIDTH]],
        key: &impl Fn(&[u8; WIDTH]) -> i64,
        target: i64,
    ) {
        let count = entries.partition_point(|entry| key(entry) <= target);
        let at = first + count as u32;
        if let Some(last) = count.checked_sub(1).map(|last| &entries[last]).filter(|_| at > self.low) {
            (self.low, self.below, self.last) = (at, Some(key(last)), Some(*last));
        }
        if let Some(next) = entries.get(count).filter(|_| at < self.high) {
            (self.high, self.above) = (at, Some(key(next)));
        }
    }

    /// The entries to look at next: from which to before which.
    fn next_block(&self, target: i64, looks: u32) -> (u32, u32) {
        let (entries, left) = ((BLOCK / WIDTH) as u32, self.high - self.low);
        if left <= entries {
            return (self.low, self.high);
        }
        let first = match (self.below, self.above) {
            (Some(below), Some(above)) if looks < GUESSES && below < above => {
                let way = (target as f64 - below as f64) / (above as f64 - below as f64);
                // As a float that is too large is the greatest number there is, this one has no end to run over.
                let guess = (way * f64::from(left)) as u32;
                guess.saturating_sub(entries / 2).min(left - entries)
            }
            _ => left / 2,
        };
        (self.low + first, (self.low + first + entries).min(self.high))
    }
}

#[cfg(test)]
mod tests;
