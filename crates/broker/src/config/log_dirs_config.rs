//! [`LogDirsConfig`]: where data lies, and how the log directories are looked after.

use std::path::PathBuf;
use std::time::Duration;

use super::numbers::{millis, size};
use super::settings::{ConfigError, Settings};

/// Where data lies and how the log directories are worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirsConfig {
    /// `log.dirs` (or `log.dir`).
    pub directories: Vec<PathBuf>,
    /// `metadata.log.dir`, by default the first of `directories`.
    pub metadata_directory: PathBuf,
    /// `headwater.durability`.
    pub durability: Durability,
    /// `log.flush.scheduler.interval.ms`; `None` for never.
    pub flush_check_interval: Option<Duration>,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub recovery_checkpoint_interval: Duration,
    /// `log.flush.start.offset.checkpoint.interval.ms`.
    pub start_checkpoint_interval: Duration,
    /// `replica.high.watermark.checkpoint.interval.ms`.
    pub high_watermark_checkpoint_interval: Duration,
    /// `log.retention.check.interval.ms`.
    pub retention_check_interval: Duration,
    /// `log.initial.task.delay.ms`.
    pub first_task_delay: Duration,
    /// `num.recovery.threads.per.data.dir`.
    pub recovery_threads: usize,
    /// `headwater.recovery.bytes`; `None` where recovery begins at the front of a segment.
    pub recovery_bytes: Option<u32>,
    /// `headwater.open.files.max`.
    pub open_files_max: usize,
    /// `headwater.directory.slow.ms`; `None` for never.
    pub slow_after: Option<Duration>,
    /// `headwater.disk.reserve.bytes`.
    pub reserve_bytes: u64,
    /// `headwater.batch.positions.bytes`.
    pub batch_positions_bytes: usize,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration: Duration,
    /// `headwater.producer.ids.max`.
    pub producer_ids_max: u32,
    /// `producer.id.expiration.check.interval.ms`.
    pub producer_id_check_interval: Duration,
    /// `cordoned.log.dirs`; `*` for all.
    pub cordoned: Vec<String>,
    /// `num.replica.alter.log.dirs.threads`; `None` for one for each directory.
    pub move_threads: Option<u64>,
    /// `replica.alter.log.dirs.io.max.bytes.per.second`; `None` for no bound.
    pub move_bytes_per_second_max: Option<u64>,
}

impl LogDirsConfig {
    /// Reads them.
    ///
    /// # Errors
    /// [`ConfigError`] when a setting cannot be read.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let mut directories = settings.list("log.dirs")?;
        if directories.is_empty() {
            directories = settings.list("log.dir")?;
        }
        let metadata_directory = settings.text("metadata.log.dir")?.or_else(|| directories.first().cloned());
        let fsync = settings.text("headwater.durability")?.as_deref() == Some("fsync");
        let flush = settings.integer("log.flush.scheduler.interval.ms")?;
        let count = |name| {
            let set = settings.integer_if_set(name)?;
            Ok::<_, ConfigError>(set.and_then(|number| u64::try_from(number).ok()))
        };
        Ok(Self {
            metadata_directory: PathBuf::from(metadata_directory.unwrap_or_default()),
            directories: directories.into_iter().map(PathBuf::from).collect(),
            durability: if fsync { Durability::Fsync } else { Durability::Replica },
            flush_check_interval: u64::try_from(flush)
                .ok()
                .filter(|_| flush != i64::MAX)
                .map(Duration::from_millis),
            recovery_checkpoint_interval: millis(settings, "log.flush.offset.checkpoint.interval.ms")?,
            start_checkpoint_interval: millis(settings, "log.flush.start.offset.checkpoint.interval.ms")?,
            high_watermark_checkpoint_interval: millis(
                settings,
                "replica.high.watermark.checkpoint.interval.ms",
            )?,
            retention_check_interval: millis(settings, "log.retention.check.interval.ms")?,
            first_task_delay: millis(settings, "log.initial.task.delay.ms")?,
            recovery_threads: size(settings, "num.recovery.threads.per.data.dir")?,
            recovery_bytes: u32::try_from(settings.integer("headwater.recovery.bytes")?)
                .ok()
                .filter(|bytes| *bytes > 0),
            open_files_max: size(settings, "headwater.open.files.max")?,
            slow_after: Some(millis(settings, "headwater.directory.slow.ms")?)
                .filter(|after| !after.is_zero()),
            reserve_bytes: u64::try_from(settings.integer("headwater.disk.reserve.bytes")?).unwrap_or(0),
            batch_positions_bytes: size(settings, "headwater.batch.positions.bytes")?,
            producer_id_expiration: millis(settings, "producer.id.expiration.ms")?,
            producer_ids_max: u32::try_from(settings.integer("headwater.producer.ids.max")?)
                .unwrap_or(u32::MAX),
            producer_id_check_interval: millis(settings, "producer.id.expiration.check.interval.ms")?,
            cordoned: settings.list("cordoned.log.dirs")?,
            move_threads: count("num.replica.alter.log.dirs.threads")?,
            move_bytes_per_second_max: count("replica.alter.log.dirs.io.max.bytes.per.second")?,
        })
    }
}

/// What an acknowledged record is safe from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The death of the process, and of the machine as far as other replicas hold it: Kafka's promise.
    Replica,
    /// The loss of power: on stable storage before the answer.
    Fsync,
}
