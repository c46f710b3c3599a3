//! Message sets to v2 batches, as a produce of an old version needs it.
//!
//! Records pass from the old form into the new one piece by piece, compressed ones out of one stream and into
//! another: what is in memory is the result and a step of each stream, however much there is inside.

use super::message::Message;
use super::wrapped::{Head, Part, Wrapped};
use super::{LegacyError, LegacyScratch, Messages};
use crate::id::{LeaderEpoch, ProducerEpoch, ProducerId, Sequence, Timestamp};
use crate::offset::Offset;
use crate::records::batch::{self, Attributes, BATCH_LENGTH_MIN, BATCH_OVERHEAD, BatchHeader, TimestampType};
use crate::records::compression::{Codec, Compressing, Compression, CompressionError, Compressors};
use crate::records::varint;
use crate::records::walk::Walk;

/// What a set may be, and what is to become of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UpConversion {
    /// The codec of the batch; `None` for that of the set.
    pub compression: Option<Compression>,
    /// The bytes that a message and the batch may take at most.
    pub message_bytes_max: u32,
    /// The bytes that all messages inside a compressed one may take.
    pub decompressed_bytes_max: u64,
}

/// What is known of a batch because its records have just been written: nobody needs to unpack it again to learn it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UpConverted {
    /// What a walk over its records would see.
    pub walk: Walk,
    /// The length of the longest of them.
    pub longest_record: i32,
}

/// Writes the set in `bytes` as one v2 batch at offset 0 to the end of `out`. Offsets are counted anew, timestamps
/// stay, and those of v0 are none. Nothing is written, and `None` the answer, for an empty set; nor after an error. A
/// message that is cut off at the end is left out.
pub fn convert_to_v2(
    bytes: &[u8],
    conversion: &UpConversion,
    scratch: &mut LegacyScratch,
    compressors: &mut Compressors,
    out: &mut Vec<u8>,
) -> Result<Option<UpConverted>, LegacyError> {
    let start = out.len();
    let converted = match Survey::of(bytes, conversion)? {
        Some(survey) => convert(bytes, &survey, (conversion, scratch, compressors), out).map(Some),
        None => Ok(None),
    };
    if converted.is_err() {
        out.truncate(start);
    }
    converted
}

/// What a walk over the messages, without looking into a wrapper, has found.
struct Survey {
    codec: Codec,
    stamped: bool,
}

impl Survey {
    /// `None` for an empty set. As in Kafka, sizes and checksums are judged before formats.
    fn of(bytes: &[u8], conversion: &UpConversion) -> Result<Option<Self>, LegacyError> {
        let mut messages = Messages::new(bytes);
        let mut first: Option<Message<'_>> = None;
        let (mut count, mut codec, mut stamped) = (0_usize, Codec::None, false);
        let mut other_magic = None;
        while let Some(message) = messages.next_message()? {
            if message.size() > conversion.message_bytes_max as usize {
                let (size, max) = (message.size() as u64, conversion.message_bytes_max);
                return Err(LegacyError::TooLarge { size, max });
            }
            message.verify_crc()?;
            let first = first.get_or_insert(message);
            if message.magic != first.magic {
                other_magic.get_or_insert(message.magic);
            }
            count += 1;
            codec = Some(message.codec()?).filter(|codec| *codec != Codec::None).unwrap_or(codec);
            stamped |= message.timestamp_type() == TimestampType::LogAppendTime;
        }
        if let Some(magic) = other_magic {
            return Err(LegacyError::Magic { magic });
        }
        // A compressed set is one wrapper and nothing beside it, so that the cap bounds all there is to unpack.
        if codec != Codec::None && count > 1 {
            return Err(LegacyError::Wrapper);
        }
        Ok(first.map(|_| Self { codec, stamped }))
    }
}

fn convert(
    bytes: &[u8],
    survey: &Survey,
    (conversion, scratch, compressors): (&UpConversion, &mut LegacyScratch, &mut Compressors),
    out: &mut Vec<u8>,
) -> Result<UpConverted, LegacyError> {
    let start = out.len();
    out.resize(start + BATCH_OVERHEAD, 0);
    let compression = conversion.compression.unwrap_or(survey.codec.into());
    let max = conversion.message_bytes_max;
    let room = u64::from(max).saturating_sub(BATCH_OVERHEAD as u64);
    let too_large = |error| match error {
        CompressionError::TooLarge { cap } => {
            LegacyError::TooLarge { size: cap + BATCH_OVERHEAD as u64 + 1, max }
        }
        corrupt @ CompressionError::Corrupt { .. } => LegacyError::Compression(corrupt),
    };
    let compressing = compressors.start(compression, out, room).map_err(too_large)?;
    let mut writer = RecordWriter::new(compressing, &mut scratch.key);
    let mut messages = Messages::new(bytes);
    while let Some(message) = messages.next_message()? {
        let mut last = None;
        let mut write = |part: Part<'_>| {
            if let Part::Head(head) = part {
                check_timestamp(head.timestamp)?;
                last = Some(head.offset);
            }
            writer.part(part).map_err(too_large)
        };
        if survey.codec == Codec::None {
            message.parts(write)?;
            continue;
        }
        let cap = conversion.decompressed_bytes_max;
        let mut wrapped = Wrapped::open(&mut scratch.decompressors, &message, cap)?;
        while wrapped.next_message(&mut write)? {}
        let last = last.ok_or(LegacyError::Wrapper)?;
        // Some old clients leave it at 0. Any other says where the last message inside is to be.
        if message.magic == 1 && message.offset != Offset::ZERO && message.offset < last {
            return Err(LegacyError::WrapperOffset { wrapper: message.offset, last });
        }
    }
    let (header, converted) = writer.finish(compression.codec, survey.stamped).map_err(too_large)?;
    let header =
        BatchHeader { length: BATCH_LENGTH_MIN + (out.len() - start - BATCH_OVERHEAD) as u32, ..header };
    out[start..start + BATCH_OVERHEAD].copy_from_slice(&header.write());
    batch::seal(&mut out[start..]);
    Ok(converted)
}

/// Readers, and Kafka where it writes a batch anew, take no time below that for none.
fn check_timestamp(timestamp: Timestamp) -> Result<(), LegacyError> {
    if timestamp < Timestamp::NONE { Err(LegacyError::Timestamp { timestamp }) } else { Ok(()) }
}

/// Writes the records of a v2 batch out of the parts of messages.
struct RecordWriter<'c, 'h> {
    compressing: Compressing<'c>,
    head: &'h mut Vec<u8>,
    count: i32,
    value: usize,
    base_timestamp: Timestamp,
    converted: UpConverted,
}

impl<'c, 'h> RecordWriter<'c, 'h> {
    fn new(compressing: Compressing<'c>, head: &'h mut Vec<u8>) -> Self {
        let walk = Walk {
            max_timestamp: Timestamp::NONE,
            max_timestamp_index: -1,
            min_timestamp: None,
            first_null_key: None,
            offsets_consecutive: true,
            bytes: 0,
        };
        let converted = UpConverted { walk, longest_record: 0 };
        Self { compressing, head, count: 0, value: 0, base_timestamp: Timestamp::NONE, converted }
    }

    fn part(&mut self, part: Part<'_>) -> Result<(), CompressionError> {
        match part {
            Part::Head(head) => self.begin(&head),
            Part::Key(piece) | Part::Piece(piece) => self.compressing.write(piece),
            Part::Value(present) => {
                self.head.clear();
                let length = if present { self.value as i32 } else { -1 };
                varint::write_i32(length, self.head);
                self.compressing.write(self.head)?;
                if self.value == 0 { self.compressing.write(&NO_HEADERS) } else { Ok(()) }
            }
        }?;
        // The last byte of a record is its count of headers, which comes behind the last piece of the value.
        if let Part::Piece(piece) = part
            && !piece.is_empty()
        {
            self.value -= piece.len();
            if self.value == 0 {
                return self.compressing.write(&NO_HEADERS);
            }
        }
        Ok(())
    }

    fn begin(&mut self, head: &Head) -> Result<(), CompressionError> {
        if self.count == 0 {
            self.base_timestamp = head.timestamp;
        }
        let timestamp_delta = head.timestamp.0.wrapping_sub(self.base_timestamp.0);
        let key = head.key.map_or(1, |key| varint::size_of(key as i64) + key);
        let value = varint::size_of(head.value as i64) + head.value;
        let size = 1
            + varint::size_of(timestamp_delta)
            + varint::size_of(i64::from(self.count))
            + key
            + value
            + NO_HEADERS.len();
        self.head.clear();
        self.note(head, size);
        // A message came with its length in 31 bits, of which these fields took more.
        varint::write_i32(size as i32, self.head);
        self.head.push(0);
        varint::write_i64(timestamp_delta, self.head);
        varint::write_i32(self.count, self.head);
        varint::write_i32(head.key.map_or(-1, |key| key as i32), self.head);
        self.count += 1;
        self.value = head.value;
        self.compressing.write(self.head)
    }

    fn note(&mut self, head: &Head, size: usize) {
        let UpConverted { walk, longest_record } = &mut self.converted;
        let timestamp = head.timestamp;
        if timestamp > walk.max_timestamp {
            walk.max_timestamp = timestamp;
            walk.max_timestamp_index = self.count;
        }
        if timestamp != Timestamp::NONE {
            walk.min_timestamp = Some(walk.min_timestamp.map_or(timestamp, |min| min.min(timestamp)));
        }
        if head.key.is_none() {
            walk.first_null_key.get_or_insert(self.count);
        }
        walk.bytes += (varint::size_of(size as i64) + size) as u64;
        *longest_record = (*longest_record).max(size as i32);
    }

    /// Ends the payload; everything about the batch but its length and checksum, and about its records.
    fn finish(self, codec: Codec, stamped: bool) -> Result<(BatchHeader, UpConverted), CompressionError> {
        let Self { compressing, count, base_timestamp, converted, .. } = self;
        compressing.finish()?;
        let timestamp_type = if stamped { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
        let header = BatchHeader {
            base_offset: Offset::ZERO,
            length: 0,
            leader_epoch: LeaderEpoch::NONE,
            crc: 0,
            attributes: Attributes::default().with_codec(codec).with_timestamp_type(timestamp_type),
            last_offset_delta: count - 1,
            base_timestamp,
            max_timestamp: converted.walk.max_timestamp,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            base_sequence: Sequence::NONE,
            count,
        };
        Ok((header, converted))
    }
}

/// The count of headers at the end of a record that has none.
const NO_HEADERS: [u8; 1] = [0];
