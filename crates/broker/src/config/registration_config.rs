//! [`RegistrationConfig`]: how a broker registers with its controller, and how it stays and leaves.

use std::time::Duration;

use super::numbers::millis;
use super::settings::{ConfigError, Settings};

/// How a broker keeps its place in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationConfig {
    /// `broker.rack`.
    pub rack: Option<String>,
    /// `broker.heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// `broker.session.timeout.ms`.
    pub session_timeout: Duration,
    /// `initial.broker.registration.timeout.ms`.
    pub first_registration_timeout: Duration,
    /// `controlled.shutdown.enable`.
    pub controlled_shutdown: bool,
    /// `unstable.api.versions.enable`.
    pub unstable_apis: bool,
    /// `unstable.feature.versions.enable`.
    pub unstable_features: bool,
}

impl RegistrationConfig {
    /// Reads them.
    ///
    /// # Errors
    /// [`ConfigError`] when a setting cannot be read.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            rack: settings.text("broker.rack")?,
            heartbeat_interval: millis(settings, "broker.heartbeat.interval.ms")?,
            session_timeout: millis(settings, "broker.session.timeout.ms")?,
            first_registration_timeout: millis(settings, "initial.broker.registration.timeout.ms")?,
            controlled_shutdown: settings.flag("controlled.shutdown.enable")?,
            unstable_apis: settings.flag("unstable.api.versions.enable")?,
            unstable_features: settings.flag("unstable.feature.versions.enable")?,
        })
    }
}
