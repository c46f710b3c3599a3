//! What one batch must be, whoever its producer is: header, records, timestamps, keys, and the codec it is kept in.
//!
//! An uncompressed batch is walked once where it lies. A compressed one is walked out of a stream. Only a batch
//! whose codec is not the topic's is written anew, into the scratch buffer.
//!
//! Nothing here asks the partition: whoever appends what takes long to validate ([`takes_long`]) does it before the batch's
//! turn at its log, and holds up nobody else there.

use protocol::id::Timestamp;
use protocol::offset::Offset;
use protocol::records::batch::{
    self, BATCH_LENGTH_MIN, BATCH_OVERHEAD, BatchError, BatchHeader, LOG_OVERHEAD, MAGIC_V2, TimestampType,
};
use protocol::records::compression::{Codec, Compression, CompressionError, walk_compressed};
use protocol::records::legacy::UpConverted;
use protocol::records::record::RecordError;
use protocol::records::walk::{Announced, Seen, SliceCursor, Walk, walk_cursor};

use crate::append::{Origin, Scratch};
use crate::refusal::{AppendRefusal, RecordRefusal, RecordRefusalReason};
use crate::rules::{AppendRules, CompressedValidation, CompressionTarget};

/// How many refused records an answer names.
const RECORD_REFUSALS_MAX: usize = 1000;

/// The smallest length any message format has, v0 with neither key nor value.
const LENGTH_MIN: i32 = 14;

/// Validating a batch takes long where it comes to going through so many bytes, as they are gone through uncompressed: about
/// a millisecond.
const LONG_BYTES: usize = 4 << 20;
/// A byte of a compressed batch stands for so many, which it unpacks to and which are unpacked.
const UNPACKED: usize = 32;
/// And for so many where the batch is compressed anew.
const COMPRESSED_ANEW: usize = 128;
/// To compress so many bytes anew takes long.
pub const LONG_ANEW_BYTES: usize = LONG_BYTES / COMPRESSED_ANEW;

/// A batch that may be appended, as far as that does not hang on its partition.
#[derive(Clone, Copy, Debug)]
pub struct Validated {
    /// As it came.
    pub(crate) header: BatchHeader,
    /// The largest timestamp of its records.
    pub(crate) max_timestamp: Timestamp,
    /// It stands in the scratch buffer, compressed anew.
    pub(crate) reencoded: bool,
}

/// Whether validating the batch in `bytes` will take long, by its header and length alone. What cannot be read does not.
pub fn takes_long(rules: &AppendRules, origin: Origin, bytes: &[u8]) -> bool {
    let Some(source) = codec(bytes) else { return false };
    let each = match rules.compression {
        CompressionTarget::Codec(target) if target.codec != source => COMPRESSED_ANEW,
        _ if matches!(origin, Origin::Converted(_)) => return false,
        _ if source == Codec::None => 1,
        _ if trusts_header(rules) => return false,
        _ => UNPACKED,
    };
    bytes.len() >= LONG_BYTES / each
}

/// The codec that the batch at the front of `bytes` names.
fn codec(bytes: &[u8]) -> Option<Codec> {
    BatchHeader::parse(bytes).ok()?.attributes.codec()
}

/// Whether nobody looks at the records of a batch that stays compressed as it is.
fn trusts_header(rules: &AppendRules) -> bool {
    rules.compressed_validation == CompressedValidation::Header && !rules.compacted
}

/// The header of the one batch that `bytes` begin with. What follows it may only be too little for another.
fn single_batch(bytes: &[u8], origin: Origin) -> Result<BatchHeader, AppendRefusal> {
    let size = framed(bytes)?.ok_or(AppendRefusal::NoBatch)?;
    match batch::magic(bytes) {
        Some(MAGIC_V2) => {}
        Some(magic) => return Err(AppendRefusal::OldFormat { magic }),
        None => return Err(AppendRefusal::NoBatch),
    }
    let header = BatchHeader::parse(&bytes[..size]).map_err(AppendRefusal::Framing)?;
    if let Origin::Client { zstd: false, .. } = origin
        && header.attributes.codec() == Some(Codec::Zstd)
    {
        return Err(AppendRefusal::ZstdTooEarly);
    }
    if framed(&bytes[size..])?.is_some() {
        return Err(AppendRefusal::MoreThanOneBatch);
    }
    Ok(header)
}

/// The size of the batch or message at the front of `bytes`; `None` where no whole one is left.
fn framed(bytes: &[u8]) -> Result<Option<usize>, AppendRefusal> {
    let Some(length) = bytes.get(8..LOG_OVERHEAD).and_then(<[u8]>::first_chunk) else { return Ok(None) };
    let length = i32::from_be_bytes(*length);
    if length < LENGTH_MIN {
        return Err(AppendRefusal::Framing(BatchError::Length { length }));
    }
    let Some(magic) = batch::magic(bytes) else { return Ok(None) };
    if !(0..=MAGIC_V2).contains(&magic) {
        return Err(AppendRefusal::Framing(BatchError::Magic { magic }));
    }
    if length > i32::MAX - LOG_OVERHEAD as i32 {
        return Err(AppendRefusal::Boundless { length });
    }
    let size = LOG_OVERHEAD + length as usize;
    Ok((size <= bytes.len()).then_some(size))
}

/// One batch under judgement.
struct Judged<'a> {
    rules: &'a AppendRules,
    now: Timestamp,
    header: &'a BatchHeader,
    /// Exactly the batch.
    bytes: &'a [u8],
    /// What is known of its records without a walk.
    converted: Option<UpConverted>,
    source: Codec,
    target: Compression,
}

/// Judges the one batch that `bytes` begin with. Changes nothing but the scratch buffer.
///
/// # Errors
/// What is wrong with it.
// Twice in the walk of a produce, and large.
#[inline(never)]
pub fn validate(
    rules: &AppendRules,
    origin: Origin,
    now: Timestamp,
    bytes: &[u8],
    scratch: &mut Scratch,
) -> Result<Validated, AppendRefusal> {
    let header = single_batch(bytes, origin)?;
    let bytes = &bytes[..header.size()];
    let from_client = !matches!(origin, Origin::Coordinator { .. });
    if from_client && header.base_offset != Offset::ZERO {
        return Err(AppendRefusal::BaseOffset { base_offset: header.base_offset });
    }
    let max = rules.max_message_bytes;
    if header.size() > max as usize {
        return Err(AppendRefusal::TooLarge { size: header.size() as u64, max });
    }
    let converted = match origin {
        Origin::Converted(converted) => Some(converted),
        Origin::Client { .. } | Origin::Coordinator { .. } => {
            batch::verify_crc(bytes, &header).map_err(AppendRefusal::Crc)?;
            None
        }
    };
    let unknown_codec = AppendRefusal::UnknownCodec { id: (header.attributes.0 & 7) as u8 };
    let source = header.attributes.codec().ok_or(unknown_codec)?;
    if from_client {
        check_client_header(&header)?;
    }
    let target = match rules.compression {
        // Markers are never compressed: every reader looks into them.
        CompressionTarget::Codec(target) if !header.attributes.is_control() => target,
        _ => Compression::from(source),
    };
    let judged = Judged { rules, now, header: &header, bytes, converted, source, target };
    let walked = judged.check_records(scratch)?;
    let reencoded = target.codec != source;
    let size = if reencoded { judged.reencode(scratch)? } else { header.size() };
    if size > rules.segment_bytes as usize {
        return Err(AppendRefusal::LargerThanSegment {
            size: size as u64,
            segment_bytes: rules.segment_bytes,
        });
    }
    let max_timestamp = walked.map_or(header.max_timestamp, |walk| walk.max_timestamp);
    Ok(Validated { header, max_timestamp, reencoded })
}

fn check_client_header(header: &BatchHeader) -> Result<(), AppendRefusal> {
    let (count, last_offset_delta) = (header.count, header.last_offset_delta);
    if count <= 0 || i64::from(last_offset_delta) + 1 != i64::from(count) {
        return Err(AppendRefusal::Count { count, last_offset_delta });
    }
    if header.attributes.is_control() {
        return Err(AppendRefusal::Control);
    }
    if header.has_producer_id() && header.base_sequence.0 < 0 {
        let (producer_id, sequence) = (header.producer_id, header.base_sequence);
        return Err(AppendRefusal::NegativeSequence { producer_id, sequence });
    }
    Ok(())
}

impl Judged<'_> {
    /// Walks the records; `None` where the topic trusts the header of a compressed batch.
    fn check_records(&self, scratch: &mut Scratch) -> Result<Option<Walk>, AppendRefusal> {
        let trusted =
            trusts_header(self.rules) && self.source != Codec::None && self.source == self.target.codec;
        if trusted {
            // Of timestamps there is the header's word only, so its largest stands for all.
            return match self.refused_timestamp(self.header.max_timestamp) {
                Some(reason) => Err(AppendRefusal::RecordsRefused(vec![RecordRefusal { index: 0, reason }])),
                None => Ok(None),
            };
        }
        let mut walk = match self.converted {
            Some(converted) => self.known(converted)?,
            None => self.walk(scratch, |_, _| {})?,
        };
        if self.stamped() {
            walk.max_timestamp = self.header.max_timestamp.max(Timestamp::NONE);
            walk.min_timestamp = Some(self.header.max_timestamp).filter(|&stamp| stamp != Timestamp::NONE);
        }
        let null_key = self.rules.compacted && walk.first_null_key.is_some();
        // Either bound is broken by the smallest or the largest timestamp, if by any.
        let earliest = walk.min_timestamp.unwrap_or(Timestamp::NONE);
        let out_of_bounds =
            [earliest, walk.max_timestamp].into_iter().any(|stamp| self.refused_timestamp(stamp).is_some());
        if null_key || out_of_bounds {
            return Err(self.refused_records(scratch)?);
        }
        if !walk.offsets_consecutive {
            return Err(AppendRefusal::OffsetDeltas);
        }
        Ok(Some(walk))
    }

    /// What a walk would come to.
    fn known(&self, UpConverted { walk, longest_record }: UpConverted) -> Result<Walk, AppendRefusal> {
        let max = self.rules.decompressed_record_bytes_max;
        if self.source != Codec::None && longest_record as u32 > max {
            return Err(AppendRefusal::Records(RecordError::TooLarge { length: longest_record, max }));
        }
        Ok(walk)
    }

    fn walk(&self, scratch: &mut Scratch, seen: impl FnMut(i32, Seen)) -> Result<Walk, AppendRefusal> {
        let payload = batch::payload(self.bytes, self.header);
        let mut announced = Announced {
            count: self.header.count,
            base_timestamp: self.header.base_timestamp,
            record_bytes_max: u32::MAX,
        };
        if self.source == Codec::None {
            let mut cursor = SliceCursor::new(payload);
            return walk_cursor(&mut cursor, announced, seen).map_err(AppendRefusal::Records);
        }
        announced.record_bytes_max = self.rules.decompressed_record_bytes_max;
        let cap = self.rules.decompressed_batch_bytes_max;
        let stream = scratch.decompressors.start(self.source, payload, cap);
        Ok(walk_compressed(&mut stream.map_err(AppendRefusal::Compression)?, announced, seen)?)
    }

    /// Walks once more, to name the records that the first walk has found to be there.
    fn refused_records(&self, scratch: &mut Scratch) -> Result<AppendRefusal, AppendRefusal> {
        let mut refusals = Vec::new();
        let mut late_timestamp = None;
        self.walk(scratch, |index, record| {
            let reason = if self.rules.compacted && !record.has_key {
                Some(RecordRefusalReason::NullKey)
            } else {
                self.refused_timestamp(self.timestamp(&record))
            };
            let Some(reason) = reason else { return };
            let refusal = RecordRefusal { index, reason };
            if refusals.len() < RECORD_REFUSALS_MAX {
                refusals.push(refusal);
            } else if reason.is_timestamp() {
                late_timestamp = Some(refusal);
            }
        })?;
        // The answer's code hangs on whether any timestamp is to blame, even one that is not among the named.
        if let (Some(late), Some(last)) = (late_timestamp, refusals.last_mut()) {
            *last = late;
        }
        Ok(AppendRefusal::RecordsRefused(refusals))
    }

    /// Whether the batch claims LogAppendTime. Its records then all have the header's timestamp.
    fn stamped(&self) -> bool {
        self.header.attributes.timestamp_type() == TimestampType::LogAppendTime
    }

    fn timestamp(&self, record: &Seen) -> Timestamp {
        if self.stamped() {
            return self.header.max_timestamp;
        }
        Timestamp(self.header.base_timestamp.0.wrapping_add(record.timestamp_delta))
    }

    fn refused_timestamp(&self, timestamp: Timestamp) -> Option<RecordRefusalReason> {
        let (rules, now) = (self.rules, self.now);
        if rules.timestamp_type == TimestampType::CreateTime && timestamp != Timestamp::NONE {
            let age = now.0.wrapping_sub(timestamp.0);
            let out = age > rules.timestamp_before_max.0 || age.wrapping_neg() > rules.timestamp_after_max.0;
            return out.then_some(RecordRefusalReason::Timestamp {
                timestamp,
                earliest: Timestamp(now.0.saturating_sub(rules.timestamp_before_max.0)),
                latest: Timestamp(now.0.saturating_add(rules.timestamp_after_max.0)),
            });
        }
        self.stamped().then_some(RecordRefusalReason::LogAppendTime)
    }

    /// Writes the batch with the topic's codec into the scratch buffer; says how many bytes it takes.
    fn reencode(&self, scratch: &mut Scratch) -> Result<usize, AppendRefusal> {
        let max = self.rules.max_message_bytes;
        let too_large = |error| match error {
            CompressionError::TooLarge { cap } => {
                AppendRefusal::TooLarge { size: cap + BATCH_OVERHEAD as u64 + 1, max }
            }
            corrupt @ CompressionError::Corrupt { .. } => AppendRefusal::Compression(corrupt),
        };
        let Scratch { decompressors, compressors, reencoded } = scratch;
        reencoded.clear();
        reencoded.resize(BATCH_OVERHEAD, 0);
        let room = u64::from(max).saturating_sub(BATCH_OVERHEAD as u64);
        let mut compressing = compressors.start(self.target, reencoded, room).map_err(too_large)?;
        let payload = batch::payload(self.bytes, self.header);
        let cap = self.rules.decompressed_batch_bytes_max;
        let mut stream =
            decompressors.start(self.source, payload, cap).map_err(AppendRefusal::Compression)?;
        loop {
            let step = stream.next_step().map_err(AppendRefusal::Compression)?;
            if step.is_empty() {
                break;
            }
            compressing.write(step).map_err(too_large)?;
        }
        compressing.finish().map_err(too_large)?;
        let mut anew = *self.header;
        anew.length = BATCH_LENGTH_MIN + (reencoded.len() - BATCH_OVERHEAD) as u32;
        anew.attributes = anew.attributes.with_codec(self.target.codec).with_delete_horizon(false);
        reencoded[..BATCH_OVERHEAD].copy_from_slice(&anew.write());
        batch::seal(reencoded);
        Ok(reencoded.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CLIENT, PLAIN, Sent};

    /// A batch whose header is true but for what follows it, of so many bytes.
    fn of(codec: Codec, bytes: usize) -> Vec<u8> {
        let mut batch = Sent { codec, ..PLAIN }.bytes();
        batch.resize(bytes, 0);
        let length = i32::try_from(bytes - LOG_OVERHEAD).unwrap();
        batch[8..LOG_OVERHEAD].copy_from_slice(&length.to_be_bytes());
        batch
    }

    #[test]
    fn what_takes_long_is_large_or_unpacked_or_packed_anew() {
        let as_sent = AppendRules::default();
        let long = |rules: &AppendRules, codec, bytes| takes_long(rules, CLIENT, &of(codec, bytes));
        for (codec, bound) in [(Codec::None, 4 << 20), (Codec::Lz4, 128 << 10)] {
            assert!(!long(&as_sent, codec, bound - 1) && long(&as_sent, codec, bound), "{codec:?}");
        }
        let zstd = Compression::from(Codec::Zstd);
        let anew = AppendRules { compression: CompressionTarget::Codec(zstd), ..as_sent };
        for codec in [Codec::None, Codec::Lz4] {
            assert!(!long(&anew, codec, (32 << 10) - 1) && long(&anew, codec, 32 << 10), "{codec:?}");
        }
        assert!(!long(&anew, Codec::Zstd, (128 << 10) - 1) && long(&anew, Codec::Zstd, 128 << 10));
        let by_header = AppendRules { compressed_validation: CompressedValidation::Header, ..as_sent };
        assert!(!long(&by_header, Codec::Lz4, 8 << 20), "nobody looks inside");
        assert!(
            long(&AppendRules { compacted: true, ..by_header }, Codec::Lz4, 8 << 20),
            "for keys one does"
        );
        assert!(!takes_long(&as_sent, CLIENT, b"no batch"));
    }
}
