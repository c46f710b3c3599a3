//! Settings as numbers of the type that a field has. Keys have been checked before, so what does not fit is not refused
//! here a second time.

use std::time::Duration;

use super::settings::{ConfigError, Settings};

/// A duration setting in milliseconds; a negative one counts as zero.
pub(super) fn millis(settings: &Settings, name: &str) -> Result<Duration, ConfigError> {
    Ok(Duration::from_millis(u64::try_from(settings.integer(name)?).unwrap_or(0)))
}

/// A number of bytes; a negative one counts as zero.
pub(super) fn bytes(settings: &Settings, name: &str) -> Result<u64, ConfigError> {
    Ok(u64::try_from(settings.integer(name)?).unwrap_or(0))
}

/// A size or a count in memory; a negative one counts as zero.
pub(super) fn size(settings: &Settings, name: &str) -> Result<usize, ConfigError> {
    Ok(usize::try_from(settings.integer(name)?).unwrap_or(0))
}

/// An `int`; what does not fit into one counts as the largest.
pub(super) fn int(settings: &Settings, name: &str) -> Result<i32, ConfigError> {
    Ok(i32::try_from(settings.integer(name)?).unwrap_or(i32::MAX))
}
