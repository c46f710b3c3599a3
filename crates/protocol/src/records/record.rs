//! Records of format v2 as slices of the bytes they lie in.
//!
//! This is the walk that builds values, for those who need keys, values or headers. Whoever only asks whether a
//! batch is well formed takes `walk`, which builds nothing.

use thiserror::Error;

use super::varint;
use super::walk::{Cursor, SliceCursor};

/// Why bytes are not the records that the batch announces.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RecordError {
    /// The bytes end inside a record, or before the announced count is reached.
    #[error("the batch ends before the records it announces")]
    Truncated,
    /// A variable-length number goes on for more bytes than its type can fill.
    #[error("a variable-length number does not end within its bytes")]
    VarintTooLong,
    /// A record's own length is negative, or its fields take more or fewer bytes than it says.
    #[error("a record of {length} bytes has fields of another size")]
    Length {
        /// The record's length.
        length: i32,
    },
    /// A record is longer than the topic's `max.decompressed.message.bytes`.
    #[error("a record of {length} bytes is longer than the {max} bytes allowed")]
    TooLarge {
        /// The record's length.
        length: i32,
        /// The limit.
        max: u32,
    },
    /// A header count is negative or more than the record's bytes can hold.
    #[error("a record cannot hold {count} headers")]
    HeaderCount {
        /// The count read.
        count: i32,
    },
    /// A header key is null.
    #[error("a record header has a null key")]
    NullHeaderKey,
    /// Bytes are left over after the announced count.
    #[error("{bytes} bytes follow the last record that the batch announces")]
    Trailing {
        /// How many.
        bytes: usize,
    },
}

/// One record of a v2 batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Unused by Kafka so far.
    pub attributes: i8,
    /// Counted from the batch's base timestamp.
    pub timestamp_delta: i64,
    /// Counted from the batch's base offset.
    pub offset_delta: i32,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; without one the record is a tombstone where topics are compacted.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: Headers<'a>,
}

/// The headers of a record, read as they are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Headers<'a> {
    bytes: &'a [u8],
    count: u32,
}

/// One header of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header<'a> {
    /// The key: UTF-8 by Kafka's contract, which no broker enforces.
    pub key: &'a [u8],
    /// The value.
    pub value: Option<&'a [u8]>,
}

impl<'a> Headers<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The headers in their order. `Record::read` has checked them.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + Clone + use<'a> {
        let mut cursor = SliceCursor::new(self.bytes);
        (0..self.count).map_while(move |_| read_header(&mut cursor).ok())
    }
}

impl<'a> Record<'a> {
    /// Reads the record at the cursor and moves behind it.
    pub fn read(cursor: &mut SliceCursor<'a>) -> Result<Self, RecordError> {
        let length = varint::read_i32(cursor)?;
        let whole = usize::try_from(length).map_err(|_| RecordError::Length { length })?;
        Self::read_body(cursor.take(whole)?)
    }

    /// Reads the record whose fields `bytes`, which follow its length, hold exactly.
    pub fn read_body(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let length = i32::try_from(bytes.len()).map_err(|_| RecordError::Truncated)?;
        let mut body = SliceCursor::new(bytes);
        let record = Self::read_fields(&mut body).map_err(|error| match error {
            // The record's own length is what ended the bytes, or its fields do not keep to it.
            RecordError::Truncated | RecordError::VarintTooLong => RecordError::Length { length },
            other => other,
        })?;
        if body.remaining() != 0 {
            return Err(RecordError::Length { length });
        }
        Ok(record)
    }

    fn read_fields(body: &mut SliceCursor<'a>) -> Result<Self, RecordError> {
        let attributes = body.byte()? as i8;
        let timestamp_delta = varint::read_i64(body)?;
        let offset_delta = varint::read_i32(body)?;
        let key = read_nullable(body)?;
        let value = read_nullable(body)?;
        let count = varint::read_i32(body)?;
        // A header takes at least a byte for each of its two lengths.
        let possible = u32::try_from(count).ok().filter(|&count| count as usize <= body.remaining() / 2);
        let count = possible.ok_or(RecordError::HeaderCount { count })?;
        let bytes = body.rest();
        for _ in 0..count {
            read_header(body)?;
        }
        let headers = Headers { bytes, count };
        Ok(Self { attributes, timestamp_delta, offset_delta, key, value, headers })
    }
}

/// The records of an uncompressed payload, one after another.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    cursor: SliceCursor<'a>,
    left: i32,
}

impl<'a> Records<'a> {
    /// Walks the `count` records that `payload` should hold exactly.
    pub fn new(payload: &'a [u8], count: i32) -> Self {
        Self { cursor: SliceCursor::new(payload), left: count }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            let bytes = self.cursor.remaining();
            self.cursor = SliceCursor::new(&[]);
            return (bytes > 0).then_some(Err(RecordError::Trailing { bytes }));
        }
        self.left -= 1;
        let record = Record::read(&mut self.cursor);
        if record.is_err() {
            // Nothing behind a broken record can be trusted to be one.
            (self.left, self.cursor) = (0, SliceCursor::new(&[]));
        }
        Some(record)
    }
}

/// Reads a key, a value or a header's value. Any negative length stands for none, as in Kafka.
fn read_nullable<'a>(body: &mut SliceCursor<'a>) -> Result<Option<&'a [u8]>, RecordError> {
    match usize::try_from(varint::read_i32(body)?) {
        Ok(length) => body.take(length).map(Some),
        Err(_) => Ok(None),
    }
}

fn read_header<'a>(body: &mut SliceCursor<'a>) -> Result<Header<'a>, RecordError> {
    let length = varint::read_i32(body)?;
    let length = usize::try_from(length).map_err(|_| RecordError::NullHeaderKey)?;
    let key = body.take(length)?;
    Ok(Header { key, value: read_nullable(body)? })
}
