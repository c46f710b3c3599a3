//! A record of a compressed batch that is too large to be held: it goes out of one stream into another. Its checksum
//! stands in front of it in the old formats, so it is read twice.

use super::wrapper::stamp;
use super::{DownConversion, DownConversionError, attributes, overhead};
use crate::id::Timestamp;
use crate::offset::Offset;
use crate::records::batch::{LOG_OVERHEAD, TimestampType};
use crate::records::batches::Batch;
use crate::records::checksum::crc32;
use crate::records::compression::{Codec, Compressing, CompressionError, Decompressing};
use crate::records::legacy::header_checksum;
use crate::records::legacy::message::{HEADER_V0, HEADER_V1};
use crate::records::record::RecordError;
use crate::records::varint;
use crate::records::walk::Cursor;

/// What the first reading of a record has found.
struct Found {
    offset: Offset,
    timestamp: Timestamp,
    timestamp_type: TimestampType,
    /// Bytes of the message behind its length.
    length: usize,
    crc: u32,
}

impl DownConversion<'_> {
    /// A record of `length` bytes that `stream` is in front of. It is only put first into a set.
    pub(super) fn large(
        &mut self,
        batch: &Batch<'_>,
        codec: Codec,
        (stream, length): (&mut Decompressing<'_, '_>, usize),
    ) -> Result<(), DownConversionError> {
        let found = self.read_ahead(batch, codec, (stream.position(), length))?;
        if found.offset < self.from {
            return Ok(stream.skip(length)?);
        }
        self.full = true;
        if !self.out.is_empty() {
            return Ok(());
        }
        let room = self.room.first.max(self.room.bytes).min(i32::MAX as usize);
        match self.write_large(batch, codec, &found, (stream, length, room)) {
            Err(DownConversionError::Compression(CompressionError::TooLarge { .. })) => {
                self.out.clear();
                if self.room.cut {
                    self.cut_off(found.offset);
                }
                Ok(())
            }
            written => written,
        }
    }

    /// Nothing of a message but the signs that there is one, and that it is larger than what its reader asked for.
    fn cut_off(&mut self, offset: Offset) {
        let length = i32::try_from(self.room.first).unwrap_or(i32::MAX).max(overhead(self.magic) as i32);
        self.out.extend_from_slice(&offset.0.to_be_bytes());
        self.out.extend_from_slice(&length.to_be_bytes());
        self.out.truncate(self.room.first);
    }

    fn read_ahead(
        &mut self,
        batch: &Batch<'_>,
        codec: Codec,
        (position, length): (u64, usize),
    ) -> Result<Found, DownConversionError> {
        let cap = self.decompressed_bytes_max;
        let mut stream = self.scratch.again.start(codec, batch.payload(), cap)?;
        let mut left = position;
        while left > 0 {
            let step = left.min(1 << 30) as usize;
            stream.skip(step)?;
            left -= step as u64;
        }
        let mut crc = crc32fast::Hasher::new();
        let mut size = 4;
        let (offset, timestamp) = covered(self.magic, batch, (&mut stream, length), |piece| {
            crc.update(piece);
            size += piece.len();
            Ok(())
        })?;
        let (_, timestamp_type) = stamp(batch, 0);
        Ok(Found { offset, timestamp, timestamp_type, length: size, crc: crc.finalize() })
    }

    fn write_large(
        &mut self,
        batch: &Batch<'_>,
        codec: Codec,
        found: &Found,
        (stream, length, room): (&mut Decompressing<'_, '_>, usize, usize),
    ) -> Result<(), DownConversionError> {
        let magic = self.magic;
        let head = overhead(magic);
        self.out.resize(head, 0);
        let cap = room.saturating_sub(head) as u64;
        let compressors = &mut self.scratch.compressors;
        let mut compressing =
            compressors.start_with_checksum(codec.into(), &mut self.out, cap, header_checksum(magic))?;
        let base = if magic == 1 { batch.header.base_offset.0 } else { 0 };
        let inner = found.offset.0.wrapping_sub(base);
        compressing.write(&inner.to_be_bytes())?;
        compressing.write(&(found.length as u32).to_be_bytes())?;
        compressing.write(&found.crc.to_be_bytes())?;
        covered(magic, batch, (stream, length), |piece| Ok(write(&mut compressing, piece)?))?;
        compressing.finish()?;
        let value = (self.out.len() - head) as u32;
        let body = (self.out.len() - LOG_OVERHEAD) as u32;
        let out = &mut self.out;
        out[..8].copy_from_slice(&found.offset.0.to_be_bytes());
        out[8..12].copy_from_slice(&body.to_be_bytes());
        out[16..18].copy_from_slice(&[magic as u8, attributes(magic, codec, found.timestamp_type)]);
        let fields = LOG_OVERHEAD + if magic == 0 { HEADER_V0 } else { HEADER_V1 };
        if magic == 1 {
            out[18..26].copy_from_slice(&found.timestamp.0.to_be_bytes());
        }
        out[fields..fields + 4].copy_from_slice(&(-1_i32).to_be_bytes());
        out[fields + 4..head].copy_from_slice(&value.to_be_bytes());
        let crc = crc32(&out[16..]);
        out[12..16].copy_from_slice(&crc.to_be_bytes());
        Ok(())
    }
}

fn write(compressing: &mut Compressing<'_>, piece: &[u8]) -> Result<(), CompressionError> {
    compressing.write(piece)
}

/// Shows what the checksum of the message covers that a record of `length` bytes becomes; its offset and timestamp.
fn covered(
    magic: i8,
    batch: &Batch<'_>,
    (stream, length): (&mut Decompressing<'_, '_>, usize),
    mut see: impl FnMut(&[u8]) -> Result<(), DownConversionError>,
) -> Result<(Offset, Timestamp), DownConversionError> {
    let end = stream.position() + length as u64;
    let wrong = RecordError::Length { length: length as i32 };
    stream.byte()?;
    let timestamp_delta = varint::read_i64(stream)?;
    let offset = batch.header.base_offset.plus(i64::from(varint::read_i32(stream)?));
    let (timestamp, timestamp_type) = stamp(batch, timestamp_delta);
    see(&[magic as u8, attributes(magic, Codec::None, timestamp_type)])?;
    if magic == 1 {
        see(&timestamp.0.to_be_bytes())?;
    }
    for _ in 0..2 {
        let field = varint::read_i32(stream)?;
        see(&field.max(-1).to_be_bytes())?;
        let field = usize::try_from(field).unwrap_or(0);
        if stream.position() + field as u64 > end {
            return Err(wrong.into());
        }
        stream.pass(field, &mut see)?;
    }
    // Headers have no place in a message.
    let left = end.checked_sub(stream.position()).ok_or(wrong)?;
    stream.skip(left as usize)?;
    Ok((offset, timestamp))
}
