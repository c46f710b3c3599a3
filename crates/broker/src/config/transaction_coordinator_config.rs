//! The settings of the transaction coordinator, of the topic it writes, and of how partitions ask it.

use std::sync::Arc;
use std::time::Duration;

use coordinator::group::Millis;
use coordinator::transaction::TransactionConfig;

use super::numbers::millis;
use super::settings::{ConfigError, Settings};

/// What the configuration says of transactions.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionCoordinatorConfig {
    /// What decisions rest on.
    pub decisions: Arc<TransactionConfig>,
    /// `transaction.state.log.num.partitions`.
    pub partitions: i32,
    /// `transaction.state.log.replication.factor`.
    pub replication_factor: i16,
    /// `transaction.state.log.min.isr`.
    pub in_sync_min: i32,
    /// `transaction.state.log.segment.bytes`.
    pub segment_bytes: i64,
    /// `transaction.state.log.load.buffer.size`.
    pub load_bytes: u32,
    /// `request.timeout.ms`: how long an answer may wait for replicas.
    pub commit_timeout: Duration,
    /// `transaction.partition.verification.enable`.
    pub verifies: bool,
    /// `add.partitions.to.txn.retry.backoff.ms`.
    pub retry_backoff: Duration,
    /// `add.partitions.to.txn.retry.backoff.max.ms`, and no more than `request.timeout.ms`.
    pub retry_max: Duration,
}

impl TransactionCoordinatorConfig {
    /// Reads the settings.
    ///
    /// # Errors
    /// A value that is no number of its kind.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let number = |name| settings.integer(name);
        let small = |name| Ok::<_, ConfigError>(i32::try_from(settings.integer(name)?).unwrap_or(i32::MAX));
        let factor = number("transaction.state.log.replication.factor")?;
        let commit_timeout = millis(settings, "request.timeout.ms")?;
        Ok(Self {
            decisions: Arc::new(TransactionConfig {
                timeout_max: small("transaction.max.timeout.ms")?,
                id_expiration: Millis(number("transactional.id.expiration.ms")?),
                expiry_interval: Millis(number(
                    "transaction.remove.expired.transaction.cleanup.interval.ms",
                )?),
                abort_interval: Millis(number(
                    "transaction.abort.timed.out.transaction.cleanup.interval.ms",
                )?),
                two_phase: settings.flag("transaction.two.phase.commit.enable")?,
            }),
            partitions: small("transaction.state.log.num.partitions")?,
            replication_factor: i16::try_from(factor).unwrap_or(i16::MAX),
            in_sync_min: small("transaction.state.log.min.isr")?,
            segment_bytes: number("transaction.state.log.segment.bytes")?,
            load_bytes: u32::try_from(number("transaction.state.log.load.buffer.size")?).unwrap_or(u32::MAX),
            commit_timeout,
            verifies: settings.flag("transaction.partition.verification.enable")?,
            retry_backoff: millis(settings, "add.partitions.to.txn.retry.backoff.ms")?,
            retry_max: millis(settings, "add.partitions.to.txn.retry.backoff.max.ms")?.min(commit_timeout),
        })
    }
}
