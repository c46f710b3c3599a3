//! The offset index of a segment: from an offset to the position of the batch that holds it, or of one not far
//! before it.
//!
//! An entry is eight bytes: the last offset of a batch relative to the segment's base, and the position where that
//! batch starts. One is added for the first batch after every `index.interval.bytes`.

use protocol::offset::{LastOffset, Offset};

use crate::descriptors::LazyFile;
use crate::disk::{Disk, RealDisk};
use crate::entry_file::EntryFile;
use crate::fault::Fault;

/// Bytes of an entry.
pub const ENTRY: usize = 8;

/// An entry: the batch that starts at `position` ends with `offset`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetPosition {
    /// The last offset of the batch.
    pub offset: LastOffset,
    /// Where in the log file it starts.
    pub position: u32,
}

/// The offset index of one segment.
pub struct OffsetIndex<D: Disk = RealDisk> {
    base: Offset,
    entries: EntryFile<ENTRY, D>,
}

impl<D: Disk> OffsetIndex<D> {
    /// The index of a new segment.
    pub fn absent(base: Offset, file: LazyFile<D>) -> Self {
        Self { base, entries: EntryFile::absent(file) }
    }

    /// The index that lies on disk.
    pub fn present(base: Offset, file: LazyFile<D>) -> Self {
        Self { base, entries: EntryFile::present(file) }
    }

    /// The entries, for writing and trimming them.
    pub fn entries(&mut self) -> &mut EntryFile<ENTRY, D> {
        &mut self.entries
    }

    /// Adds an entry, in memory. The offset must be within reach of the base (`relative`).
    pub fn push(&mut self, relative: u32, position: u32) {
        let mut entry = [0; ENTRY];
        entry[..4].copy_from_slice(&relative.to_be_bytes());
        entry[4..].copy_from_slice(&position.to_be_bytes());
        self.entries.push(entry);
    }

    /// The last entry whose batch ends at `target` or before: the batch that holds `target` does not lie before it.
    pub fn lookup(&mut self, target: Offset) -> Result<Option<OffsetPosition>, Fault> {
        let Some(relative) = relative(self.base, target) else { return Ok(None) };
        let (_, found) = self.entries.floor(|entry| i64::from(read(entry).0), relative.into())?;
        Ok(found.map(|entry| self.read(&entry)))
    }

    /// The first entry whose batch ends behind `target`.
    pub fn after(&mut self, target: Offset) -> Result<Option<OffsetPosition>, Fault> {
        let before = match relative(self.base, target) {
            Some(relative) => {
                self.entries.partition_point(|entry| i64::from(read(entry).0), relative.into())?
            }
            None => 0,
        };
        if before == self.entries.count()? {
            return Ok(None);
        }
        let entry = self.entries.get(before)?;
        Ok(Some(self.read(&entry)))
    }

    /// The last entry.
    pub fn last(&mut self) -> Result<Option<OffsetPosition>, Fault> {
        let last = self.entries.last()?;
        Ok(last.map(|entry| self.read(&entry)))
    }

    fn read(&self, entry: &[u8; ENTRY]) -> OffsetPosition {
        let (relative, position) = read(entry);
        OffsetPosition { offset: LastOffset(self.base.0.saturating_add(i64::from(relative))), position }
    }

    /// The first entry of a batch that starts at `position` or later.
    pub fn from_position(&mut self, position: u32) -> Result<Option<OffsetPosition>, Fault> {
        let index = self.entries_before(position)?;
        if index == self.entries.count()? {
            return Ok(None);
        }
        let entry = self.entries.get(index)?;
        Ok(Some(self.read(&entry)))
    }

    /// How many leading entries are of batches that start before `position`.
    pub fn entries_before(&mut self, position: u32) -> Result<u32, Fault> {
        self.entries.partition_point(|entry| i64::from(read(entry).1), i64::from(position) - 1)
    }

    /// So many entries from this place on, or as many as there are.
    pub fn some_from(&mut self, place: u32, most: usize) -> Result<Vec<OffsetPosition>, Fault> {
        let mut some = Vec::new();
        self.entries.walk(place, |entry| {
            some.push(*entry);
            some.len() < most
        })?;
        Ok(some.iter().map(|entry| self.read(entry)).collect())
    }

    /// Drops the entries of `end` and later.
    pub fn truncate(&mut self, end: Offset) -> Result<(), Fault> {
        let Some(relative) = relative(self.base, end) else { return self.entries.keep(0) };
        let kept = self.entries.partition_point(|entry| i64::from(read(entry).0), i64::from(relative) - 1)?;
        self.entries.keep(kept)
    }
}

/// How far `offset` lies after the base; `None` before it. Out of reach counts as the farthest.
fn relative(base: Offset, offset: Offset) -> Option<u32> {
    let distance = offset.0.checked_sub(base.0)?;
    (distance >= 0).then(|| u32::try_from(distance).unwrap_or(u32::MAX))
}

fn read(entry: &[u8; ENTRY]) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = *entry;
    (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
}
