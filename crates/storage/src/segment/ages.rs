//! How young the records of a segment are: the largest timestamp, and the first one.
//!
//! Both are told by what was appended, else by the time index and the headers behind its last entry; where a batch is broken,
//! by those that can be read. Retention and look-ups by time ask, and the roll of a segment by its age.

use protocol::id::Timestamp;
use protocol::offset::{LastOffset, Offset};

use super::Segment;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::scan::BatchSpan;
use crate::time_index::TimestampOffset;

/// What is known of the largest timestamp in a segment. One level of choices, for there are very many segments.
#[derive(Clone, Copy)]
pub(super) enum Largest {
    /// Nobody has asked yet.
    Unknown,
    /// No batch has a timestamp.
    None,
    /// The batch that holds it ends with this offset, counted from the segment's base.
    At { timestamp: Timestamp, relative: u32 },
}

impl Largest {
    pub(super) fn of(largest: Option<TimestampOffset>, base: Offset) -> Self {
        let at = |TimestampOffset { timestamp, offset }| {
            let relative = u32::try_from(offset.0.saturating_sub(base.0)).unwrap_or(u32::MAX);
            Self::At { timestamp, relative }
        };
        largest.map_or(Self::None, at)
    }

    /// The same as others are told it; `None` where nobody has asked yet.
    pub(super) fn known(self, base: Offset) -> Option<Option<TimestampOffset>> {
        match self {
            Self::Unknown => None,
            Self::None => Some(None),
            Self::At { timestamp, relative } => {
                let offset = LastOffset(base.0.saturating_add(i64::from(relative)));
                Some(Some(TimestampOffset { timestamp, offset }))
            }
        }
    }
}

impl<D: Disk> Segment<D> {
    /// The largest timestamp and the last offset of the batch that holds it; `None` if no batch has one. Of batches that are
    /// broken it is not asked how young they are.
    pub fn largest(&mut self) -> Result<Option<TimestampOffset>, Fault> {
        if let Some(known) = self.largest.known(self.base) {
            return Ok(known);
        }
        let mut largest = self.with_indexes(|segment| segment.indexes().times.last())?;
        let mut start = match largest {
            Some(entry) => self.position_for_offset(Offset(entry.offset.0)),
            None => Ok(0),
        };
        let mut note = |span: &BatchSpan| {
            if span.max_timestamp > largest.map_or(Timestamp::NONE, |largest| largest.timestamp) {
                largest = Some(TimestampOffset { timestamp: span.max_timestamp, offset: span.last_offset });
            }
        };
        let mut told = false;
        while let Err(fault) = start.and_then(|start| self.scan(start, |scan| scan.each(&mut note))) {
            let Some(broken) = self.broken_at(&fault) else { return Err(fault) };
            // Once, however many there are.
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(%fault, "how young its records are is told by those that can be read");
            }
            match self.with_indexes(|segment| segment.indexed_from(broken.saturating_add(1)))? {
                Some(span) => start = Ok(span.position),
                None => break,
            }
        }
        self.largest = Largest::of(largest, self.base);
        Ok(largest)
    }

    /// The largest timestamp, or when the log file last changed where no batch has one, as with those of clients from
    /// before timestamps.
    pub fn youngest(&mut self) -> Result<Timestamp, Fault> {
        if let Some(largest) = self.largest()? {
            return Ok(largest.timestamp);
        }
        self.modified()
    }

    /// When the log file last changed.
    pub fn modified(&self) -> Result<Timestamp, Fault> {
        Ok(self.log.facts()?.modified)
    }

    /// The largest timestamp of the first batch, or of the first one that can be read; `None` in an empty segment.
    pub fn first_timestamp(&mut self) -> Result<Option<Timestamp>, Fault> {
        if self.first_timestamp.is_none() && self.size > 0 {
            self.first_timestamp = match self.scan(0, |scan| scan.next_span()) {
                Ok(first) => first.map(|span| span.max_timestamp),
                Err(fault) if self.broken_at(&fault).is_some() => {
                    let indexed = self.with_indexes(|segment| segment.indexed_from(0))?;
                    Some(indexed.map_or(self.created, |span| span.max_timestamp))
                }
                Err(fault) => return Err(fault),
            };
        }
        Ok(self.first_timestamp)
    }
}
