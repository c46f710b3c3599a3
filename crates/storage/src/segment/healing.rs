//! What comes of files of a segment that contradict one another.
//!
//! An index that is wrong is made anew from the batches, by who may wait: Kafka does so at a start. First the log is walked
//! through and nothing touched. Where that meets a broken batch nothing is made of the log, which cannot tell any more what
//! belongs into an index: from then on the index is believed, and the log blamed for what is not where an entry says. Who
//! looks for something behind the broken batch goes on from the entry behind it.

use protocol::offset::{LastOffset, Offset};

use super::places::leads_to;
use super::{Largest, Segment};
use crate::disk::Disk;
use crate::fault::Fault;
use crate::offset_index::OffsetPosition;
use crate::patience;
use crate::scan::{BatchSpan, Scan};
use crate::segments::IndexLimits;

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

    /// The first sound batch that starts at `position` or later and has an entry. Behind a stretch of broken ones it is looked
    /// for in ever longer steps and then by halves, for the log is in somebody's hand meanwhile: of several stretches one
    /// behind the first may be told, with what lies between passed over.
    pub(super) fn indexed_from(&mut self, position: u32) -> Result<Option<BatchSpan>, Fault> {
        let count = self.indexes().offsets.entries().count()?;
        let mut broken_to = self.indexes().offsets.entries_before(position)?;
        let (mut step, mut at) = (1, broken_to);
        let mut found = loop {
            if at >= count {
                return Ok(None);
            }
            match self.named_by(at, position)? {
                Some(span) => break span,
                // The last one is not stepped over.
                None if at + 1 < count => (broken_to, at) = (at + 1, (at + step).min(count - 1)),
                None => return Ok(None),
            }
            step *= 2;
        };
        while broken_to < at {
            let middle = broken_to + (at - broken_to) / 2;
            match self.named_by(middle, position)? {
                Some(span) => (found, at) = (span, middle),
                None => broken_to = middle + 1,
            }
        }
        Ok(Some(found))
    }

    /// The batch that the entry at this place names, if it is a sound one that starts at `least` or later, which one that rotted
    /// may not.
    fn named_by(&mut self, place: u32, least: u32) -> Result<Option<BatchSpan>, Fault> {
        let entry = self.indexes().offsets.at(place)?;
        if entry.position < least { Ok(None) } else { self.named(entry) }
    }

    /// The batch that an entry names, if it is a sound one.
    fn named(&self, entry: OffsetPosition) -> Result<Option<BatchSpan>, Fault> {
        let sound =
            |span: &BatchSpan| leads_to(span, entry.offset) && span.belongs(self.base, self.base).is_ok();
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
