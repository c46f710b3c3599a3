//! [`CleanerConfig`]: what compaction may use of this node; all of it can change while the node runs but whether it is on.

use std::time::Duration;

use super::settings::{ConfigError, Settings};

/// Settings of compaction.
#[derive(Clone, Debug, PartialEq)]
pub struct CleanerConfig {
    /// `log.cleaner.enable`.
    pub enabled: bool,
    /// `log.cleaner.threads`.
    pub threads: usize,
    /// `log.cleaner.dedupe.buffer.size`, for all threads together.
    pub map_bytes: u64,
    /// `log.cleaner.io.buffer.load.factor`.
    pub map_load: f64,
    /// `log.cleaner.io.buffer.size`, for all threads together.
    pub buffer_bytes: usize,
    /// `log.cleaner.io.max.bytes.per.second`.
    pub bytes_per_second_max: f64,
    /// `log.cleaner.backoff.ms`.
    pub backoff: Duration,
}

impl CleanerConfig {
    /// Reads them.
    ///
    /// # Errors
    /// [`ConfigError`] when a setting cannot be read.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let number =
            |name| -> Result<u64, ConfigError> { Ok(u64::try_from(settings.integer(name)?).unwrap_or(0)) };
        Ok(Self {
            enabled: settings.flag("log.cleaner.enable")?,
            threads: number("log.cleaner.threads")? as usize,
            map_bytes: number("log.cleaner.dedupe.buffer.size")?,
            map_load: settings.double("log.cleaner.io.buffer.load.factor")?,
            buffer_bytes: number("log.cleaner.io.buffer.size")? as usize,
            bytes_per_second_max: settings.double("log.cleaner.io.max.bytes.per.second")?,
            backoff: Duration::from_millis(number("log.cleaner.backoff.ms")?),
        })
    }
}
