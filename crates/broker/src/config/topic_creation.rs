//! [`TopicCreation`]: how topics come and go on this node, and what one gets that asks for nothing.

use super::numbers::int;
use super::settings::{ConfigError, Settings};

/// What a new topic gets, and how topics come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicCreation {
    /// `auto.create.topics.enable`.
    pub automatic: bool,
    /// `delete.topic.enable`.
    pub deletable: bool,
    /// `num.partitions`.
    pub partitions: i32,
    /// `default.replication.factor`.
    pub replication_factor: i16,
}

impl TopicCreation {
    /// Reads them.
    ///
    /// # Errors
    /// [`ConfigError`] when a setting cannot be read.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let factor = settings.integer("default.replication.factor")?;
        Ok(Self {
            automatic: settings.flag("auto.create.topics.enable")?,
            deletable: settings.flag("delete.topic.enable")?,
            partitions: int(settings, "num.partitions")?,
            replication_factor: i16::try_from(factor).map_err(|_| {
                ConfigError::conflict(format!(
                    "default.replication.factor is {factor}: it must be below 32768"
                ))
            })?,
        })
    }
}
