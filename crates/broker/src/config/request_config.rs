//! [`RequestConfig`]: what one request may ask for and hold, and how closely records are looked at on their way in and out.

use std::time::Duration;

use super::numbers::{bytes, int, millis, size};
use super::settings::{ConfigError, Settings};

/// Bounds of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestConfig {
    /// `request.timeout.ms`.
    pub timeout: Duration,
    /// `fetch.max.bytes`.
    pub fetch_bytes_max: usize,
    /// `headwater.fetch.check`.
    pub read_check: ReadCheck,
    /// `headwater.fetch.hot.bytes`.
    pub fetch_hot_bytes: u64,
    /// `headwater.fetch.partitions.max`.
    pub fetch_partitions_max: usize,
    /// `max.incremental.fetch.session.cache.slots`.
    pub fetch_sessions_max: usize,
    /// `headwater.fetch.sessions.partitions.max`.
    pub fetch_sessions_partitions_max: usize,
    /// `headwater.request.memory.bytes`.
    pub memory_bytes: usize,
    /// `max.request.partition.size.limit`: partitions in one DescribeTopicPartitions answer.
    pub describe_partitions_max: i32,
    /// `headwater.compressed.validation`.
    pub compressed_validation: CompressedValidation,
    /// `headwater.decompressed.batch.bytes.max`.
    pub decompressed_batch_bytes_max: u64,
}

impl RequestConfig {
    /// Reads them.
    ///
    /// # Errors
    /// [`ConfigError`] when a setting cannot be read.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let header_only = settings.text("headwater.compressed.validation")?.as_deref() == Some("header");
        Ok(Self {
            timeout: millis(settings, "request.timeout.ms")?,
            fetch_bytes_max: size(settings, "fetch.max.bytes")?,
            read_check: match settings.text("headwater.fetch.check")?.as_deref() {
                Some("off") => ReadCheck::Off,
                Some("always") => ReadCheck::Always,
                _ => ReadCheck::Cold,
            },
            fetch_hot_bytes: bytes(settings, "headwater.fetch.hot.bytes")?,
            fetch_partitions_max: size(settings, "headwater.fetch.partitions.max")?,
            fetch_sessions_max: size(settings, "max.incremental.fetch.session.cache.slots")?,
            fetch_sessions_partitions_max: size(settings, "headwater.fetch.sessions.partitions.max")?,
            memory_bytes: size(settings, "headwater.request.memory.bytes")?,
            describe_partitions_max: int(settings, "max.request.partition.size.limit")?,
            decompressed_batch_bytes_max: bytes(settings, "headwater.decompressed.batch.bytes.max")?,
            compressed_validation: if header_only {
                CompressedValidation::Header
            } else {
                CompressedValidation::Full
            },
        })
    }
}

/// How deep a compressed batch is looked into before it is appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressedValidation {
    /// Every record, as Kafka does.
    Full,
    /// The batch header and its checksum.
    Header,
}

/// When records are held against their checksums before they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadCheck {
    /// Never, as in Kafka.
    Off,
    /// When they come from the disk, and when they are first read after a start.
    Cold,
    /// Every time.
    Always,
}
