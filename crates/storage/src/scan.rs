//! Walking the batches of a log file by their headers, without reading what they hold.
//!
//! Logs that once belonged to an older Kafka hold messages of format v0 and v1 too; they are walked like batches. What
//! cannot be a header is a fault that names file and position: it is recovery, not a reader, that may cut a log.

use std::cell::Cell;
use std::mem::take;
use std::path::Path;

use protocol::id::Timestamp;
use protocol::offset::{LastOffset, Offset};
use protocol::records::batch::{self, BatchHeader, LOG_OVERHEAD, MAGIC_V2};

use crate::disk::Disk;
use crate::fault::Fault;
use crate::whole_file::read_up_to;

/// The smallest message of format v0: offset, size, CRC, magic, attributes, key and value length.
const LEGACY_MIN: usize = LOG_OVERHEAD + 14;
/// A walk reads this much at once; small batches then share a read.
const BLOCK: usize = 8192;

/// Where a batch lies and what it covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchSpan {
    /// Where it starts in the file.
    pub position: u32,
    /// Its bytes, header included.
    pub size: u32,
    /// Its first offset; for a compressed message of format v0 or v1 the last one.
    pub base_offset: Offset,
    /// Its last offset.
    pub last_offset: LastOffset,
    /// The largest timestamp of its records.
    pub max_timestamp: Timestamp,
    /// Its format.
    pub magic: i8,
}

impl BatchSpan {
    /// Where the next batch starts.
    pub fn end(&self) -> u32 {
        self.position.saturating_add(self.size)
    }

    /// Whether it may lie in the segment that begins with `base`, behind batches that end before `least`; says what is wrong.
    /// No checksum covers where a batch begins.
    pub fn belongs(&self, base: Offset, least: Offset) -> Result<(), String> {
        let Self { base_offset: first, last_offset: last, magic, .. } = *self;
        if first < base || last.0.saturating_sub(base.0) > i64::from(i32::MAX) {
            return Err(format!("a batch of offsets {first} to {last} in the segment of {base}"));
        }
        if magic == MAGIC_V2 && first < least {
            return Err(format!("a batch that begins with offset {first} where {least} is next"));
        }
        Ok(())
    }

    /// Reads the header at the front of `bytes`, which lie at `position`; says what is wrong with it.
    pub fn parse(bytes: &[u8], position: u32) -> Result<Self, String> {
        match batch::magic(bytes) {
            Some(MAGIC_V2) => Self::parse_v2(bytes, position),
            Some(magic @ 0..=1) => Self::parse_legacy(bytes, position, magic),
            Some(magic) => Err(format!("a batch of magic {magic}, and 0 to 2 are known")),
            None => Err(format!("{} bytes, too few for a batch", bytes.len())),
        }
    }

    fn parse_v2(bytes: &[u8], position: u32) -> Result<Self, String> {
        let header = BatchHeader::parse_prefix(bytes).map_err(|error| error.to_string())?;
        if header.base_offset < Offset::ZERO || header.last_offset_delta < 0 {
            let (base, delta) = (header.base_offset, header.last_offset_delta);
            return Err(format!("a batch with base offset {base} and last offset delta {delta}"));
        }
        let size = u32::try_from(header.size()).map_err(|_| format!("a batch of {} bytes", header.size()))?;
        Ok(Self {
            position,
            size,
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            max_timestamp: header.max_timestamp,
            magic: MAGIC_V2,
        })
    }

    fn parse_legacy(bytes: &[u8], position: u32, magic: i8) -> Result<Self, String> {
        let wrong = || "a message that ends inside its header".to_owned();
        let offset = i64::from_be_bytes(*bytes.first_chunk().ok_or_else(wrong)?);
        let length = i32::from_be_bytes(*bytes[8..].first_chunk().ok_or_else(wrong)?);
        let size = usize::try_from(length).ok().map(|length| length + LOG_OVERHEAD);
        let Some(size) = size.filter(|size| *size >= LEGACY_MIN && offset >= 0) else {
            return Err(format!("a message with offset {offset} and length {length}"));
        };
        let max_timestamp = match magic {
            0 => Timestamp::NONE,
            _ => Timestamp(i64::from_be_bytes(*bytes[18..].first_chunk().ok_or_else(wrong)?)),
        };
        let size = u32::try_from(size).map_err(|_| wrong())?;
        let (base_offset, last_offset) = (Offset(offset), LastOffset(offset));
        Ok(Self { position, size, base_offset, last_offset, max_timestamp, magic })
    }
}

thread_local! {
    /// What the last walk read into, for the next one. Bound: `BLOCK` a thread.
    static LEFT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A walk over the headers of a log file, forward from a batch's start.
pub struct Scan<'a, D: Disk> {
    disk: &'a D,
    file: &'a D::File,
    path: &'a Path,
    next: u32,
    end: u32,
    block: Vec<u8>,
    block_start: u32,
    block_length: u32,
}

impl<D: Disk> Drop for Scan<'_, D> {
    fn drop(&mut self) {
        LEFT.set(take(&mut self.block));
    }
}

impl<'a, D: Disk> Scan<'a, D> {
    /// Walks from the batch at `start` up to `end`, where the file's batches end.
    pub fn new(disk: &'a D, file: &'a D::File, path: &'a Path, start: u32, end: u32) -> Self {
        let mut block = LEFT.take();
        block.resize(BLOCK, 0);
        Self { disk, file, path, next: start, end, block, block_start: 0, block_length: 0 }
    }

    /// The next batch; `None` at the end.
    pub fn next_span(&mut self) -> Result<Option<BatchSpan>, Fault> {
        if self.next >= self.end {
            return Ok(None);
        }
        let position = self.next;
        let corrupt = |reason| Fault::corrupt(self.path, u64::from(position), reason);
        let wanted = batch::BATCH_OVERHEAD.min((self.end - position) as usize);
        let held = self.block_start..self.block_start.saturating_add(self.block_length);
        let in_block = held.contains(&position) && held.end - position >= wanted as u32;
        if !in_block {
            let want = BLOCK.min((self.end - position) as usize);
            let read = read_up_to(self.disk, self.file, &mut self.block[..want], u64::from(position))
                .map_err(|error| Fault::io("read", self.path, error))?;
            (self.block_start, self.block_length) = (position, read as u32);
        }
        let from = (position - self.block_start) as usize;
        let span =
            BatchSpan::parse(&self.block[from..self.block_length as usize], position).map_err(corrupt)?;
        if span.size > self.end - position {
            let reason = format!("a batch of {} bytes where {} are left", span.size, self.end - position);
            return Err(corrupt(reason));
        }
        self.next = span.end();
        Ok(Some(span))
    }

    /// Tells of all batches from here on.
    pub fn each(&mut self, mut see: impl FnMut(&BatchSpan)) -> Result<(), Fault> {
        while let Some(span) = self.next_span()? {
            see(&span);
        }
        Ok(())
    }

    /// The bytes of the batch that was told last, if all of them were read along.
    pub fn bytes_of(&self, span: &BatchSpan) -> Option<&[u8]> {
        let from = span.position.checked_sub(self.block_start)? as usize;
        self.block[..self.block_length as usize].get(from..from + span.size as usize)
    }

    /// The first batch from here on that holds `target` or a later offset.
    pub fn find(&mut self, target: Offset) -> Result<Option<BatchSpan>, Fault> {
        while let Some(span) = self.next_span()? {
            if span.last_offset.next() > target {
                return Ok(Some(span));
            }
        }
        Ok(None)
    }
}
