//! The settings of the group coordinator and of the topic it writes.

use std::sync::Arc;
use std::time::Duration;

use coordinator::group::{GroupConfig, Millis};
use protocol::records::compression::{Codec, Compression};

use super::settings::{ConfigError, Settings};
use super::static_config::millis;

/// What the configuration says of groups and offsets.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupCoordinatorConfig {
    /// What decisions rest on.
    pub decisions: Arc<GroupConfig>,
    /// `offsets.topic.num.partitions`.
    pub partitions: i32,
    /// `offsets.topic.replication.factor`.
    pub replication_factor: i16,
    /// `offsets.topic.segment.bytes`.
    pub segment_bytes: i64,
    /// `offsets.topic.compression.codec`.
    pub compression: Compression,
    /// `offsets.load.buffer.size`.
    pub load_bytes: u32,
    /// `offsets.commit.timeout.ms`.
    pub commit_timeout: Duration,
}

impl GroupCoordinatorConfig {
    /// Reads the settings.
    ///
    /// # Errors
    /// A value that the coordinator cannot work with.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let number = |name| settings.integer(name);
        let small = |name| Ok::<_, ConfigError>(i32::try_from(settings.integer(name)?).unwrap_or(i32::MAX));
        let codec = number("offsets.topic.compression.codec")?;
        let known = u8::try_from(codec).ok().and_then(Codec::from_id);
        let codec = known.ok_or_else(|| {
            ConfigError::conflict(format!(
                "offsets.topic.compression.codec is {codec}: it must be 0 (none), 1 (gzip), 2 (snappy), 3 (lz4) or 4 (zstd)"
            ))
        })?;
        let factor = number("offsets.topic.replication.factor")?;
        Ok(Self {
            decisions: Arc::new(GroupConfig {
                session_min: Millis(number("group.min.session.timeout.ms")?),
                session_max: Millis(number("group.max.session.timeout.ms")?),
                initial_delay: Millis(number("group.initial.rebalance.delay.ms")?),
                members_max: usize::try_from(number("group.max.size")?).unwrap_or(usize::MAX),
                offset_metadata_max: usize::try_from(number("offset.metadata.max.bytes")?).unwrap_or(0),
                offsets_retention: Millis(number("offsets.retention.minutes")?.saturating_mul(60_000)),
                offsets_check_interval: Millis(number("offsets.retention.check.interval.ms")?),
            }),
            partitions: small("offsets.topic.num.partitions")?,
            replication_factor: i16::try_from(factor).unwrap_or(i16::MAX),
            segment_bytes: number("offsets.topic.segment.bytes")?,
            compression: codec.into(),
            load_bytes: u32::try_from(number("offsets.load.buffer.size")?).unwrap_or(u32::MAX),
            commit_timeout: millis(settings, "offsets.commit.timeout.ms")?,
        })
    }
}
