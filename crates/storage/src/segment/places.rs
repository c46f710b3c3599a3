//! Where in a segment the batch of an offset lies, or the first one as young as a time: from memory where it was appended or
//! read lately, else by the index and the headers from there on.
//!
//! Who reads on where a known run of batches ends is met by a large read that learns the next ones, so that reading old
//! records in order costs few system calls. A small segment is learnt as a whole the first time: one read is less than what
//! its index takes, which then is not even opened. An entry may name an earlier batch than that of its offset: before Kafka 3.9 an
//! append of several batches, of a follower, a cleaner or a producer of messages, had one, of its last offset and its
//! first position.

use std::cell::RefCell;

use protocol::id::Timestamp;
use protocol::offset::{LastOffset, Offset};
use protocol::records::batch::BATCH_OVERHEAD;

use super::{FoundBatch, Segment};
use crate::disk::Disk;
use crate::fault::Fault;
use crate::known_batches::{AsYoung, BLOCK_MAX, Walked};
use crate::offset_index::OffsetPosition;
use crate::recent_batches::RecentBatch;
use crate::scan::BatchSpan;
use crate::whole_file::read_up_to;

/// What is read for one place alone: most batches lie no farther from what the index says of them.
pub(super) const LONE: u32 = 8192;
/// A segment of at most so many bytes is read whole.
pub(super) const WHOLE: u32 = 64 << 10;
/// What is read for one who reads on in order.
pub(super) const AHEAD: u32 = 1 << 20;
/// So many times what was read before is read ahead: who has come to its end may be there by chance.
const AHEAD_TIMES: u32 = 16;
/// Reading ahead pays where it brings several headers.
const AHEAD_SIZE_MAX: u32 = AHEAD / 8;
/// The most batches of one walk that are held before they are remembered.
const RUN_MAX: usize = 8 * BLOCK_MAX;

thread_local! {
    /// What walks read into. Bound: `AHEAD`.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Where a walk begins.
struct Start {
    position: u32,
    /// The first relative offset that the batch there covers, if it is known.
    first: Option<u32>,
    /// What the index says about the batch there.
    indexed: Option<LastOffset>,
    /// How much to read at once.
    bytes: u32,
}

impl<D: Disk> Segment<D> {
    /// The first batch that holds `target` or a later offset: where it starts and how long it is.
    pub fn find(&mut self, target: Offset) -> Result<Option<(u32, u32)>, Fault> {
        self.find_for(target, false)
    }

    /// The same for a reader of whom is known whether it comes from the end of the segment before this one.
    pub fn find_for(&mut self, target: Offset, in_order: bool) -> Result<Option<(u32, u32)>, Fault> {
        if let Some(batch) = self.remembered(target) {
            return Ok(Some((batch.position, batch.size)));
        }
        if self.size == 0 || self.is_behind_recent(target) {
            return Ok(None);
        }
        let found = self.with_indexes(|segment| {
            let start = segment.start_for(target, in_order)?;
            segment.walk_over(start, target, |span| span.last_offset.next() > target, |_| None)
        })?;
        Ok(found.map(|found| (found.position, found.size)))
    }

    /// Whether it is known where the last batches lie: a reader in order has come to the end.
    pub fn is_known_to_end(&self) -> bool {
        self.known.end_near(self.size, 0)
    }

    /// The end of the last whole batch before `position`, if that is known without reading.
    pub fn batch_end_before(&self, position: u32) -> Option<u32> {
        self.recent.end_before(position).or_else(|| self.known.end_before(position))
    }

    /// Whether `target` lies behind the latest batches, which reach to the segment's end.
    fn is_behind_recent(&self, target: Offset) -> bool {
        let relative = u32::try_from(target.0.saturating_sub(self.base.0));
        relative.is_ok_and(|relative| self.recent.is_behind(relative))
    }

    fn remembered(&mut self, target: Offset) -> Option<RecentBatch> {
        let relative = u32::try_from(target.0.saturating_sub(self.base.0)).ok()?;
        self.recent.find(relative).or_else(|| self.known.find(relative))
    }

    fn start_for(&mut self, target: Offset, in_order: bool) -> Result<Start, Fault> {
        if self.size <= WHOLE {
            return Ok(Start { position: 0, first: Some(0), indexed: None, bytes: AHEAD });
        }
        let relative = u32::try_from(target.0.saturating_sub(self.base.0));
        if let Ok(relative) = relative
            && let Some(run) = self.known.ending_before(relative)
        {
            let bytes =
                if run.mean_size() <= AHEAD_SIZE_MAX { self.ahead(run.end(), run.size()) } else { LONE };
            return Ok(Start { position: run.end(), first: Some(relative), indexed: None, bytes });
        }
        if target <= self.base {
            let bytes = if in_order { AHEAD } else { LONE };
            return Ok(Start { position: 0, first: Some(0), indexed: None, bytes });
        }
        let Some(entry) = self.indexes().offsets.lookup(target)? else {
            return Ok(Start { position: 0, first: Some(0), indexed: None, bytes: LONE });
        };
        self.check_position(entry.position)?;
        let run = self.known.size_near(entry.position, AHEAD);
        let bytes = run.map_or(LONE, |run| self.ahead(entry.position, run));
        Ok(Start { position: entry.position, first: None, indexed: Some(entry.offset), bytes })
    }

    /// How much to read for who may go on in order to this place, behind or not far behind a run of so many bytes: of who is
    /// here by chance, what lies in front of it was not read, or little of it. Where readers have nothing checked what is
    /// known counts in place of that.
    fn ahead(&self, position: u32, run: u32) -> u32 {
        let read = match position >= self.unchecked_to || self.checked.is_empty() {
            true => run,
            false => self.checked.length_to(position),
        };
        read.saturating_mul(AHEAD_TIMES).clamp(LONE, AHEAD)
    }

    /// Walks to the first batch that is wanted, of which none lies before `target`. Each that is broken on the way is passed
    /// over where the index names a batch behind it that `target` does not lie before either.
    fn walk_over(
        &mut self,
        start: Start,
        target: Offset,
        wanted: impl Fn(&BatchSpan) -> bool,
        keep: impl Fn(&[u8]) -> Option<Box<[u8]>>,
    ) -> Result<Option<FoundBatch>, Fault> {
        let mut start = start;
        loop {
            let fault = match self.walk_to(start, &wanted, &keep) {
                Err(fault) => fault,
                found => return found,
            };
            let Some(broken) = self.broken_at(&fault) else { return Err(fault) };
            let Some(entry) = self.entry_behind(broken, target)? else { return Err(fault) };
            // Behind what is broken, so that the walks come to an end.
            let (position, indexed) = (entry.position, Some(entry.offset));
            start = Start { position, first: None, indexed, bytes: LONE };
        }
    }

    /// Walks over the headers to the first batch that is wanted, and remembers them. Of its bytes, if all have been read, it
    /// brings what `keep` makes of them.
    fn walk_to(
        &mut self,
        start: Start,
        wanted: impl Fn(&BatchSpan) -> bool,
        keep: impl Fn(&[u8]) -> Option<Box<[u8]>>,
    ) -> Result<Option<FoundBatch>, Fault> {
        let file = self.log.open()?;
        let Start { position: mut next, mut first, mut indexed, bytes } = start;
        let mut least = self.base.plus(first.unwrap_or(0).into());
        let mut run: Vec<Walked> = Vec::new();
        let mut found = None;
        BUFFER.with_borrow_mut(|buffer| {
            while next < self.size && found.is_none() {
                let want = bytes.min(self.size - next) as usize;
                if buffer.len() < want {
                    buffer.resize(want, 0);
                }
                let read = read_up_to(self.log.disk(), &file, &mut buffer[..want], u64::from(next))
                    .map_err(|error| Fault::io("read", &self.log.path(), error))?;
                let begin = next;
                // All headers that lie within what was read.
                while next < self.size && (found.is_none() || bytes > LONE) {
                    let at = (next - begin) as usize;
                    if at > begin_of_last(read, self.size - next) {
                        break;
                    }
                    let span = match self.span(&buffer[at..read], next, (&mut indexed, least)) {
                        Ok(span) => span,
                        // What was looked for is there; the next one to come here is told.
                        Err(_) if found.is_some() => break,
                        Err(fault) => {
                            self.remember(&mut first, &mut run);
                            return Err(fault);
                        }
                    };
                    let (base, last) = (self.relative(span.base_offset.0), self.relative(span.last_offset.0));
                    first.get_or_insert(base);
                    run.push((RecentBatch { last, position: next, size: span.size }, span.max_timestamp));
                    if found.is_none() && wanted(&span) {
                        let bytes = buffer[at..read].get(..span.size as usize).and_then(&keep);
                        found = Some(FoundBatch { bytes, ..FoundBatch::at(span.position, span.size) });
                    }
                    (next, least) = (span.end(), span.last_offset.next());
                }
                if next == begin {
                    let reason = "the file ends inside a header";
                    return Err(Fault::corrupt(&self.log.path(), u64::from(next), reason));
                }
                if run.len() >= RUN_MAX {
                    self.remember(&mut first, &mut run);
                }
            }
            self.remember(&mut first, &mut run);
            Ok(found)
        })
    }

    /// The batch at `position`, whose header `bytes` begin with; it must be one that the index may tell of, and that may
    /// follow on batches which end before `least`.
    fn span(
        &mut self,
        bytes: &[u8],
        position: u32,
        (indexed, least): (&mut Option<LastOffset>, Offset),
    ) -> Result<BatchSpan, Fault> {
        let left = self.size - position;
        let span = match BatchSpan::parse(bytes, position) {
            Ok(span) if span.size <= left => span.belongs(self.base, least).map(|()| span),
            Ok(span) => Err(format!("a batch of {} bytes where {left} are left", span.size)),
            Err(reason) => Err(reason),
        };
        match indexed.take() {
            Some(last) if !span.as_ref().is_ok_and(|span| leads_to(span, last)) => {
                Err(self.astray(OffsetPosition { offset: last, position }, span.err()))
            }
            _ => span.map_err(|reason| Fault::corrupt(&self.log.path(), u64::from(position), reason)),
        }
    }

    fn remember(&mut self, first: &mut Option<u32>, run: &mut Vec<Walked>) {
        if let (Some(begins), Some((last, _))) = (*first, run.last()) {
            let next = last.last.saturating_add(1);
            self.known.add_walked(self.log.batches(), begins, run);
            *first = Some(next);
        }
        run.clear();
    }

    /// Hands what the segment remembers of its latest batches, or the older half of it, to the memory that all share.
    pub(super) fn release_recent(&mut self, count: usize) {
        let (first, batches) = self.recent.take_oldest(count);
        self.known.add(self.log.batches(), first, &batches);
    }

    fn relative(&self, offset: i64) -> u32 {
        u32::try_from(offset - self.base.0).unwrap_or(u32::MAX)
    }

    /// The first batch as young as `timestamp` that holds `from` or a later offset, with its bytes where they have been read
    /// on the way.
    pub fn first_as_young(
        &mut self,
        timestamp: Timestamp,
        from: Offset,
    ) -> Result<Option<FoundBatch>, Fault> {
        self.with_indexes(|segment| {
            let mut from = from.max(segment.base);
            // A small segment from before this process is learnt as a whole, without its index.
            let whole = segment.size <= WHOLE && segment.recent.is_empty();
            let mut known =
                if whole { segment.known_as_young(timestamp, &mut from) } else { AsYoung::Untimed };
            if known == AsYoung::Untimed {
                // None before that is as young.
                from = segment.indexes().times.lookup(timestamp)?.max(from);
                known = segment.known_as_young(timestamp, &mut from);
            }
            if let AsYoung::At(batch) = known {
                return Ok(Some(FoundBatch::at(batch.position, batch.size)));
            }
            let wanted = |span: &BatchSpan| span.max_timestamp >= timestamp && span.last_offset.next() > from;
            if let Some(batch) = segment.remembered(from) {
                return segment.first_span(batch.position, wanted);
            }
            if segment.size == 0 || segment.is_behind_recent(from) {
                return Ok(None);
            }
            let mut start = segment.start_for(from, false)?;
            // Who comes by time does not go on from there.
            if segment.size > WHOLE {
                start.bytes = LONE;
            }
            segment.walk_over(start, from, wanted, |bytes| Some(bytes.into()))
        })
    }

    /// The same as far as it is known without reading; `from` moves behind the batches that are known to be older.
    fn known_as_young(&mut self, timestamp: Timestamp, from: &mut Offset) -> AsYoung {
        while let Ok(relative) = u32::try_from(from.0.saturating_sub(self.base.0)) {
            match self.known.as_young(relative, timestamp) {
                AsYoung::Behind(next) if next > relative => *from = self.base.plus(i64::from(next)),
                known => return known,
            }
        }
        AsYoung::Unknown
    }

    /// The position to search forward from for the batch that holds `offset`.
    pub fn position_for_offset(&mut self, offset: Offset) -> Result<u32, Fault> {
        self.with_indexes(|segment| segment.indexed_position(offset))
    }

    fn indexed_position(&mut self, offset: Offset) -> Result<u32, Fault> {
        let Some(entry) = self.indexes().offsets.lookup(offset)? else { return Ok(0) };
        self.check_position(entry.position)?;
        match self.scan(entry.position, |scan| scan.next_span()) {
            Ok(Some(span)) if leads_to(&span, entry.offset) => Ok(entry.position),
            Ok(_) => Err(self.astray(entry, None)),
            Err(Fault::Corrupt { reason, .. }) => Err(self.astray(entry, Some(reason))),
            Err(fault) => Err(fault),
        }
    }

    fn check_position(&mut self, position: u32) -> Result<(), Fault> {
        if position < self.size {
            return Ok(());
        }
        let size = self.size;
        Err(self.index_fault(format!("an entry points to position {position} of a log of {size} bytes")))
    }
}

/// The last place in `read` bytes where a whole header can begin, with `left` bytes of log from the place on.
fn begin_of_last(read: usize, left: u32) -> usize {
    read.saturating_sub(BATCH_OVERHEAD.min(left as usize))
}

/// Whether an index entry for `offset` may name this batch: none of what the offset's readers want lies before it.
pub(super) fn leads_to(span: &BatchSpan, offset: LastOffset) -> bool {
    span.base_offset.0 <= offset.0
}
