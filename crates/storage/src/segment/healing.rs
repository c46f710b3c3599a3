//! What comes of files of a segment that contradict one another.
//!
//! An index that is wrong is made anew from the batches, by who may wait: Kafka does so at a start. First the log is walked
//! through and nothing touched. Where that meets a broken batch nothing is made of the log, which cannot tell any more what
//! belongs into an index: from then on the index is believed, and the log blamed for what is not where an entry says. Who
//! looks for something behind the broken batch goes on from the entry behind it.

use protocol::offset::{LastOffset, Offset};
use protocol::records::batch::BATCH_OVERHEAD;

use super::places::{AHEAD, leads_to};
use super::{Largest, Segment};
use crate::disk::Disk;
use crate::fault::Fault;
use crate::offset_index::OffsetPosition;
use crate::patience;
use crate::scan::{BatchSpan, Scan};
use crate::segments::IndexLimits;
use crate::whole_file::read_up_to;

/// So many entries are taken from the index at a time.
const ENTRIES_AT_ONCE: usize = 512;

impl<D: Disk> Segment<D> {
    /// Does what needs the indexes. Where they turn out to be wrong they are made anew, and it is done once more:
    /// by who may wait, for it is to read the whole segment.
    pub(super) fn with_indexes<R>(
        &mut self,
        mut act: impl FnMut(&mut Self) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        match act(self) {
            Err(Fault::Corrupt { path, position, reason })
                if patience::may_wait()
                    && !self.broken
                    && (path == self.indexes().offsets.entries().file().path()
                        || path == self.indexes().times.entries().file().path()) =>
            {
                match self.rebuild_indexes() {
                    Ok(()) => {
                        tracing::warn!(path = %path.display(), position, reason, "an index was wrong and is made anew");
                        act(self)
                    }
                    // Now that it is known where the log is broken, more can be told than that it is.
                    Err(fault) if self.broken => act(self).map_err(|later| match self.broken_at(&later) {
                        Some(_) => later,
                        None => fault,
                    }),
                    Err(fault) => Err(fault),
                }
            }
            outcome => outcome,
        }
    }

    /// Makes offset and time index anew from the headers of the batches. Where one of those is broken all stays as it is.
    fn rebuild_indexes(&mut self) -> Result<(), Fault> {
        let walked = self.each_span(|_, _| Ok(()));
        if let Err(fault) = walked {
            self.broken = self.broken_at(&fault).is_some();
            return Err(fault);
        }
        let size = self.size;
        self.recent.clear();
        self.known.clear();
        self.indexes().offsets.entries().reset();
        self.indexes().times.reset();
        (self.largest, self.first_timestamp) = (Largest::None, None);
        (self.bytes_since_entry, self.size) = (0, 0);
        let interval = IndexLimits::default().interval_bytes;
        let noted = self.each_span_to(size, |segment, span| {
            segment.note(span, interval);
            segment.make_index_room()
        });
        self.size = size;
        if let Err(fault) = noted {
            // What was noted tells of the front only.
            self.recent.clear();
            self.known.clear();
            (self.largest, self.first_timestamp) = (Largest::Unknown, None);
            return Err(fault);
        }
        if let Some(largest) = self.largest.known(self.base).flatten() {
            self.indexes().times.push(largest);
        }
        self.indexes().offsets.entries().trim()?;
        self.indexes().times.entries().trim()
    }

    /// Walks over the headers of all batches.
    fn each_span(
        &mut self,
        see: impl FnMut(&mut Self, &BatchSpan) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.each_span_to(self.size, see)
    }

    fn each_span_to(
        &mut self,
        size: u32,
        mut see: impl FnMut(&mut Self, &BatchSpan) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let (file, path, disk) = (self.log.open()?, self.log.path(), self.log.disk().clone());
        let mut scan = Scan::new(&disk, &file, &path, 0, size);
        let mut least = self.base;
        while let Some(span) = scan.next_span()? {
            let wrong = |reason| Fault::corrupt(&path, u64::from(span.position), reason);
            span.belongs(self.base, least).map_err(wrong)?;
            least = span.last_offset.next();
            see(self, &span)?;
        }
        Ok(())
    }

    /// Where the log is broken, if that is what a fault says.
    pub(super) fn broken_at(&self, fault: &Fault) -> Option<u32> {
        match fault {
            Fault::Corrupt { path, position, .. } if *path == self.log.path() => {
                Some(u32::try_from(*position).unwrap_or(u32::MAX))
            }
            _ => None,
        }
    }

    /// The entry of a batch behind a broken place that holds `target` or lies before it. `None` where the index has none:
    /// then `target` may lie in what is broken.
    pub(super) fn entry_behind(
        &mut self,
        broken: u32,
        target: Offset,
    ) -> Result<Option<OffsetPosition>, Fault> {
        let entries = [self.indexes().offsets.lookup(target)?, self.indexes().offsets.after(target)?];
        for entry in entries.into_iter().flatten().filter(|entry| entry.position > broken) {
            if self.named(entry)?.is_some_and(|span| span.base_offset <= target) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// The first sound batch that starts at `position` or later and has an entry. None is passed over, for what is made of it
    /// decides what retention takes; and as the log is in somebody's hand meanwhile, the headers are read a megabyte at a time.
    pub(super) fn indexed_from(&mut self, position: u32) -> Result<Option<BatchSpan>, Fault> {
        let mut place = self.indexes().offsets.entries_before(position)?;
        let (file, mut block, mut start) = (self.log.open()?, Vec::new(), 0);
        loop {
            let entries = self.indexes().offsets.some_from(place, ENTRIES_AT_ONCE)?;
            if entries.is_empty() {
                return Ok(None);
            }
            place += entries.len() as u32;
            // One that rotted may name a place before, or behind the end.
            for entry in entries.into_iter().filter(|entry| (position..self.size).contains(&entry.position)) {
                let (at, left) = (entry.position, self.size - entry.position);
                let wanted = BATCH_OVERHEAD.min(left as usize);
                let held = at.checked_sub(start).map(|from| from as usize);
                let from = match held.filter(|from| from + wanted <= block.len()) {
                    Some(from) => from,
                    None => {
                        block.resize(AHEAD.min(left) as usize, 0);
                        let read = read_up_to(self.log.disk(), &file, &mut block, u64::from(at));
                        block.truncate(read.map_err(|error| Fault::io("read", &self.log.path(), error))?);
                        start = at;
                        0
                    }
                };
                if let Ok(span) = BatchSpan::parse(&block[from..], at)
                    && span.size <= left
                    && self.is_sound(&span, entry.offset)
                {
                    return Ok(Some(span));
                }
            }
        }
    }

    fn is_sound(&self, span: &BatchSpan, indexed: LastOffset) -> bool {
        leads_to(span, indexed) && span.belongs(self.base, self.base).is_ok()
    }

    /// The batch that an entry names, if it is a sound one.
    fn named(&self, entry: OffsetPosition) -> Result<Option<BatchSpan>, Fault> {
        let sound = |span: &BatchSpan| self.is_sound(span, entry.offset);
        match self.scan(entry.position, |scan| scan.next_span()) {
            Ok(span) => Ok(span.filter(sound)),
            Err(Fault::Corrupt { .. }) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// What is wrong where an entry names a place at which there is no batch, because of `reason`, or not the one it means.
    pub(super) fn astray(
        &mut self,
        OffsetPosition { offset, position }: OffsetPosition,
        reason: Option<String>,
    ) -> Fault {
        let LastOffset(offset) = offset;
        match self.broken {
            true => {
                let reason = reason
                    .unwrap_or_else(|| format!("not the batch from which offset {offset} can be found"));
                Fault::corrupt(&self.log.path(), u64::from(position), reason)
            }
            false => self.index_fault(format!(
                "no batch from which offset {offset} can be found is at position {position}"
            )),
        }
    }

    pub(super) fn index_fault(&mut self, reason: String) -> Fault {
        Fault::corrupt(&self.indexes().offsets.entries().file().path(), 0, reason)
    }
}
