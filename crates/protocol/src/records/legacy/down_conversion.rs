//! Batches to message sets, as a fetch of an old version needs it (KIP-31, KIP-32, KIP-283).
//!
//! What the old formats cannot say is left out as Kafka leaves it out: control batches and headers, producers and
//! leader epochs. Offsets and timestamps stay. A set may end anywhere between two messages, and a compressed batch may
//! become several compressed messages: so there is a bound on what is in memory, and readers get on however much a batch
//! holds. A checksum that does not hold is an error, for the messages made of broken bytes would have good ones.

mod large;
mod wrapper;

use thiserror::Error;

use super::build::{attributes, write_message};
use super::message::{HEADER_V0, HEADER_V1};
use super::{LegacyError, LegacyScratch, Messages, each_record};
use crate::id::Timestamp;
use crate::offset::Offset;
use crate::records::batch::{self, BatchError, LOG_OVERHEAD, MAGIC_V2, TimestampType};
use crate::records::batches::{Batch, Batches};
use crate::records::compression::{Codec, CompressedError, CompressionError, Compressors, Decompressors};
use crate::records::record::{RecordError, Records};

/// Why batches cannot be told in an old format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum DownConversionError {
    /// zstd came after the old formats.
    #[error("a batch at offset {0} is compressed with zstd, which message formats v0 and v1 do not have")]
    Zstd(Offset),
    /// A batch is broken.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The records of a batch are broken.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A compressed stream is broken.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// A message of an old format is broken.
    #[error(transparent)]
    Legacy(#[from] LegacyError),
}

impl From<CompressedError> for DownConversionError {
    fn from(error: CompressedError) -> Self {
        match error {
            CompressedError::Compression(error) => Self::Compression(error),
            CompressedError::Record(error) => Self::Record(error),
        }
    }
}

/// How much a set may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DownRoom {
    /// Bytes of all messages but a first one that alone is larger.
    pub bytes: usize,
    /// Bytes of the first message.
    pub first: usize,
    /// Whether a first message that is larger is cut off there, so that its reader sees that there is one.
    pub cut: bool,
}

/// What conversion reuses from set to set.
#[derive(Default)]
pub struct DownScratch {
    legacy: LegacyScratch,
    decompressors: Decompressors,
    compressors: Compressors,
    /// A record that came out of a stream.
    record: Vec<u8>,
    /// The stream that a large record is read from once more.
    again: Decompressors,
}

/// A message set that is being made out of batches.
pub struct DownConversion<'s> {
    magic: i8,
    from: Offset,
    room: DownRoom,
    /// Bound on all that comes out of one compressed batch.
    decompressed_bytes_max: u64,
    scratch: &'s mut DownScratch,
    out: Vec<u8>,
    full: bool,
}

/// A record on its way into a set.
#[derive(Clone, Copy)]
struct Converted<'a> {
    offset: Offset,
    timestamp: Timestamp,
    timestamp_type: TimestampType,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

impl<'s> DownConversion<'s> {
    /// An empty set of format `magic`, 0 or 1, for a reader that begins with `from`.
    pub fn new(
        magic: i8,
        from: Offset,
        room: DownRoom,
        decompressed_bytes_max: u64,
        scratch: &'s mut DownScratch,
    ) -> Self {
        assert!(matches!(magic, 0 | 1), "message sets have format v0 or v1");
        Self { magic, from, room, decompressed_bytes_max, scratch, out: Vec::new(), full: false }
    }

    /// Whether nothing more goes in.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// The set.
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    /// Takes in the whole batches and messages in front of `bytes` until the set is full. Says how many bytes they have.
    /// An error comes only for what the set would begin with; later it ends the set, and the next one begins with it.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, DownConversionError> {
        let mut taken = 0;
        while !self.full {
            let Some(size) = framed(&bytes[taken..])? else { break };
            let before = self.out.len();
            if let Err(error) = self.one(&bytes[taken..taken + size]) {
                self.out.truncate(before);
                self.full = true;
                if before == 0 {
                    return Err(error);
                }
            }
            taken += size;
        }
        Ok(taken)
    }

    fn one(&mut self, bytes: &[u8]) -> Result<(), DownConversionError> {
        match batch::magic(bytes) {
            Some(MAGIC_V2) => match Batches::new(bytes).next_batch()? {
                Some(batch) => self.batch(&batch),
                None => Ok(()),
            },
            Some(magic) if magic <= self.magic => {
                self.put(bytes.len(), |out| out.extend_from_slice(bytes));
                Ok(())
            }
            _ => self.message(bytes),
        }
    }

    fn batch(&mut self, batch: &Batch<'_>) -> Result<(), DownConversionError> {
        let header = &batch.header;
        if header.attributes.is_control() {
            return Ok(());
        }
        batch.verify_crc()?;
        match header.attributes.codec() {
            Some(Codec::None) => {}
            Some(Codec::Zstd) => return Err(DownConversionError::Zstd(header.base_offset)),
            Some(codec) => return self.wrappers(batch, codec),
            None => return Err(LegacyError::Codec { id: (header.attributes.0 & 7) as u8 }.into()),
        }
        for record in Records::new(batch.payload(), header.count) {
            let record = record?;
            let offset = header.base_offset.plus(i64::from(record.offset_delta));
            if offset < self.from || self.full {
                continue;
            }
            let (timestamp, timestamp_type) = wrapper::stamp(batch, record.timestamp_delta);
            self.plain(&Converted {
                offset,
                timestamp,
                timestamp_type,
                key: record.key,
                value: record.value,
            });
        }
        Ok(())
    }

    /// A message of format v1 for a reader of v0.
    fn message(&mut self, bytes: &[u8]) -> Result<(), DownConversionError> {
        let message = Messages::new(bytes).next_message()?.ok_or(LegacyError::Truncated)?;
        let codec = message.codec()?;
        let cap = self.decompressed_bytes_max;
        if codec == Codec::None {
            message.verify_crc()?;
            if message.offset >= self.from {
                let (offset, timestamp) = (message.offset, Timestamp::NONE);
                let timestamp_type = TimestampType::CreateTime;
                self.plain(&Converted {
                    offset,
                    timestamp,
                    timestamp_type,
                    key: message.key,
                    value: message.value,
                });
            }
            return Ok(());
        }
        let mut legacy = std::mem::take(&mut self.scratch.legacy);
        let mut begun = wrapper::Begun::default();
        let shown = each_record(bytes, &mut legacy, cap, |record| {
            if record.offset < self.from || self.full {
                return Ok(());
            }
            let (offset, timestamp_type) = (record.offset, TimestampType::CreateTime);
            let (key, value) = (record.key, record.value);
            self.wrap(
                &mut begun,
                codec,
                &Converted { offset, timestamp: Timestamp::NONE, timestamp_type, key, value },
            )
        });
        self.scratch.legacy = legacy;
        shown?;
        self.end_wrapper(begun, codec)
    }

    fn plain(&mut self, record: &Converted<'_>) {
        let attributes = attributes(self.magic, Codec::None, record.timestamp_type);
        let size = message_size(self.magic, record.key, record.value);
        let magic = self.magic;
        self.put(size, |out| {
            let fields = (record.key, record.value);
            write_message(magic, attributes, record.offset, record.timestamp, fields, out);
        });
    }

    /// Lets `write` append `size` bytes if there is room for them.
    fn put(&mut self, size: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let first = self.out.is_empty();
        if self.out.len() + size <= self.limit() {
            write(&mut self.out);
            return;
        }
        self.full = true;
        if first && self.room.cut {
            write(&mut self.out);
            self.out.truncate(self.room.first);
        }
    }

    /// Where the set must end after what is put next.
    fn limit(&self) -> usize {
        if self.out.is_empty() { self.room.first.max(self.room.bytes) } else { self.room.bytes }
    }
}

/// The size of the batch or message in front of `bytes`; `None` where no whole one is left.
fn framed(bytes: &[u8]) -> Result<Option<usize>, DownConversionError> {
    let Some(length) = bytes.get(8..LOG_OVERHEAD).and_then(<[u8]>::first_chunk) else { return Ok(None) };
    let length = i32::from_be_bytes(*length);
    let size = usize::try_from(length).map_err(|_| LegacyError::Length { length })? + LOG_OVERHEAD;
    if size <= batch::MAGIC_AT {
        return Err(LegacyError::Length { length }.into());
    }
    Ok((size <= bytes.len()).then_some(size))
}

fn message_size(magic: i8, key: Option<&[u8]>, value: Option<&[u8]>) -> usize {
    overhead(magic) + key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)
}

/// The bytes of a message without key and value.
fn overhead(magic: i8) -> usize {
    LOG_OVERHEAD + super::message::LENGTHS + if magic == 0 { HEADER_V0 } else { HEADER_V1 }
}

#[cfg(test)]
mod tests;
