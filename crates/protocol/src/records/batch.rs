//! The 61-byte header in front of every v2 batch: read, checked, and patched in place.
//!
//! Base offset, length and leader epoch lie outside the CRC, so a broker may assign offsets and epochs without
//! touching it; stamping LogAppendTime is the one patch that recomputes it (KIP-32, KIP-98, KIP-101, KIP-534).

use thiserror::Error;

use super::checksum::crc32c;
use super::compression::Codec;
use crate::id::{LeaderEpoch, ProducerEpoch, ProducerId, Sequence, Timestamp};
use crate::offset::{LastOffset, Offset};

/// The bytes of base offset and length, which stand before every batch and every message of a set.
pub const LOG_OVERHEAD: usize = 12;

/// The bytes of a v2 header, base offset and length included.
pub const BATCH_OVERHEAD: usize = 61;

/// The smallest value of the length field: the header's rest, without any record.
pub const BATCH_LENGTH_MIN: u32 = (BATCH_OVERHEAD - LOG_OVERHEAD) as u32;

/// The format this module reads.
pub const MAGIC_V2: i8 = 2;

const LENGTH_AT: usize = 8;
const LEADER_EPOCH_AT: usize = 12;
pub(super) const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const LAST_OFFSET_DELTA_AT: usize = 23;
const BASE_TIMESTAMP_AT: usize = 27;
const MAX_TIMESTAMP_AT: usize = 35;
const PRODUCER_ID_AT: usize = 43;
const PRODUCER_EPOCH_AT: usize = 51;
const BASE_SEQUENCE_AT: usize = 53;
const COUNT_AT: usize = 57;

/// Why bytes are not a v2 batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BatchError {
    /// The slice ends before the batch does.
    #[error("the batch needs {needed} bytes and only {available} are there")]
    Truncated {
        /// Bytes the header, or the batch it announces, takes.
        needed: usize,
        /// Bytes in the slice.
        available: usize,
    },
    /// The length field is below the 49 bytes that a v2 header takes after it.
    #[error("the batch length {length} is below the {BATCH_LENGTH_MIN} bytes of its own header")]
    Length {
        /// The length read.
        length: i32,
    },
    /// Another format than v2.
    #[error("the batch has magic {magic}, and 2 is what is read here")]
    Magic {
        /// The magic byte read.
        magic: i8,
    },
    /// The checksum does not match the bytes.
    #[error("the batch carries CRC {stored:#010x}, and its bytes have {computed:#010x}")]
    Crc {
        /// The checksum in the header.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
}

/// Whose clock a record's timestamp comes from (KIP-32).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimestampType {
    /// The producer's.
    #[default]
    CreateTime,
    /// The leader's, at append.
    LogAppendTime,
}

/// The attribute bits of a v2 batch.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes(pub i16);

const CODEC_BITS: i16 = 0x07;
const LOG_APPEND_TIME_BIT: i16 = 0x08;
const TRANSACTIONAL_BIT: i16 = 0x10;
const CONTROL_BIT: i16 = 0x20;
const DELETE_HORIZON_BIT: i16 = 0x40;

impl Attributes {
    /// The codec of the records; `None` for the numbers 5 to 7, which no codec has.
    pub fn codec(self) -> Option<Codec> {
        Codec::from_id((self.0 & CODEC_BITS) as u8)
    }

    /// Whose clock the timestamps come from.
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & LOG_APPEND_TIME_BIT == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(self) -> bool {
        self.0 & TRANSACTIONAL_BIT != 0
    }

    /// Whether the records are control records, which no consumer is shown.
    pub fn is_control(self) -> bool {
        self.0 & CONTROL_BIT != 0
    }

    /// Whether the base timestamp is the time from which the cleaner may drop tombstones (KIP-534).
    pub fn has_delete_horizon(self) -> bool {
        self.0 & DELETE_HORIZON_BIT != 0
    }

    /// With this codec.
    pub fn with_codec(self, codec: Codec) -> Self {
        Self((self.0 & !CODEC_BITS) | i16::from(codec.id()))
    }

    /// With this timestamp type.
    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        self.with(LOG_APPEND_TIME_BIT, timestamp_type == TimestampType::LogAppendTime)
    }

    /// Part of a transaction, or not.
    pub fn with_transactional(self, transactional: bool) -> Self {
        self.with(TRANSACTIONAL_BIT, transactional)
    }

    /// Holding control records, or not.
    pub fn with_control(self, control: bool) -> Self {
        self.with(CONTROL_BIT, control)
    }

    /// With its base timestamp standing for a delete horizon, or not.
    pub fn with_delete_horizon(self, delete_horizon: bool) -> Self {
        self.with(DELETE_HORIZON_BIT, delete_horizon)
    }

    fn with(self, bit: i16, set: bool) -> Self {
        Self(if set { self.0 | bit } else { self.0 & !bit })
    }
}

impl std::fmt::Debug for Attributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attributes")
            .field("codec", &self.codec())
            .field("timestamp_type", &self.timestamp_type())
            .field("transactional", &self.is_transactional())
            .field("control", &self.is_control())
            .field("delete_horizon", &self.has_delete_horizon())
            .finish()
    }
}

/// A v2 batch header, by field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    /// The offset of the first record, or of the first one there was before compaction.
    pub base_offset: Offset,
    /// The bytes of the batch after the length field; at least 49.
    pub length: u32,
    /// The epoch of the leader that appended the batch.
    pub leader_epoch: LeaderEpoch,
    /// CRC-32C from the attributes to the end.
    pub crc: u32,
    /// Codec, timestamp type and the other bits.
    pub attributes: Attributes,
    /// The last record's offset, counted from the base offset. Kept when compaction removes that record.
    pub last_offset_delta: i32,
    /// The timestamp that records count theirs from, or the delete horizon.
    pub base_timestamp: Timestamp,
    /// The largest timestamp of the records.
    pub max_timestamp: Timestamp,
    /// The producer, or `ProducerId::NONE`.
    pub producer_id: ProducerId,
    /// The producer's incarnation, or `ProducerEpoch::NONE`.
    pub producer_epoch: ProducerEpoch,
    /// The first record's sequence, or `Sequence::NONE`.
    pub base_sequence: Sequence,
    /// How many records the batch says it holds.
    pub count: i32,
}

impl BatchHeader {
    /// Reads the header at the front of `bytes`, which must hold the whole batch.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let header = Self::parse_prefix(bytes)?;
        let needed = header.size();
        if bytes.len() < needed {
            return Err(BatchError::Truncated { needed, available: bytes.len() });
        }
        Ok(header)
    }

    /// Reads the header at the front of `bytes`, of which 61 are enough.
    pub fn parse_prefix(bytes: &[u8]) -> Result<Self, BatchError> {
        // Magic and length are judged as soon as they are there: short garbage is named for what it is.
        if let Some(&magic) = bytes.get(MAGIC_AT)
            && magic as i8 != MAGIC_V2
        {
            return Err(BatchError::Magic { magic: magic as i8 });
        }
        let Some(fixed) = bytes.first_chunk::<BATCH_OVERHEAD>() else {
            return Err(BatchError::Truncated { needed: BATCH_OVERHEAD, available: bytes.len() });
        };
        let length = i32::from_be_bytes(field(fixed, LENGTH_AT));
        if length < BATCH_LENGTH_MIN as i32 {
            return Err(BatchError::Length { length });
        }
        Ok(Self {
            base_offset: Offset(i64::from_be_bytes(field(fixed, 0))),
            length: length as u32,
            leader_epoch: LeaderEpoch(i32::from_be_bytes(field(fixed, LEADER_EPOCH_AT))),
            crc: u32::from_be_bytes(field(fixed, CRC_AT)),
            attributes: Attributes(i16::from_be_bytes(field(fixed, ATTRIBUTES_AT))),
            last_offset_delta: i32::from_be_bytes(field(fixed, LAST_OFFSET_DELTA_AT)),
            base_timestamp: Timestamp(i64::from_be_bytes(field(fixed, BASE_TIMESTAMP_AT))),
            max_timestamp: Timestamp(i64::from_be_bytes(field(fixed, MAX_TIMESTAMP_AT))),
            producer_id: ProducerId(i64::from_be_bytes(field(fixed, PRODUCER_ID_AT))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(field(fixed, PRODUCER_EPOCH_AT))),
            base_sequence: Sequence(i32::from_be_bytes(field(fixed, BASE_SEQUENCE_AT))),
            count: i32::from_be_bytes(field(fixed, COUNT_AT)),
        })
    }

    /// Writes the 61 bytes, the CRC as it stands in `self`.
    pub fn write(&self) -> [u8; BATCH_OVERHEAD] {
        let mut out = [0; BATCH_OVERHEAD];
        put(&mut out, 0, self.base_offset.0.to_be_bytes());
        put(&mut out, LENGTH_AT, self.length.to_be_bytes());
        put(&mut out, LEADER_EPOCH_AT, self.leader_epoch.0.to_be_bytes());
        put(&mut out, MAGIC_AT, MAGIC_V2.to_be_bytes());
        put(&mut out, CRC_AT, self.crc.to_be_bytes());
        put(&mut out, ATTRIBUTES_AT, self.attributes.0.to_be_bytes());
        put(&mut out, LAST_OFFSET_DELTA_AT, self.last_offset_delta.to_be_bytes());
        put(&mut out, BASE_TIMESTAMP_AT, self.base_timestamp.0.to_be_bytes());
        put(&mut out, MAX_TIMESTAMP_AT, self.max_timestamp.0.to_be_bytes());
        put(&mut out, PRODUCER_ID_AT, self.producer_id.0.to_be_bytes());
        put(&mut out, PRODUCER_EPOCH_AT, self.producer_epoch.0.to_be_bytes());
        put(&mut out, BASE_SEQUENCE_AT, self.base_sequence.0.to_be_bytes());
        put(&mut out, COUNT_AT, self.count.to_be_bytes());
        out
    }

    /// The bytes of the whole batch.
    pub fn size(&self) -> usize {
        LOG_OVERHEAD + self.length as usize
    }

    /// The offset of the last record, or of the last one there was.
    pub fn last_offset(&self) -> LastOffset {
        LastOffset(self.base_offset.0.saturating_add(i64::from(self.last_offset_delta)))
    }

    /// The offset after the batch.
    pub fn next_offset(&self) -> Offset {
        self.last_offset().next()
    }

    /// The sequence of the last record; `Sequence::NONE` where the batch has none.
    pub fn last_sequence(&self) -> Sequence {
        if self.base_sequence == Sequence::NONE {
            return Sequence::NONE;
        }
        self.base_sequence.advanced(self.last_offset_delta.max(0) as u32)
    }

    /// Whether an idempotent or transactional producer wrote the batch.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id.0 > ProducerId::NONE.0
    }
}

/// Checks the CRC of the whole batch in `bytes`, whose header is `header`.
pub fn verify_crc(bytes: &[u8], header: &BatchHeader) -> Result<(), BatchError> {
    let computed = crc32c(&bytes[ATTRIBUTES_AT..header.size()]);
    if computed == header.crc { Ok(()) } else { Err(BatchError::Crc { stored: header.crc, computed }) }
}

/// The records of the batch in `bytes`, compressed as they lie there.
pub fn payload<'a>(bytes: &'a [u8], header: &BatchHeader) -> &'a [u8] {
    &bytes[BATCH_OVERHEAD..header.size()]
}

/// The magic byte of the batch or message at the front of `bytes`; `None` where it is not there yet.
pub fn magic(bytes: &[u8]) -> Option<i8> {
    bytes.get(MAGIC_AT).map(|&magic| magic as i8)
}

/// Assigns the batch's first offset. The CRC stays as it is.
pub fn set_base_offset(bytes: &mut [u8], base_offset: Offset) {
    put(bytes, 0, base_offset.0.to_be_bytes());
}

/// Assigns the epoch of the leader. The CRC stays as it is.
pub fn set_leader_epoch(bytes: &mut [u8], epoch: LeaderEpoch) {
    put(bytes, LEADER_EPOCH_AT, epoch.0.to_be_bytes());
}

/// Assigns timestamp type and largest timestamp of the batch that `bytes` is exactly, and recomputes the CRC
/// unless both stand there already.
pub fn set_max_timestamp(bytes: &mut [u8], timestamp_type: TimestampType, max_timestamp: Timestamp) {
    let attributes = Attributes(i16::from_be_bytes(field(bytes, ATTRIBUTES_AT)));
    let stamped = attributes.with_timestamp_type(timestamp_type);
    let max_timestamp = max_timestamp.0.to_be_bytes();
    if stamped == attributes && field::<8>(bytes, MAX_TIMESTAMP_AT) == max_timestamp {
        return;
    }
    put(bytes, ATTRIBUTES_AT, stamped.0.to_be_bytes());
    put(bytes, MAX_TIMESTAMP_AT, max_timestamp);
    seal(bytes);
}

/// Computes and writes the CRC of the batch that `bytes` is exactly.
pub fn seal(bytes: &mut [u8]) {
    let crc = crc32c(&bytes[ATTRIBUTES_AT..]);
    put(bytes, CRC_AT, crc.to_be_bytes());
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("the callers hold a whole header")
}

fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}
