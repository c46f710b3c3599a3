//! One message of format v0 or v1, and the walk from message to message.

use super::wrapped::{Head, Part};
use super::{LegacyError, LegacyRecord};
use crate::id::Timestamp;
use crate::offset::Offset;
use crate::records::batch::{LOG_OVERHEAD, TimestampType};
use crate::records::checksum::crc32;
use crate::records::compression::Codec;

/// Behind offset and length: checksum, magic, attributes, and for v1 the timestamp.
pub(super) const HEADER_V0: usize = 6;
pub(super) const HEADER_V1: usize = 14;
/// The two lengths of key and value.
pub(super) const LENGTHS: usize = 8;

pub(super) const CODEC_BITS: u8 = 0x07;
pub(super) const LOG_APPEND_TIME_BIT: u8 = 0x08;

/// One message, as it lies in its set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// Absolute, or counted from 0 inside a v1 wrapper.
    pub offset: Offset,
    /// The format, 0 or 1.
    pub magic: i8,
    /// Codec and timestamp type.
    pub attributes: u8,
    /// `Timestamp::NONE` in v0.
    pub timestamp: Timestamp,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; of a wrapper, the compressed set.
    pub value: Option<&'a [u8]>,
    crc: u32,
    /// What the checksum covers: from magic to the end.
    covered: &'a [u8],
}

impl<'a> Message<'a> {
    /// Checks the CRC.
    pub fn verify_crc(&self) -> Result<(), LegacyError> {
        let computed = crc32(self.covered);
        if computed == self.crc { Ok(()) } else { Err(LegacyError::Crc { stored: self.crc, computed }) }
    }

    /// The codec of a wrapper; `Codec::None` of a plain message. zstd came after these formats.
    pub fn codec(&self) -> Result<Codec, LegacyError> {
        let id = self.attributes & CODEC_BITS;
        Codec::from_id(id).filter(|&codec| codec != Codec::Zstd).ok_or(LegacyError::Codec { id })
    }

    /// Whose clock the timestamp comes from.
    pub fn timestamp_type(&self) -> TimestampType {
        if self.magic > 0 && self.attributes & LOG_APPEND_TIME_BIT != 0 {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        }
    }

    /// A plain message as the record it is.
    pub(super) fn record(&self) -> LegacyRecord<'a> {
        LegacyRecord {
            offset: self.offset,
            timestamp: self.timestamp,
            timestamp_type: self.timestamp_type(),
            key: self.key,
            value: self.value,
        }
    }

    /// All of its bytes, with offset and length.
    pub fn size(&self) -> usize {
        LOG_OVERHEAD + 4 + self.covered.len()
    }

    /// A plain message in parts, as one that comes out of a wrapper.
    pub(super) fn parts<E>(&self, mut see: impl FnMut(Part<'_>) -> Result<(), E>) -> Result<(), E> {
        let (key, value) = (self.key.map(<[u8]>::len), self.value.map_or(0, <[u8]>::len));
        see(Part::Head(Head { offset: self.offset, timestamp: self.timestamp, key, value }))?;
        see(Part::Key(self.key.unwrap_or_default()))?;
        see(Part::Value(self.value.is_some()))?;
        see(Part::Piece(self.value.unwrap_or_default()))
    }

    fn parse(bytes: &'a [u8], length: i32) -> Result<Self, LegacyError> {
        let too_short = LegacyError::Length { length };
        let (offset, rest) = bytes.split_first_chunk().ok_or(too_short)?;
        let body = rest.get(4..).ok_or(too_short)?;
        let (crc, covered) = body.split_first_chunk().ok_or(too_short)?;
        let [magic, attributes, fields @ ..] = covered else { return Err(too_short) };
        let (timestamp, fields) = match *magic as i8 {
            0 => (Timestamp::NONE, fields),
            1 => {
                let (timestamp, fields) = fields.split_first_chunk().ok_or(too_short)?;
                (Timestamp(i64::from_be_bytes(*timestamp)), fields)
            }
            magic => return Err(LegacyError::Magic { magic }),
        };
        let (key, fields) = nullable(fields)?;
        let (value, fields) = nullable(fields)?;
        if !fields.is_empty() {
            return Err(LegacyError::Fields);
        }
        Ok(Self {
            offset: Offset(i64::from_be_bytes(*offset)),
            magic: *magic as i8,
            attributes: *attributes,
            timestamp,
            key,
            value,
            crc: u32::from_be_bytes(*crc),
            covered,
        })
    }
}

fn nullable(fields: &[u8]) -> Result<(Option<&[u8]>, &[u8]), LegacyError> {
    let (length, fields) = fields.split_first_chunk().ok_or(LegacyError::Fields)?;
    match usize::try_from(i32::from_be_bytes(*length)) {
        Ok(length) => {
            let (field, rest) = fields.split_at_checked(length).ok_or(LegacyError::Fields)?;
            Ok((Some(field), rest))
        }
        Err(_) => Ok((None, fields)),
    }
}

/// Walks the messages of a set from its front, without looking into wrappers.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Messages<'a> {
    /// Walks `bytes`, which begin with a message.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// How many bytes the messages met so far take.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The next message; `None` where no whole one is left.
    pub fn next_message(&mut self) -> Result<Option<Message<'a>>, LegacyError> {
        let rest = &self.bytes[self.position..];
        let Some(length) = rest.get(8..LOG_OVERHEAD).and_then(<[u8]>::first_chunk) else { return Ok(None) };
        let length = i32::from_be_bytes(*length);
        let needed = match rest.get(16) {
            Some(1) => HEADER_V1 + LENGTHS,
            _ => HEADER_V0 + LENGTHS,
        };
        // With what comes before its length a message has a size in 31 bits too.
        let lengths = needed..=i32::MAX as usize - LOG_OVERHEAD;
        let body = usize::try_from(length).ok().filter(|body| lengths.contains(body));
        let size = LOG_OVERHEAD + body.ok_or(LegacyError::Length { length })?;
        let Some(message) = rest.get(..size) else { return Ok(None) };
        let message = Message::parse(message, length)?;
        self.position += size;
        Ok(Some(message))
    }
}
