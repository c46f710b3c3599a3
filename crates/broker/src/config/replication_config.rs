//! [`ReplicationConfig`]: how followers fetch, and how far one may lag.

use std::time::Duration;

use super::numbers::{int, millis};
use super::settings::{ConfigError, Settings};

/// Settings of replication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicationConfig {
    /// `replica.lag.time.max.ms`.
    pub lag_max: Duration,
    /// `replica.fetch.wait.max.ms`.
    pub fetch_wait_max: Duration,
    /// `replica.fetch.min.bytes`.
    pub fetch_bytes_min: i32,
    /// `replica.fetch.max.bytes`.
    pub fetch_bytes_max: i32,
    /// `replica.fetch.response.max.bytes`.
    pub fetch_response_bytes_max: i32,
}

impl ReplicationConfig {
    /// Reads them.
    ///
    /// # Errors
    /// [`ConfigError`] when a setting cannot be read.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            lag_max: millis(settings, "replica.lag.time.max.ms")?,
            fetch_wait_max: millis(settings, "replica.fetch.wait.max.ms")?,
            fetch_bytes_min: int(settings, "replica.fetch.min.bytes")?,
            fetch_bytes_max: int(settings, "replica.fetch.max.bytes")?,
            fetch_response_bytes_max: int(settings, "replica.fetch.response.max.bytes")?,
        })
    }
}
