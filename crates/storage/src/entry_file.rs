//! A file of entries of one width, sorted as they were appended: what the three indexes of a segment have in common.
//!
//! Entries are appended in memory and written a page at a time, so that an append of records costs one system call;
//! what a crash loses of them recovery rebuilds from the batches. Nothing is mapped and nothing is kept of what was
//! written: a lookup is a binary search by pread, with the last steps inside one block.
//!
//! Kafka preallocates the indexes of its active segment, so a file may end in zeros that mean nothing; no entry of
//! any index is all zero.

use std::sync::Arc;

use crate::descriptors::LazyFile;
use crate::disk::{Disk, RealDisk};
use crate::fault::Fault;
use crate::whole_file::{read_up_to, write_all};

/// Entries not yet written take at most this many bytes.
const PENDING_MAX: usize = 4096;
/// A search ends by reading this many bytes at once.
const BLOCK: usize = 4096;
/// No entry of any index is wider.
const ENTRY_MAX: usize = 34;

/// A sorted file of entries of `WIDTH` bytes.
pub struct EntryFile<const WIDTH: usize, D: Disk = RealDisk> {
    file: LazyFile<D>,
    /// Entries in the file; `None` before anybody asked.
    written: Option<u32>,
    /// Whether the file is known to exist.
    exists: bool,
    /// Whole entries that come after those in the file. Bound: `PENDING_MAX` and what one append adds.
    pending: Vec<u8>,
    /// The entry that the last search in the file ended at: who reads on in order looks near it.
    hint: u32,
}

impl<const WIDTH: usize, D: Disk> EntryFile<WIDTH, D> {
    /// A file that is not there yet.
    pub fn absent(file: LazyFile<D>) -> Self {
        Self { file, written: Some(0), exists: false, pending: Vec::new(), hint: 0 }
    }

    /// A file that is there; its length is read when first needed.
    pub fn present(file: LazyFile<D>) -> Self {
        Self { file, written: None, exists: true, pending: Vec::new(), hint: 0 }
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
        self.write_pending()?;
        let length = u64::from(self.written()?) * WIDTH as u64;
        let file = self.create()?;
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
        (self.written, self.pending, self.hint) = (Some(0), Vec::new(), 0);
    }

    /// Takes the file for one of `count` entries, which are there. What it holds behind them is overwritten, and cut by
    /// `trim`.
    pub fn resume(&mut self, count: u32) {
        (self.written, self.pending, self.hint) = (Some(count), Vec::new(), 0);
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
        self.pending = Vec::new();
        self.written = Some(count);
        Ok(())
    }

    /// The entry at `index`, which must be less than the count.
    pub fn get(&mut self, index: u32) -> Result<[u8; WIDTH], Fault> {
        let written = self.written()?;
        let mut entry = [0; WIDTH];
        if index >= written {
            let start = (index - written) as usize * WIDTH;
            entry.copy_from_slice(&self.pending[start..start + WIDTH]);
        } else {
            self.read(index, &mut entry)?;
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

    /// How many leading entries hold true: entries must hold true up to some place and not after it.
    pub fn partition_point(&mut self, holds: impl Fn(&[u8; WIDTH]) -> bool) -> Result<u32, Fault> {
        Ok(self.floor(holds)?.0)
    }

    /// How many leading entries hold true, and the last of them.
    pub fn floor(
        &mut self,
        holds: impl Fn(&[u8; WIDTH]) -> bool,
    ) -> Result<(u32, Option<[u8; WIDTH]>), Fault> {
        let written = self.written()?;
        let pending = self.pending.as_chunks::<WIDTH>().0;
        if pending.first().is_some_and(&holds) {
            let count = pending.partition_point(holds);
            return Ok((written + count as u32, Some(pending[count - 1])));
        }
        let found = self.search_written(written, holds)?;
        self.hint = found.0.saturating_sub(1);
        Ok(found)
    }

    /// Calls `visit` with each entry from `first` on until it answers `false`.
    pub fn walk(&mut self, first: u32, mut visit: impl FnMut(&[u8; WIDTH]) -> bool) -> Result<(), Fault> {
        let written = self.written()?;
        let mut next = first;
        let mut block = vec![0; BLOCK / WIDTH * WIDTH];
        while next < written {
            let want = ((written - next) as usize * WIDTH).min(block.len());
            self.read(next, &mut block[..want])?;
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

    /// Searches the file: first in the block that begins where the last search ended, then by halves.
    fn search_written(
        &self,
        written: u32,
        holds: impl Fn(&[u8; WIDTH]) -> bool,
    ) -> Result<(u32, Option<[u8; WIDTH]>), Fault> {
        let block_entries = (BLOCK / WIDTH) as u32;
        let (mut low, mut high) = (0, written);
        if self.hint > 0 && self.hint < written && written > block_entries {
            let end = written.min(self.hint + block_entries);
            let (count, last) = self.search_block(self.hint, end, &holds)?;
            match last {
                Some(last) if count < end || end == written => return Ok((count, Some(last))),
                Some(_) => low = end,
                None => high = self.hint,
            }
        }
        while high - low > block_entries {
            let middle = low + (high - low) / 2;
            let mut entry = [0; WIDTH];
            self.read(middle, &mut entry)?;
            if holds(&entry) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        // The entry before the block is known to hold; it is read along in case none of the block does.
        self.search_block(low.saturating_sub(1), high, &holds)
    }

    /// How many entries hold true, where those before `low` do and those from `high` on do not, and the last that does,
    /// unless it lies before `low`.
    fn search_block(
        &self,
        low: u32,
        high: u32,
        holds: impl Fn(&[u8; WIDTH]) -> bool,
    ) -> Result<(u32, Option<[u8; WIDTH]>), Fault> {
        if low >= high {
            return Ok((low, None));
        }
        let mut block = [0; BLOCK + 2 * ENTRY_MAX];
        let block = &mut block[..(high - low) as usize * WIDTH];
        self.read(low, block)?;
        let entries = block.as_chunks::<WIDTH>().0;
        let count = entries.partition_point(holds);
        Ok((low + count as u32, count.checked_sub(1).map(|last| entries[last])))
    }

    fn read(&self, first: u32, into: &mut [u8]) -> Result<(), Fault> {
        let file = self.file.open()?;
        let position = u64::from(first) * WIDTH as u64;
        let read = read_up_to(self.file.disk(), &file, into, position)
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
        let file = self.file.open()?;
        let length =
            self.file.disk().length(&file).map_err(|error| Fault::io("read", &self.file.path(), error))?;
        if length % WIDTH as u64 != 0 {
            let reason = format!("{length} bytes long, which is no number of entries of {WIDTH}");
            return Err(Fault::corrupt(&self.file.path(), length, reason));
        }
        let Ok(entries) = u32::try_from(length / WIDTH as u64) else {
            let reason = format!("{length} bytes long, more than an index can be");
            return Err(Fault::corrupt(&self.file.path(), u64::from(u32::MAX), reason));
        };
        let written = self.without_zero_tail(entries)?;
        self.written = Some(written);
        Ok(written)
    }

    fn without_zero_tail(&self, entries: u32) -> Result<u32, Fault> {
        let Some(last) = entries.checked_sub(1) else { return Ok(0) };
        let mut entry = [0; WIDTH];
        self.read(last, &mut entry)?;
        if entry != [0; WIDTH] {
            return Ok(entries);
        }
        Ok(self.search_written(entries, |entry| *entry != [0; WIDTH])?.0)
    }

    fn create(&mut self) -> Result<Arc<D::File>, Fault> {
        let file = if self.exists { self.file.open() } else { self.file.create() }?;
        self.exists = true;
        Ok(file)
    }
}

#[cfg(test)]
mod tests;
