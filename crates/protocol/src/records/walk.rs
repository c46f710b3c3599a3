//! Walking every record of a batch without building one: the check that each produced batch passes on the hot path.
//!
//! The walk proves that lengths, counts and headers fit, and brings home what the partition needs to decide about
//! the batch: the span of its timestamps, whether offsets run from 0 without a gap, and whether a key is missing.
//! It runs over a slice and over the steps of a decompression alike; a record may lie across steps of the latter.

use super::record::RecordError;
use super::varint;
use crate::id::Timestamp;

/// Where a walk reads from.
pub trait Cursor {
    /// What may go wrong: broken records, and for compressed ones a broken stream.
    type Error: From<RecordError>;

    /// The next byte.
    fn byte(&mut self) -> Result<u8, Self::Error>;

    /// Moves on by `length` bytes, which must be there.
    fn skip(&mut self, length: usize) -> Result<(), Self::Error>;

    /// How many bytes lie behind.
    fn position(&self) -> u64;

    /// The record of `length` bytes that follows, if it lies in one piece; the cursor then is behind it.
    fn piece(&mut self, length: usize) -> Option<&[u8]>;

    /// How many bytes follow the last record. A stream that counts to its end stops at the first.
    fn trailing(&mut self) -> Result<usize, Self::Error>;
}

/// A cursor over bytes in one piece.
#[derive(Clone, Debug)]
pub struct SliceCursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> SliceCursor<'a> {
    /// Starts at the front of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// How many bytes are ahead.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// All bytes ahead.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.position..]
    }

    /// The next `length` bytes.
    #[inline(always)]
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], RecordError> {
        let taken = self.rest().get(..length).ok_or(RecordError::Truncated)?;
        self.position += length;
        Ok(taken)
    }
}

impl Cursor for SliceCursor<'_> {
    type Error = RecordError;

    #[inline(always)]
    fn byte(&mut self) -> Result<u8, RecordError> {
        let byte = *self.bytes.get(self.position).ok_or(RecordError::Truncated)?;
        self.position += 1;
        Ok(byte)
    }

    #[inline(always)]
    fn skip(&mut self, length: usize) -> Result<(), RecordError> {
        self.take(length).map(drop)
    }

    #[inline]
    fn position(&self) -> u64 {
        self.position as u64
    }

    #[inline]
    fn piece(&mut self, length: usize) -> Option<&[u8]> {
        self.take(length).ok()
    }

    fn trailing(&mut self) -> Result<usize, RecordError> {
        Ok(self.remaining())
    }
}

/// What a walk needs to know of the header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announced {
    /// How many records the batch says it holds.
    pub count: i32,
    /// The timestamp that records count theirs from.
    pub base_timestamp: Timestamp,
    /// The bytes that a single record may take; a longer one is refused before it is walked.
    pub record_bytes_max: u32,
}

/// What a walk over all records of a batch has seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Walk {
    /// The largest timestamp; `Timestamp::NONE` where there is none.
    pub max_timestamp: Timestamp,
    /// The place in the batch of the first record with that timestamp.
    pub max_timestamp_index: i32,
    /// The smallest timestamp other than `Timestamp::NONE`; `None` where no record has one.
    pub min_timestamp: Option<Timestamp>,
    /// The place of the first record without a key.
    pub first_null_key: Option<i32>,
    /// Whether the records' offsets run 0, 1, 2, ... from the base offset.
    pub offsets_consecutive: bool,
    /// The bytes of all records, uncompressed.
    pub bytes: u64,
}

/// What the walk shows of one record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Counted from the batch's base timestamp.
    pub timestamp_delta: i64,
    /// Counted from the batch's base offset.
    pub offset_delta: i32,
    /// Whether the record has a key.
    pub has_key: bool,
}

/// Walks the records that `payload` should hold exactly.
pub fn walk(payload: &[u8], announced: Announced) -> Result<Walk, RecordError> {
    walk_cursor(&mut SliceCursor::new(payload), announced, |_, _| {})
}

/// Walks the records ahead of `cursor`, which should hold exactly those; `seen` is told each with its place.
pub fn walk_cursor<C: Cursor>(
    cursor: &mut C,
    announced: Announced,
    mut seen: impl FnMut(i32, Seen),
) -> Result<Walk, C::Error> {
    let start = cursor.position();
    let mut walk = Walk {
        max_timestamp: Timestamp::NONE,
        max_timestamp_index: -1,
        min_timestamp: None,
        first_null_key: None,
        offsets_consecutive: true,
        bytes: 0,
    };
    let mut min = i64::MAX;
    for index in 0..announced.count {
        let record = read_seen(cursor, announced.record_bytes_max)?;
        // Kafka adds with wrap-around; what comes out is then judged like any other timestamp.
        let timestamp = announced.base_timestamp.0.wrapping_add(record.timestamp_delta);
        if timestamp > walk.max_timestamp.0 {
            walk.max_timestamp = Timestamp(timestamp);
            walk.max_timestamp_index = index;
        }
        if timestamp != Timestamp::NONE.0 {
            min = min.min(timestamp);
            walk.min_timestamp = Some(Timestamp(min));
        }
        walk.offsets_consecutive &= record.offset_delta == index;
        if !record.has_key && walk.first_null_key.is_none() {
            walk.first_null_key = Some(index);
        }
        seen(index, record);
    }
    let bytes = cursor.trailing()?;
    if bytes > 0 {
        return Err(RecordError::Trailing { bytes }.into());
    }
    walk.bytes = cursor.position() - start;
    Ok(walk)
}

#[inline(always)]
fn read_seen<C: Cursor>(cursor: &mut C, bytes_max: u32) -> Result<Seen, C::Error> {
    let length = varint::read_i32(cursor)?;
    let Ok(whole) = usize::try_from(length) else { return Err(RecordError::Length { length }.into()) };
    if length as u32 > bytes_max {
        return Err(RecordError::TooLarge { length, max: bytes_max }.into());
    }
    if let Some(piece) = cursor.piece(whole) {
        return read_fields(&mut SliceCursor::new(piece), whole).map_err(|error| match error {
            // The record's own length is what ended the bytes, or its fields do not keep to it.
            RecordError::Truncated | RecordError::VarintTooLong => RecordError::Length { length }.into(),
            other => other.into(),
        });
    }
    read_fields(cursor, whole)
}

#[inline(always)]
fn read_fields<C: Cursor>(cursor: &mut C, whole: usize) -> Result<Seen, C::Error> {
    let end = cursor.position() + whole as u64;
    cursor.byte()?;
    let timestamp_delta = varint::read_i64(cursor)?;
    let offset_delta = varint::read_i32(cursor)?;
    let has_key = skip_nullable(cursor, end)?;
    skip_nullable(cursor, end)?;
    let count = varint::read_i32(cursor)?;
    if count != 0 {
        skip_headers(cursor, count, end)?;
    }
    if cursor.position() != end {
        return Err(RecordError::Length { length: whole as i32 }.into());
    }
    Ok(Seen { timestamp_delta, offset_delta, has_key })
}

#[inline(never)]
fn skip_headers<C: Cursor>(cursor: &mut C, count: i32, end: u64) -> Result<(), C::Error> {
    // A header takes at least a byte for each of its two lengths.
    let room = end.saturating_sub(cursor.position()) / 2;
    if u64::try_from(count).is_ok_and(|count| count <= room) {
        for _ in 0..count {
            let length = varint::read_i32(cursor)?;
            let Ok(length) = usize::try_from(length) else { return Err(RecordError::NullHeaderKey.into()) };
            skip_within(cursor, length, end)?;
            skip_nullable(cursor, end)?;
        }
        return Ok(());
    }
    Err(RecordError::HeaderCount { count }.into())
}

/// Skips a key, a value or a header's value; says whether there was one. Any negative length stands for none, as
/// in Kafka.
#[inline(always)]
fn skip_nullable<C: Cursor>(cursor: &mut C, end: u64) -> Result<bool, C::Error> {
    match usize::try_from(varint::read_i32(cursor)?) {
        Ok(length) => skip_within(cursor, length, end).map(|()| true),
        Err(_) => Ok(false),
    }
}

#[inline(always)]
fn skip_within<C: Cursor>(cursor: &mut C, length: usize, end: u64) -> Result<(), C::Error> {
    if cursor.position() + length as u64 > end {
        return Err(RecordError::Truncated.into());
    }
    cursor.skip(length)
}
