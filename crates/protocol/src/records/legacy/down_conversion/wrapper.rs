//! Compressed messages: as many as a compressed batch needs, each with what fits into a step.

use super::{Converted, DownConversion, DownConversionError, attributes, message_size, write_message};
use crate::id::Timestamp;
use crate::offset::Offset;
use crate::records::batch::TimestampType;
use crate::records::batches::Batch;
use crate::records::compression::{Codec, Decompressors};
use crate::records::legacy::header_checksum;
use crate::records::record::{Record, RecordError};
use crate::records::varint;

/// The most that one compressed message unpacks to, unless a single record takes more.
const UNPACKED_MAX: usize = 1 << 20;

/// The messages of a wrapper to come, not yet compressed.
#[derive(Default)]
pub(super) struct Begun {
    set: Vec<u8>,
    /// From where offsets count in a v1 wrapper: the front of the batch, whatever of it goes into which wrapper.
    base: Offset,
    last: Offset,
    timestamp_type: TimestampType,
    max_timestamp: Timestamp,
}

impl Begun {
    /// Nothing yet of what counts its offsets from here.
    fn of(base: Offset) -> Self {
        Self { base, ..Self::default() }
    }

    fn take(&mut self) -> Self {
        let next = Self::of(self.base);
        std::mem::replace(self, next)
    }
}

impl DownConversion<'_> {
    /// A compressed batch.
    pub(super) fn wrappers(&mut self, batch: &Batch<'_>, codec: Codec) -> Result<(), DownConversionError> {
        let mut decompressors = std::mem::take(&mut self.scratch.decompressors);
        let mut record = std::mem::take(&mut self.scratch.record);
        let written = self.unpack(batch, codec, &mut decompressors, &mut record);
        (self.scratch.decompressors, self.scratch.record) = (decompressors, record);
        written
    }

    fn unpack(
        &mut self,
        batch: &Batch<'_>,
        codec: Codec,
        decompressors: &mut Decompressors,
        record: &mut Vec<u8>,
    ) -> Result<(), DownConversionError> {
        let header = &batch.header;
        let mut stream = decompressors.start(codec, batch.payload(), self.decompressed_bytes_max)?;
        let mut begun = Begun::of(header.base_offset);
        for _ in 0..header.count {
            if self.full {
                return Ok(());
            }
            let length = varint::read_i32(&mut stream)?;
            let length = usize::try_from(length).map_err(|_| RecordError::Length { length })?;
            if length > UNPACKED_MAX {
                self.end_wrapper(begun.take(), codec)?;
                self.large(batch, codec, (&mut stream, length))?;
                continue;
            }
            record.clear();
            stream.copy_to(length, record)?;
            let read = Record::read_body(record)?;
            let offset = header.base_offset.plus(i64::from(read.offset_delta));
            if offset >= self.from {
                let (timestamp, timestamp_type) = stamp(batch, read.timestamp_delta);
                let (key, value) = (read.key, read.value);
                self.wrap(&mut begun, codec, &Converted { offset, timestamp, timestamp_type, key, value })?;
            }
        }
        self.end_wrapper(begun, codec)
    }

    /// Adds a record to the wrapper to come; one that is full goes into the set first.
    pub(super) fn wrap(
        &mut self,
        begun: &mut Begun,
        codec: Codec,
        record: &Converted<'_>,
    ) -> Result<(), DownConversionError> {
        let size = message_size(self.magic, record.key, record.value);
        let most = UNPACKED_MAX.min(self.room.bytes.saturating_sub(self.out.len()));
        if !begun.set.is_empty() && begun.set.len() + size > most {
            self.end_wrapper(begun.take(), codec)?;
            if self.full {
                return Ok(());
            }
        }
        if begun.set.is_empty() {
            begun.timestamp_type = record.timestamp_type;
            begun.max_timestamp = Timestamp::NONE;
        }
        begun.last = record.offset;
        begun.max_timestamp = begun.max_timestamp.max(record.timestamp);
        // Only inside a v1 wrapper do they count from the front. Readers take the last of them from the wrapper's own offset; some of
        // 2016 take them as they are, to see what they know already.
        let offset =
            if self.magic == 1 { Offset(record.offset.0.wrapping_sub(begun.base.0)) } else { record.offset };
        let attributes = attributes(self.magic, Codec::None, record.timestamp_type);
        let fields = (record.key, record.value);
        write_message(self.magic, attributes, offset, record.timestamp, fields, &mut begun.set);
        Ok(())
    }

    /// Compresses what was begun and puts it into the set, if it has room.
    pub(super) fn end_wrapper(&mut self, begun: Begun, codec: Codec) -> Result<(), DownConversionError> {
        if begun.set.is_empty() || self.full {
            return Ok(());
        }
        let magic = self.magic;
        let mut packed = Vec::new();
        let compressors = &mut self.scratch.compressors;
        let checksum = header_checksum(magic);
        let mut compressing =
            compressors.start_with_checksum(codec.into(), &mut packed, i32::MAX as u64, checksum)?;
        compressing.write(&begun.set)?;
        compressing.finish()?;
        let attributes = attributes(magic, codec, begun.timestamp_type);
        self.put(message_size(magic, None, Some(&packed)), |out| {
            let fields = (None, Some(&packed[..]));
            write_message(magic, attributes, begun.last, begun.max_timestamp, fields, out);
        });
        Ok(())
    }
}

/// A record's timestamp and whose clock it comes from.
pub(super) fn stamp(batch: &Batch<'_>, delta: i64) -> (Timestamp, TimestampType) {
    let header = &batch.header;
    let timestamp_type = header.attributes.timestamp_type();
    let timestamp = match timestamp_type {
        TimestampType::LogAppendTime => header.max_timestamp,
        TimestampType::CreateTime => Timestamp(header.base_timestamp.0.wrapping_add(delta)),
    };
    (timestamp, timestamp_type)
}
