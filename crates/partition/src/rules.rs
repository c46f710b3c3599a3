//! The topic's configuration, as far as an append asks for it, with Kafka's defaults.

use protocol::records::batch::TimestampType;
use protocol::records::compression::Compression;

/// A span of time in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Millis(pub i64);

/// What the topic says about appended batches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AppendRules {
    /// `max.message.bytes`: the largest batch, as it lies in the log.
    pub max_message_bytes: u32,
    /// `segment.bytes`: no batch may be larger than a segment.
    pub segment_bytes: u32,
    /// `compression.type` with its level.
    pub compression: CompressionTarget,
    /// Whether `cleanup.policy` names compact, which asks for a key in every record.
    pub compacted: bool,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max: Millis,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max: Millis,
    /// `max.decompressed.message.bytes`: the largest single record of a compressed batch.
    pub decompressed_record_bytes_max: u32,
    /// The most that all records of one compressed batch may take together, a bound of our own against bombs.
    pub decompressed_batch_bytes_max: u64,
    /// `headwater.compressed.validation`.
    pub compressed_validation: CompressedValidation,
}

/// How batches are compressed in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CompressionTarget {
    /// As the producer sent them.
    #[default]
    Producer,
    /// With this codec; a batch of another is compressed anew.
    Codec(Compression),
}

/// How far into a compressed batch validation looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CompressedValidation {
    /// At every record, as Kafka does.
    #[default]
    Full,
    /// At the header only, where nothing else asks for the records. Lengths, timestamps and counts inside are
    /// then the producer's word.
    Header,
}

impl Default for AppendRules {
    fn default() -> Self {
        Self {
            max_message_bytes: 1_048_588,
            segment_bytes: 1 << 30,
            compression: CompressionTarget::Producer,
            compacted: false,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max: Millis(i64::MAX),
            timestamp_after_max: Millis(3_600_000),
            decompressed_record_bytes_max: 0x7fff_fff7,
            decompressed_batch_bytes_max: 1 << 30,
            compressed_validation: CompressedValidation::Full,
        }
    }
}
