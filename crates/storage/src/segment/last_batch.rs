//! The last batch of a segment, looked for from the last entry of its index on.

use protocol::offset::Offset;

use super::Segment;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::scan::BatchSpan;

/// A segment of at most this many bytes is walked with one read.
const SMALL: u32 = 4096;
/// So far behind the last index entry the last batch is looked for by who holds the log for nobody's request. The largest
/// batches that are common lie within.
const NEAR: u32 = 2 << 20;

impl<D: Disk> Segment<D> {
    /// The offset after the last batch, found from the last index entry on.
    pub fn read_next_offset(&mut self) -> Result<Offset, Fault> {
        Ok(self.last_span()?.map_or(self.base, |span| span.last_offset.next()))
    }

    /// The last batch, found from the last index entry on.
    pub(super) fn last_span(&mut self) -> Result<Option<BatchSpan>, Fault> {
        self.last_span_within(u32::MAX)
    }

    /// The same if it lies not far behind that entry: whoever waits for the log is not to wait for more.
    pub(super) fn last_span_at_hand(&mut self) -> Result<Option<BatchSpan>, Fault> {
        self.last_span_within(NEAR)
    }

    fn last_span_within(&mut self, distance: u32) -> Result<Option<BatchSpan>, Fault> {
        if self.size == 0 {
            return Ok(None);
        }
        // A look at a small segment costs less than a look at its index.
        let start = match self.size <= SMALL {
            true => 0,
            false => self.indexes().offsets.last()?.map_or(0, |entry| entry.position),
        };
        if start >= self.size {
            let path = self.indexes().offsets.entries().file().path();
            let reason = format!("the last entry points to position {start} of a log of {} bytes", self.size);
            return Err(Fault::corrupt(&path, 0, reason));
        }
        if self.size - start > distance {
            return Ok(None);
        }
        let mut last = None;
        let walked = self.scan(start, |scan| scan.each(|span| last = Some(*span)));
        let Err(fault) = walked else { return Ok(last) };
        // What is broken may lie before the last entry all the same.
        let entry = if start == 0 { self.indexes().offsets.last()? } else { None };
        match entry.filter(|entry| (1..self.size).contains(&entry.position)) {
            Some(entry) if self.broken_at(&fault).is_some() => {
                self.scan(entry.position, |scan| scan.each(|span| last = Some(*span)))?;
                Ok(last)
            }
            _ => Err(fault),
        }
    }
}
