//! The time index of a segment: from a timestamp to an offset before which no record is as young.
//!
//! An entry is twelve bytes: the largest timestamp so far, and the last offset, relative to the segment's base, of the
//! batch that brought it. One is added together with each entry of the offset index, if the timestamp has grown, and one
//! when the segment is rolled or closed, which then tells the age of the segment.

use protocol::id::Timestamp;
use protocol::offset::{LastOffset, Offset};

use crate::descriptors::LazyFile;
use crate::disk::{Disk, RealDisk};
use crate::entry_file::EntryFile;
use crate::fault::Fault;

/// Bytes of an entry.
pub const ENTRY: usize = 12;

/// An entry: of all records up to `offset` none is younger than `timestamp`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimestampOffset {
    /// The largest timestamp.
    pub timestamp: Timestamp,
    /// The last offset of the batch it stands in.
    pub offset: LastOffset,
}

/// The time index of one segment.
pub struct TimeIndex<D: Disk = RealDisk> {
    base: Offset,
    entries: EntryFile<ENTRY, D>,
    /// The last entry, once it is known; `Some(None)` for an empty index.
    last: Option<Option<TimestampOffset>>,
}

impl<D: Disk> TimeIndex<D> {
    /// The index of a new segment.
    pub fn absent(base: Offset, file: LazyFile<D>) -> Self {
        Self { base, entries: EntryFile::absent(file), last: Some(None) }
    }

    /// The index that lies on disk.
    pub fn present(base: Offset, file: LazyFile<D>) -> Self {
        Self { base, entries: EntryFile::present(file), last: None }
    }

    /// The entries, for writing and trimming them.
    pub fn entries(&mut self) -> &mut EntryFile<ENTRY, D> {
        &mut self.entries
    }

    /// Adds an entry, in memory, if its timestamp is larger than the last one's. `last` must have been called before.
    pub fn push(&mut self, grown: TimestampOffset) {
        let last = self.last.flatten();
        let larger = last.map_or(grown.timestamp > Timestamp::NONE, |last| grown.timestamp > last.timestamp);
        let Ok(relative) = u32::try_from(grown.offset.0 - self.base.0) else { return };
        if !larger {
            return;
        }
        let mut entry = [0; ENTRY];
        entry[..8].copy_from_slice(&grown.timestamp.0.to_be_bytes());
        entry[8..].copy_from_slice(&relative.to_be_bytes());
        self.entries.push(entry);
        self.last = Some(Some(grown));
    }

    /// The last entry.
    pub fn last(&mut self) -> Result<Option<TimestampOffset>, Fault> {
        if let Some(last) = self.last {
            return Ok(last);
        }
        let entry = self.entries.last()?;
        let last = entry.map(|entry| self.read(&entry));
        self.last = Some(last);
        Ok(last)
    }

    /// The offset from which to search forward for the first record as young as `timestamp`.
    pub fn lookup(&mut self, timestamp: Timestamp) -> Result<Offset, Fault> {
        let base = self.base;
        let (_, found) = self.entries.floor(|entry| read(base, entry).timestamp.0, timestamp.0)?;
        Ok(found.map_or(base, |entry| match self.read(&entry) {
            // The batch that brought this time, or an earlier one: its offset may be any of that batch.
            found if found.timestamp == timestamp => Offset(found.offset.0),
            older => older.offset.next(),
        }))
    }

    /// Forgets all entries, to be filled again.
    pub fn reset(&mut self) {
        self.entries.reset();
        self.last = Some(None);
    }

    /// Takes the file for one of `count` entries, which are there.
    pub fn resume(&mut self, count: u32) -> Result<(), Fault> {
        self.entries.resume(count);
        self.last = None;
        self.last().map(drop)
    }

    /// Drops the entries of `end` and later.
    pub fn truncate(&mut self, end: Offset) -> Result<(), Fault> {
        let base = self.base;
        let kept =
            self.entries.partition_point(|entry| read(base, entry).offset.0, end.0.saturating_sub(1))?;
        self.last = None;
        self.entries.keep(kept)
    }

    fn read(&self, entry: &[u8; ENTRY]) -> TimestampOffset {
        read(self.base, entry)
    }
}

fn read(base: Offset, entry: &[u8; ENTRY]) -> TimestampOffset {
    let [t0, t1, t2, t3, t4, t5, t6, t7, a, b, c, d] = *entry;
    TimestampOffset {
        timestamp: Timestamp(i64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7])),
        offset: LastOffset(base.0.saturating_add(i64::from(u32::from_be_bytes([a, b, c, d])))),
    }
}
