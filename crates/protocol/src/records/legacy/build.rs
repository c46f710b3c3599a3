//! Building message sets: what clients of the last format's time are answered with.

use super::header_checksum;
use super::message::LOG_APPEND_TIME_BIT;
use crate::id::Timestamp;
use crate::offset::Offset;
use crate::records::batch::TimestampType;
use crate::records::checksum::crc32;
use crate::records::compression::{Codec, Compression, CompressionError, Compressors};

/// Everything about a set but its records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LegacyOptions {
    /// The format, 0 or 1.
    pub magic: i8,
    /// Codec and level; zstd came after these formats.
    pub compression: Compression,
    /// Whose clock the timestamps come from; v0 has none.
    pub timestamp_type: TimestampType,
}

/// A set that is being filled.
#[derive(Clone, Debug)]
pub struct LegacyBuilder {
    options: LegacyOptions,
    set: Vec<u8>,
    base: Option<Offset>,
    last: Offset,
    max_timestamp: Timestamp,
}

impl LegacyBuilder {
    /// An empty set.
    pub fn new(options: LegacyOptions) -> Self {
        assert!(matches!(options.magic, 0 | 1), "message sets have format v0 or v1");
        assert!(options.compression.codec != Codec::Zstd, "message sets have no zstd");
        Self { options, set: Vec::new(), base: None, last: Offset::ZERO, max_timestamp: Timestamp::NONE }
    }

    /// Adds a record at this absolute offset, which must be behind all others.
    pub fn push(
        &mut self,
        offset: Offset,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> &mut Self {
        assert!(self.base.is_none() || offset > self.last, "offsets within a set only go up");
        let base = *self.base.get_or_insert(offset);
        self.last = offset;
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let compressed = self.options.compression.codec != Codec::None;
        // Only inside a v1 wrapper do offsets count from 0.
        let written = if compressed && self.options.magic == 1 { Offset(offset.0 - base.0) } else { offset };
        write_message(
            self.options.magic,
            self.attributes(Codec::None),
            written,
            timestamp,
            (key, value),
            &mut self.set,
        );
        self
    }

    /// The finished set.
    pub fn finish(self, compressors: &mut Compressors) -> Result<Vec<u8>, CompressionError> {
        let LegacyOptions { magic, compression, .. } = self.options;
        if compression.codec == Codec::None || self.base.is_none() {
            return Ok(self.set);
        }
        let mut value = Vec::new();
        let checksum = header_checksum(magic);
        let mut compressing = compressors.start_with_checksum(compression, &mut value, u64::MAX, checksum)?;
        compressing.write(&self.set)?;
        compressing.finish()?;
        let mut out = Vec::new();
        let attributes = self.attributes(compression.codec);
        write_message(magic, attributes, self.last, self.max_timestamp, (None, Some(&value)), &mut out);
        Ok(out)
    }

    fn attributes(&self, codec: Codec) -> u8 {
        attributes(self.options.magic, codec, self.options.timestamp_type)
    }
}

/// The attributes of a message; v0 does not say whose clock a timestamp comes from.
pub(super) fn attributes(magic: i8, codec: Codec, timestamp_type: TimestampType) -> u8 {
    let stamped = magic == 1 && timestamp_type == TimestampType::LogAppendTime;
    codec.id() | if stamped { LOG_APPEND_TIME_BIT } else { 0 }
}

/// Appends a message, sealed with its checksum.
pub(super) fn write_message(
    magic: i8,
    attributes: u8,
    offset: Offset,
    timestamp: Timestamp,
    (key, value): (Option<&[u8]>, Option<&[u8]>),
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.extend_from_slice(&offset.0.to_be_bytes());
    // Length and checksum follow once the rest is there.
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&[magic as u8, attributes]);
    if magic == 1 {
        out.extend_from_slice(&timestamp.0.to_be_bytes());
    }
    for field in [key, value] {
        out.extend_from_slice(&field.map_or(-1, |field| field.len() as i32).to_be_bytes());
        out.extend_from_slice(field.unwrap_or_default());
    }
    let length = (out.len() - start - 12) as u32;
    out[start + 8..start + 12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32(&out[start + 16..]);
    out[start + 12..start + 16].copy_from_slice(&crc.to_be_bytes());
}
