//! Why an append is refused, in the order in which Kafka checks, with the code each refusal is answered by.

use protocol::error_code::ErrorCode;
use protocol::id::{LeaderEpoch, ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::offset::Offset;
use protocol::records::batch::BatchError;
use protocol::records::compression::{CompressedError, CompressionError};
use protocol::records::control::{ControlError, CoordinatorEpoch};
use protocol::records::legacy::LegacyError;
use protocol::records::record::RecordError;
use thiserror::Error;

/// Why an append is refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum AppendRefusal {
    /// The partition's records hold no whole batch.
    #[error("the records hold no whole batch; a produce request carries exactly one for each partition")]
    NoBatch,
    /// More than one batch.
    #[error("the records hold more than one batch; a produce request carries exactly one for each partition")]
    MoreThanOneBatch,
    /// A message of format v0 or v1 where v2 is asked for.
    #[error("the records have message format v{magic}; this version of produce carries v2 only")]
    OldFormat {
        /// The format's number.
        magic: i8,
    },
    /// A message set that cannot be converted.
    #[error("the message set is refused: {0}")]
    MessageSet(LegacyError),
    /// A magic byte or length that no format has.
    #[error("the records are corrupt: {0}")]
    Framing(BatchError),
    /// A length that no number of Kafka's can hold with what stands before it.
    #[error("the records announce {length} bytes, more than any batch can have")]
    Boundless {
        /// The length announced.
        length: i32,
    },
    /// zstd in a version of produce that does not know it.
    #[error("the batch is compressed with zstd, which needs version 7 of produce or later")]
    ZstdTooEarly,
    /// A base offset other than 0 from a client.
    #[error(
        "the batch has base offset {base_offset}; a client's batch begins at 0 and the broker assigns offsets"
    )]
    BaseOffset {
        /// The offset it has.
        base_offset: Offset,
    },
    /// Larger than `max.message.bytes`, as sent or after compressing anew.
    #[error("the batch has {size} bytes, and the topic's max.message.bytes is {max}")]
    TooLarge {
        /// Its size.
        size: u64,
        /// The limit.
        max: u32,
    },
    /// A checksum that does not match.
    #[error("the batch is corrupt: {0}")]
    Crc(BatchError),
    /// A codec number that no codec has.
    #[error("the batch names codec {id}, which does not exist")]
    UnknownCodec {
        /// The number.
        id: u8,
    },
    /// Count and last offset delta contradict each other, or the count is not positive.
    #[error("the batch announces {count} records and a last offset delta of {last_offset_delta}")]
    Count {
        /// The count announced.
        count: i32,
        /// The delta announced.
        last_offset_delta: i32,
    },
    /// A control batch from a client.
    #[error("the batch holds control records, which only brokers write")]
    Control,
    /// A producer id without a sequence.
    #[error("the batch of producer {producer_id} has sequence {sequence}; sequences begin at 0")]
    NegativeSequence {
        /// The producer.
        producer_id: ProducerId,
        /// The sequence.
        sequence: Sequence,
    },
    /// Records that are not what the header announces.
    #[error("the records are invalid: {0}")]
    Records(RecordError),
    /// A compressed stream that cannot be read.
    #[error("the records cannot be decompressed: {0}")]
    Compression(CompressionError),
    /// Offsets inside the batch that do not run from 0 without a gap.
    #[error("the offsets inside the batch do not run 0, 1, 2 and so on")]
    OffsetDeltas,
    /// Single records that the topic does not take; at most the first thousand are named.
    #[error("{} of the records are refused, the first is number {}: {}", .0.len(), .0[0].index, .0[0].reason)]
    RecordsRefused(Vec<RecordRefusal>),
    /// Larger than a whole segment.
    #[error("the batch has {size} bytes, and the topic's segment.bytes is {segment_bytes}")]
    LargerThanSegment {
        /// Its size.
        size: u64,
        /// The limit.
        segment_bytes: u32,
    },
    /// The log has no offsets left for the batch.
    #[error("the log ends at {log_end} and has no offsets left for {count} records")]
    OffsetsExhausted {
        /// Where the log ends.
        log_end: Offset,
        /// The batch's records.
        count: i32,
    },
    /// An epoch older than the newest seen of this producer.
    #[error("producer {producer_id} sent with epoch {epoch}, and epoch {current} has been seen")]
    ProducerEpoch {
        /// The producer.
        producer_id: ProducerId,
        /// The batch's epoch.
        epoch: ProducerEpoch,
        /// The newest epoch.
        current: ProducerEpoch,
    },
    /// A sequence that does not follow the last one.
    #[error("producer {producer_id} sent sequence {sequence}, and the last one appended is {last}")]
    OutOfOrderSequence {
        /// The producer.
        producer_id: ProducerId,
        /// The batch's first sequence.
        sequence: Sequence,
        /// The last one appended, or the one that should have come first.
        last: Sequence,
    },
    /// A transactional record of a transaction that the coordinator has not confirmed, or a plain one inside a
    /// transaction.
    #[error("producer {producer_id} wrote outside of what its transaction allows")]
    TransactionState {
        /// The producer.
        producer_id: ProducerId,
    },
    /// A marker of a coordinator that has been replaced.
    #[error("a transaction marker carries coordinator epoch {epoch}, and epoch {current} has been seen")]
    CoordinatorEpoch {
        /// The marker's.
        epoch: CoordinatorEpoch,
        /// The newest.
        current: CoordinatorEpoch,
    },
    /// A control record that cannot be read.
    #[error("a control record cannot be read: {0}")]
    ControlRecord(ControlError),
    /// Replicated batches that do not continue the log.
    #[error("the batches begin at {base_offset}, before the end of the log at {log_end}")]
    NotAtEnd {
        /// Where they begin.
        base_offset: Offset,
        /// Where the log ends.
        log_end: Offset,
    },
    /// Replicated batches whose offsets do not go up.
    #[error("the batch at {base_offset} does not follow the one before it")]
    OffsetsOutOfOrder {
        /// The batch's first offset.
        base_offset: Offset,
    },
    /// This replica does not lead at that epoch.
    #[error("this replica does not lead the partition at epoch {epoch}")]
    NotLeader {
        /// The epoch named by the append.
        epoch: LeaderEpoch,
    },
}

/// One record that the topic does not take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordRefusal {
    /// Its place in the batch.
    pub index: i32,
    /// Why.
    pub reason: RecordRefusalReason,
}

/// Why the topic does not take a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RecordRefusalReason {
    /// A record without a key on a compacted topic.
    #[error("a compacted topic takes no record without a key")]
    NullKey,
    /// A timestamp outside of the topic's bounds.
    #[error("timestamp {timestamp} is not within {earliest} to {latest}")]
    Timestamp {
        /// The record's.
        timestamp: Timestamp,
        /// The earliest that the topic takes now.
        earliest: Timestamp,
        /// The latest.
        latest: Timestamp,
    },
    /// A timestamp type that only brokers set.
    #[error("a producer may not set the timestamp type to LogAppendTime")]
    LogAppendTime,
}

impl RecordRefusalReason {
    /// Whether the timestamp is to blame: one such record makes the whole answer INVALID_TIMESTAMP.
    pub fn is_timestamp(self) -> bool {
        match self {
            Self::NullKey => false,
            Self::Timestamp { .. } | Self::LogAppendTime => true,
        }
    }
}

impl From<CompressedError> for AppendRefusal {
    fn from(error: CompressedError) -> Self {
        match error {
            CompressedError::Record(error) => Self::Records(error),
            CompressedError::Compression(error) => Self::Compression(error),
        }
    }
}

impl From<&AppendRefusal> for ErrorCode {
    fn from(refusal: &AppendRefusal) -> Self {
        match refusal {
            AppendRefusal::Records(RecordError::VarintTooLong) => Self::UnknownServerError,
            AppendRefusal::Framing(_) | AppendRefusal::Crc(_) => Self::CorruptMessage,
            AppendRefusal::ZstdTooEarly => Self::UnsupportedCompressionType,
            AppendRefusal::TooLarge { .. } => Self::MessageTooLarge,
            AppendRefusal::MessageSet(error) => message_set(error),
            AppendRefusal::LargerThanSegment { .. } => Self::RecordListTooLarge,
            AppendRefusal::NoBatch
            | AppendRefusal::MoreThanOneBatch
            | AppendRefusal::OldFormat { .. }
            | AppendRefusal::BaseOffset { .. }
            | AppendRefusal::Count { .. }
            | AppendRefusal::Control
            | AppendRefusal::NegativeSequence { .. }
            | AppendRefusal::Records(_)
            | AppendRefusal::OffsetDeltas
            | AppendRefusal::OffsetsExhausted { .. }
            | AppendRefusal::ControlRecord(_)
            | AppendRefusal::Compression(CompressionError::TooLarge { .. }) => Self::InvalidRecord,
            AppendRefusal::RecordsRefused(records) => {
                let timestamp = records.iter().any(|record| record.reason.is_timestamp());
                if timestamp { Self::InvalidTimestamp } else { Self::InvalidRecord }
            }
            AppendRefusal::ProducerEpoch { .. } => Self::InvalidProducerEpoch,
            AppendRefusal::OutOfOrderSequence { .. } => Self::OutOfOrderSequenceNumber,
            AppendRefusal::TransactionState { .. } => Self::InvalidTxnState,
            AppendRefusal::CoordinatorEpoch { .. } => Self::TransactionCoordinatorFenced,
            AppendRefusal::NotLeader { .. } => Self::NotLeaderOrFollower,
            // Kafka has no code for these and answers with its last resort.
            AppendRefusal::UnknownCodec { .. }
            | AppendRefusal::Boundless { .. }
            | AppendRefusal::Compression(CompressionError::Corrupt { .. })
            | AppendRefusal::NotAtEnd { .. }
            | AppendRefusal::OffsetsOutOfOrder { .. } => Self::UnknownServerError,
        }
    }
}

fn message_set(error: &LegacyError) -> ErrorCode {
    match error {
        LegacyError::Length { .. }
        | LegacyError::Crc { .. }
        | LegacyError::Fields
        | LegacyError::Magic { magic: ..=-1 | 3.. }
        | LegacyError::Truncated => ErrorCode::CorruptMessage,
        LegacyError::TooLarge { .. } => ErrorCode::MessageTooLarge,
        LegacyError::Timestamp { .. } => ErrorCode::InvalidTimestamp,
        // zstd has a number, which these formats do not have; the others nobody has.
        LegacyError::Codec { id: 5.. } | LegacyError::Compression(CompressionError::Corrupt { .. }) => {
            ErrorCode::UnknownServerError
        }
        LegacyError::Magic { .. }
        | LegacyError::WrappedMagic { .. }
        | LegacyError::WrapperOffset { .. }
        | LegacyError::Wrapper
        | LegacyError::Codec { .. }
        | LegacyError::Compression(CompressionError::TooLarge { .. }) => ErrorCode::InvalidRecord,
    }
}
