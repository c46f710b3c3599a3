//! Building v2 batches: what coordinators, the quorum, compaction and tests write. The hot path never does; it
//! patches what producers sent.

use super::batch::{Attributes, BATCH_LENGTH_MIN, BATCH_OVERHEAD, BatchHeader, TimestampType, seal};
use super::compression::{Compression, CompressionError, Compressors};
use super::record::Header;
use super::varint;
use crate::id::{LeaderEpoch, ProducerEpoch, ProducerId, Sequence, Timestamp};
use crate::offset::Offset;

/// Everything about a batch but its records. The default is a plain batch of nobody at offset 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchOptions {
    /// Codec and level.
    pub compression: Compression,
    /// The first record's offset.
    pub base_offset: Offset,
    /// The leader's epoch.
    pub leader_epoch: LeaderEpoch,
    /// The stamp of every record, where the topic has LogAppendTime.
    pub log_append_time: Option<Timestamp>,
    /// The producer, its epoch and the first record's sequence.
    pub producer: (ProducerId, ProducerEpoch, Sequence),
    /// Part of a transaction.
    pub transactional: bool,
    /// Holding control records.
    pub control: bool,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            compression: Compression::default(),
            base_offset: Offset::ZERO,
            leader_epoch: LeaderEpoch::NONE,
            log_append_time: None,
            producer: (ProducerId::NONE, ProducerEpoch::NONE, Sequence::NONE),
            transactional: false,
            control: false,
        }
    }
}

/// A batch that is being filled.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    options: BatchOptions,
    /// Room for the header, then the records uncompressed.
    bytes: Vec<u8>,
    count: i32,
    last_offset_delta: i32,
    base_timestamp: Timestamp,
    max_timestamp: Timestamp,
}

impl BatchBuilder {
    /// An empty batch.
    pub fn new(options: BatchOptions) -> Self {
        Self {
            options,
            bytes: vec![0; BATCH_OVERHEAD],
            count: 0,
            last_offset_delta: -1,
            base_timestamp: Timestamp::NONE,
            max_timestamp: Timestamp::NONE,
        }
    }

    /// Adds a record at the next offset.
    pub fn push(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> &mut Self {
        self.push_at(self.last_offset_delta + 1, timestamp, key, value, headers)
    }

    /// Adds a record at this place behind the base offset, which must be behind all others: compaction leaves gaps.
    pub fn push_at(
        &mut self,
        offset_delta: i32,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> &mut Self {
        assert!(offset_delta > self.last_offset_delta, "offsets within a batch only go up");
        if self.count == 0 {
            self.base_timestamp = timestamp;
        }
        let timestamp_delta = timestamp.0.wrapping_sub(self.base_timestamp.0);
        let headers = (headers.len(), headers.iter().copied());
        write_record((offset_delta, timestamp_delta), (key, value), headers, &mut self.bytes);
        self.count += 1;
        self.last_offset_delta = offset_delta;
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self
    }

    /// How many records there are.
    pub fn count(&self) -> i32 {
        self.count
    }

    /// The bytes of the batch as long as nothing is compressed.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The finished batch, header sealed.
    pub fn finish(mut self, compressors: &mut Compressors) -> Result<Vec<u8>, CompressionError> {
        let options = self.options;
        if options.compression.codec != super::compression::Codec::None {
            let mut compressed = vec![0; BATCH_OVERHEAD];
            compressors.compress(options.compression, &self.bytes[BATCH_OVERHEAD..], &mut compressed)?;
            self.bytes = compressed;
        }
        let timestamp_type = match options.log_append_time {
            Some(_) => TimestampType::LogAppendTime,
            None => TimestampType::CreateTime,
        };
        let (producer_id, producer_epoch, base_sequence) = options.producer;
        let header = BatchHeader {
            base_offset: options.base_offset,
            length: BATCH_LENGTH_MIN + (self.bytes.len() - BATCH_OVERHEAD) as u32,
            leader_epoch: options.leader_epoch,
            crc: 0,
            attributes: Attributes::default()
                .with_codec(options.compression.codec)
                .with_timestamp_type(timestamp_type)
                .with_transactional(options.transactional)
                .with_control(options.control),
            last_offset_delta: self.last_offset_delta,
            base_timestamp: self.base_timestamp,
            max_timestamp: options.log_append_time.unwrap_or(self.max_timestamp),
            producer_id,
            producer_epoch,
            base_sequence,
            count: self.count,
        };
        self.bytes[..BATCH_OVERHEAD].copy_from_slice(&header.write());
        seal(&mut self.bytes);
        Ok(self.bytes)
    }

    /// The finished batch, where the options name no codec.
    pub fn finish_uncompressed(self) -> Vec<u8> {
        assert_eq!(
            self.options.compression.codec,
            super::compression::Codec::None,
            "the options name a codec"
        );
        self.finish(&mut Compressors::default()).expect("nothing is compressed, so nothing can fail")
    }
}

/// Appends a record, its length first.
pub(super) fn write_record<'a>(
    (offset_delta, timestamp_delta): (i32, i64),
    (key, value): (Option<&[u8]>, Option<&[u8]>),
    (header_count, headers): (usize, impl Iterator<Item = Header<'a>> + Clone),
    out: &mut Vec<u8>,
) {
    let headers_size: usize =
        headers.clone().map(|header| field_size(Some(header.key)) + field_size(header.value)).sum();
    let size = 1
        + varint::size_of(timestamp_delta)
        + varint::size_of(i64::from(offset_delta))
        + field_size(key)
        + field_size(value)
        + varint::size_of(header_count as i64)
        + headers_size;
    varint::write_i32(size as i32, out);
    out.push(0);
    varint::write_i64(timestamp_delta, out);
    varint::write_i32(offset_delta, out);
    write_field(key, out);
    write_field(value, out);
    varint::write_i32(header_count as i32, out);
    for header in headers {
        write_field(Some(header.key), out);
        write_field(header.value, out);
    }
}

fn field_size(field: Option<&[u8]>) -> usize {
    match field {
        Some(field) => varint::size_of(field.len() as i64) + field.len(),
        None => 1,
    }
}

fn write_field(field: Option<&[u8]>, out: &mut Vec<u8>) {
    match field {
        Some(field) => {
            varint::write_i32(field.len() as i32, out);
            out.extend_from_slice(field);
        }
        None => varint::write_i32(-1, out),
    }
}
