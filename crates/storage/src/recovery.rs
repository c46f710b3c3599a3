//! Bringing a segment back after a crash: each batch is checked by its CRC, the first that is torn or wrong ends the
//! segment, and the indexes are filled again from what is good.
//!
//! Kafka keeps in memory what a batch means to its producers and leader epochs; whoever recovers a log hands in a
//! [`Replay`] and is told every batch in order.

use std::path::Path;

use partition::transactions::AbortedTransaction;
use protocol::offset::Offset;
use protocol::records::batch::MAGIC_V2;
use protocol::records::batches::{Batch, Batches};

use crate::disk::Disk;
use crate::fault::Fault;
use crate::resume_point::ResumePoint;
use crate::scan::BatchSpan;
use crate::segment::Segment;
use crate::whole_file::read_up_to;

/// Batches are read through a buffer of this size, or of one batch if that is larger.
const BUFFER: usize = 1 << 20;

/// Who is told the batches of a log as it is loaded.
pub trait Replay {
    /// Takes in a batch of format v2; says which transaction it aborts.
    fn replay(&mut self, batch: &Batch<'_>) -> Result<Option<AbortedTransaction>, String>;
}

/// Nobody.
impl Replay for () {
    fn replay(&mut self, _batch: &Batch<'_>) -> Result<Option<AbortedTransaction>, String> {
        Ok(None)
    }
}

/// How a segment came out of recovery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovered {
    /// The offset after its last good batch.
    pub end: Offset,
    /// Why it was cut there, if it was.
    pub cut: Option<String>,
}

/// Checks every batch of a segment, or every one behind a point that holds, cuts it at the first bad one, and fills its
/// indexes again. No batch may reach beyond `limit`, where the next segment begins.
pub fn recover<D: Disk>(
    segment: &mut Segment<D>,
    (resume, limit): (Option<&ResumePoint>, Option<Offset>),
    index_interval_bytes: u32,
    replay: &mut impl Replay,
) -> Result<Recovered, Fault> {
    let length = segment.size();
    let (path, file, disk) = (segment.path(), segment.file()?, segment.disk().clone());
    let (start, mut end) = match resume {
        Some(point) => {
            segment.resume(point)?;
            (point.position, point.offset)
        }
        None => {
            segment.reset_indexes();
            (0, segment.base())
        }
    };
    let mut batches = WholeBatches::new(&disk, &file, &path, start, length);
    let cut = loop {
        let (span, bytes) = match batches.next_whole()? {
            Next::End => break None,
            Next::Torn(reason) => break Some(reason),
            Next::Batch(span, bytes) => (span, bytes),
        };
        if let Err(reason) = check(&span, bytes, (end, limit)) {
            break Some(reason);
        }
        if !segment.reaches(Offset(span.last_offset.0)) {
            break Some(format!("last offset {} is out of reach of the segment's base", span.last_offset));
        }
        let aborted = match replayed(bytes, replay) {
            Ok(aborted) => aborted,
            Err(reason) => break Some(reason),
        };
        segment.note(&span, index_interval_bytes);
        if let Some(aborted) = aborted {
            segment.abort(&aborted);
        }
        segment.make_index_room()?;
        end = span.last_offset.next();
    };
    if segment.size() < length {
        segment.cut(segment.size())?;
    }
    Ok(Recovered { end, cut })
}

/// Tells the batches of a segment that is trusted, from the one that holds `from`. What is read is checked all the same:
/// a machine that believed a broken batch would be wrong for good.
pub fn replay<D: Disk>(
    segment: &mut Segment<D>,
    (from, limit): (Offset, Option<Offset>),
    replay: &mut impl Replay,
) -> Result<(), Fault> {
    let Some((start, _)) = segment.find(from)? else { return Ok(()) };
    let (path, file, disk) = (segment.path(), segment.file()?, segment.disk().clone());
    let mut batches = WholeBatches::new(&disk, &file, &path, start, segment.size());
    let mut end = segment.base();
    loop {
        let position = u64::from(batches.position);
        let outcome = match batches.next_whole()? {
            Next::End => return Ok(()),
            Next::Torn(reason) => Err(reason),
            Next::Batch(span, bytes) => {
                let checked = check(&span, bytes, (end, limit));
                end = span.last_offset.next();
                checked.and_then(|()| replayed(bytes, replay).map(drop))
            }
        };
        outcome.map_err(|reason| Fault::corrupt(&path, position, reason))?;
    }
}

/// Holds a batch against its checksum, and its offsets against `end`, before which none may lie, and `limit`.
pub(crate) fn check(
    span: &BatchSpan,
    bytes: &[u8],
    (end, limit): (Offset, Option<Offset>),
) -> Result<(), String> {
    if let Some(limit) = limit.filter(|limit| span.last_offset.next() > *limit) {
        return Err(format!(
            "a batch that ends with offset {} where {limit} begins the next segment",
            span.last_offset
        ));
    }
    if span.magic == MAGIC_V2 && span.base_offset < end {
        return Err(format!("a batch that begins with offset {} where {end} is next", span.base_offset));
    }
    verify(span, bytes)
}

/// Checks a batch, or a message of format v0 or v1, by its CRC.
pub fn verify(span: &BatchSpan, bytes: &[u8]) -> Result<(), String> {
    if span.magic != MAGIC_V2 {
        // The CRC of a message of format v0 or v1 covers what follows it.
        let stored = bytes[12..16].iter().fold(0, |crc, byte| (crc << 8) | u32::from(*byte));
        let computed = crc32fast::hash(&bytes[16..]);
        return if stored == computed {
            Ok(())
        } else {
            Err(format!("a message that carries CRC {stored:#010x} and has {computed:#010x}"))
        };
    }
    let batch = whole_batch(bytes)?;
    batch.verify_crc().map_err(|error| error.to_string())
}

fn replayed(bytes: &[u8], replay: &mut impl Replay) -> Result<Option<AbortedTransaction>, String> {
    if protocol::records::batch::magic(bytes) != Some(MAGIC_V2) {
        return Ok(None);
    }
    replay.replay(&whole_batch(bytes)?)
}

fn whole_batch(bytes: &[u8]) -> Result<Batch<'_>, String> {
    match Batches::new(bytes).next_batch() {
        Ok(Some(batch)) => Ok(batch),
        Ok(None) => Err("no batch".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// What follows in a log file.
pub enum Next<'a> {
    /// A whole batch, with all its bytes.
    Batch(BatchSpan, &'a [u8]),
    /// Nothing.
    End,
    /// Bytes that are no whole batch, and why.
    Torn(String),
}

/// A walk over the batches of a log file that reads all of each.
pub struct WholeBatches<'a, D: Disk> {
    disk: &'a D,
    file: &'a D::File,
    path: &'a Path,
    position: u32,
    end: u32,
    /// Bound: `block`, or one batch if that is larger.
    buffer: Vec<u8>,
    block: usize,
    /// Where in the file the buffer begins.
    buffer_start: u32,
}

impl<'a, D: Disk> WholeBatches<'a, D> {
    /// Walks from the batch at `start` up to `end`.
    pub fn new(disk: &'a D, file: &'a D::File, path: &'a Path, start: u32, end: u32) -> Self {
        let (buffer, block) = (Vec::new(), BUFFER);
        Self { disk, file, path, position: start, end, buffer, block, buffer_start: start }
    }

    /// Reads through a buffer of this size.
    pub fn in_blocks_of(self, block: usize) -> Self {
        Self { block: block.max(1), ..self }
    }

    /// Where the next batch starts.
    pub fn position(&self) -> u32 {
        self.position
    }

    /// The next batch.
    pub fn next_whole(&mut self) -> Result<Next<'_>, Fault> {
        self.next_up_to(u32::MAX)
    }

    /// The next batch, if it ends at `limit` or before: of one that goes on behind it no more than the header is looked at.
    pub fn next_up_to(&mut self, limit: u32) -> Result<Next<'_>, Fault> {
        if self.position >= self.end {
            return Ok(Next::End);
        }
        let left = (self.end - self.position) as usize;
        self.hold(protocol::records::batch::BATCH_OVERHEAD.min(left))?;
        let span = match BatchSpan::parse(self.held(), self.position) {
            Ok(span) if span.size as usize <= left => span,
            Ok(span) => {
                return Ok(Next::Torn(format!("a batch of {} bytes where {left} are left", span.size)));
            }
            Err(reason) => return Ok(Next::Torn(reason)),
        };
        if span.end() > limit {
            return Ok(Next::End);
        }
        self.hold(span.size as usize)?;
        let from = (self.position - self.buffer_start) as usize;
        if self.buffer.len() - from < span.size as usize {
            return Ok(Next::Torn("the file ends inside a batch".to_owned()));
        }
        self.position = span.end();
        Ok(Next::Batch(span, &self.buffer[from..from + span.size as usize]))
    }

    /// The batch that follows, if it has been read already; it stays the next one.
    pub fn peek_held(&self) -> Option<(BatchSpan, &[u8])> {
        let held = self.held();
        let span = BatchSpan::parse(held, self.position).ok()?;
        let whole = span.end() <= self.end;
        held.get(..span.size as usize).filter(|_| whole).map(|bytes| (span, bytes))
    }

    /// Goes on behind a batch that was peeked at.
    pub fn pass(&mut self, span: &BatchSpan) {
        self.position = span.end();
    }

    /// All bytes from a batch that was read, since which only held ones were passed, up to here.
    pub fn since(&self, position: u32) -> &[u8] {
        &self.buffer[(position - self.buffer_start) as usize..(self.position - self.buffer_start) as usize]
    }

    fn held(&self) -> &[u8] {
        &self.buffer[(self.position - self.buffer_start) as usize..]
    }

    /// Reads so that `length` bytes from the position on are held, or all that the file has.
    fn hold(&mut self, length: usize) -> Result<(), Fault> {
        if self.held().len() >= length {
            return Ok(());
        }
        let left = (self.end - self.position) as usize;
        self.buffer.drain(..(self.position - self.buffer_start) as usize);
        self.buffer_start = self.position;
        let kept = self.buffer.len();
        self.buffer.resize(length.max(self.block.min(left)), 0);
        let at = u64::from(self.position) + kept as u64;
        let read = read_up_to(self.disk, self.file, &mut self.buffer[kept..], at)
            .map_err(|error| Fault::io("read", self.path, error))?;
        self.buffer.truncate(kept + read);
        Ok(())
    }
}
