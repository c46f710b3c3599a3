//! Reading the records of a stored batch one at a time, and building the batch anew from some of them: what compaction
//! does (KIP-58, KIP-98, KIP-534).
//!
//! Both stream. Of a compressed batch one record at a time is in memory, however much the whole would take, and a
//! rebuilt one is compressed as its records come. Which records stay is decided elsewhere.

use thiserror::Error;

use super::batch::{Attributes, BATCH_LENGTH_MIN, BATCH_OVERHEAD, BatchHeader, TimestampType, seal};
use super::batches::Batch;
use super::build::write_record;
use super::compression::{
    Codec, CompressedError, Compressing, Compression, CompressionError, Compressors, Decompressing,
    Decompressors,
};
use super::record::{Record, RecordError, Records};
use super::varint;
use super::walk::Cursor;
use crate::id::Timestamp;

/// Why the records of a stored batch cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ReadRecordsError {
    /// The batch names no codec there is.
    #[error("the batch names a codec that does not exist")]
    UnknownCodec,
    /// The records, or the stream they lie in, are broken.
    #[error(transparent)]
    Records(#[from] CompressedError),
}

impl From<CompressionError> for ReadRecordsError {
    fn from(error: CompressionError) -> Self {
        Self::Records(error.into())
    }
}

/// What reading records reuses from batch to batch. Belongs to one thread at a time.
#[derive(Default)]
pub struct RecordReader {
    decompressors: Decompressors,
    /// The record at hand, where it had to be put together from steps of a stream.
    record: Vec<u8>,
}

/// Larger records than this give their buffer back.
const KEPT_RECORD_BYTES_MAX: usize = 1 << 20;

impl RecordReader {
    /// Shows every record of the batch, in order. Output of a codec past `cap` bytes is refused.
    pub fn each(
        &mut self,
        batch: &Batch<'_>,
        cap: u64,
        mut see: impl FnMut(&Record<'_>) -> Result<(), ReadRecordsError>,
    ) -> Result<(), ReadRecordsError> {
        let count = batch.header.count;
        match batch.header.attributes.codec().ok_or(ReadRecordsError::UnknownCodec)? {
            // A batch without records has no stream either, whatever codec it names.
            _ if count == 0 && batch.payload().is_empty() => Ok(()),
            Codec::None => {
                for record in Records::new(batch.payload(), count) {
                    see(&record.map_err(CompressedError::from)?)?;
                }
                Ok(())
            }
            codec => {
                if self.record.capacity() > KEPT_RECORD_BYTES_MAX {
                    self.record = Vec::new();
                }
                let stream = self.decompressors.start(codec, batch.payload(), cap);
                each_of(&mut stream.map_err(CompressedError::from)?, count, &mut self.record, &mut see)
            }
        }
    }
}

fn each_of(
    stream: &mut Decompressing<'_, '_>,
    count: i32,
    buffer: &mut Vec<u8>,
    see: &mut impl FnMut(&Record<'_>) -> Result<(), ReadRecordsError>,
) -> Result<(), ReadRecordsError> {
    for _ in 0..count {
        let length = varint::read_i32(stream)?;
        let whole =
            usize::try_from(length).map_err(|_| CompressedError::from(RecordError::Length { length }))?;
        if let Some(piece) = stream.piece(whole) {
            see(&Record::read_body(piece).map_err(CompressedError::from)?)?;
            continue;
        }
        buffer.clear();
        stream.copy_to(whole, buffer)?;
        see(&Record::read_body(buffer).map_err(CompressedError::from)?)?;
    }
    match stream.trailing()? {
        0 => Ok(()),
        bytes => Err(CompressedError::from(RecordError::Trailing { bytes }).into()),
    }
}

/// What a rebuilt batch has from the one it was, and what is new about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rebuild {
    /// The header of the batch it was: offsets, epoch, producer, codec and bits stay.
    pub header: BatchHeader,
    /// Until when its tombstones and markers are kept at least; it then stands in place of the base timestamp.
    pub delete_horizon: Option<Timestamp>,
}

/// A batch that is being built anew at the end of a buffer.
pub struct Rebuilding<'c> {
    rebuild: Rebuild,
    stream: Compressing<'c>,
    start: usize,
    base_timestamp: Option<Timestamp>,
    max_timestamp: Timestamp,
    count: i32,
    record: Vec<u8>,
}

impl Rebuild {
    /// Starts at the end of `out`.
    pub fn start<'c>(
        self,
        compressors: &'c mut Compressors,
        out: &'c mut Vec<u8>,
    ) -> Result<Rebuilding<'c>, CompressionError> {
        let start = out.len();
        out.resize(start + BATCH_OVERHEAD, 0);
        let codec = self.header.attributes.codec().unwrap_or(Codec::None);
        let stream = compressors.start(Compression::from(codec), out, u64::MAX)?;
        Ok(Rebuilding {
            rebuild: self,
            stream,
            start,
            base_timestamp: self.delete_horizon,
            max_timestamp: Timestamp::NONE,
            count: 0,
            record: Vec::new(),
        })
    }

    /// Adds the batch without any record to the end of `out`: it keeps the last sequence of a producer, or the last
    /// offset of what was compacted.
    pub fn empty(self, out: &mut Vec<u8>) {
        let start = out.len();
        let attributes = self.header.attributes;
        let header = BatchHeader {
            length: BATCH_LENGTH_MIN,
            crc: 0,
            attributes: attributes.with_codec(Codec::None).with_delete_horizon(false),
            base_timestamp: Timestamp::NONE,
            count: 0,
            ..self.header
        };
        out.extend_from_slice(&header.write());
        seal(&mut out[start..]);
    }
}

impl Rebuilding<'_> {
    /// Adds a record of this absolute timestamp, which has kept its place behind the base offset.
    pub fn push(&mut self, timestamp: Timestamp, record: &Record<'_>) -> Result<(), CompressionError> {
        let base = *self.base_timestamp.get_or_insert(timestamp);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.count += 1;
        self.record.clear();
        let delta = timestamp.0.wrapping_sub(base.0);
        let headers = (record.headers.len(), record.headers.iter());
        write_record((record.offset_delta, delta), (record.key, record.value), headers, &mut self.record);
        self.stream.write(&self.record)
    }

    /// Ends the batch, header sealed.
    pub fn finish(self) -> Result<(), CompressionError> {
        let Rebuild { header, delete_horizon } = self.rebuild;
        let out = self.stream.finish_into()?;
        let stamped = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
        let attributes: Attributes = header.attributes.with_delete_horizon(delete_horizon.is_some());
        let header = BatchHeader {
            length: BATCH_LENGTH_MIN + (out.len() - self.start - BATCH_OVERHEAD) as u32,
            crc: 0,
            attributes,
            base_timestamp: self.base_timestamp.unwrap_or(Timestamp::NONE),
            max_timestamp: if stamped { header.max_timestamp } else { self.max_timestamp },
            count: self.count,
            ..header
        };
        out[self.start..self.start + BATCH_OVERHEAD].copy_from_slice(&header.write());
        seal(&mut out[self.start..]);
        Ok(())
    }
}

/// The timestamp of a record of this batch: the leader's stamp counts for all of them where there is one.
pub fn timestamp_of(header: &BatchHeader, record: &Record<'_>) -> Timestamp {
    match header.attributes.timestamp_type() {
        TimestampType::LogAppendTime => header.max_timestamp,
        TimestampType::CreateTime => Timestamp(header.base_timestamp.0.wrapping_add(record.timestamp_delta)),
    }
}

/// A record by itself, as a message of the older formats holds it.
pub fn plain_record<'a>(offset_delta: i32, key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Record<'a> {
    Record { attributes: 0, timestamp_delta: 0, offset_delta, key, value, headers: Default::default() }
}

#[cfg(test)]
mod tests;
