//! What a broker's configuration says to the transaction coordinator.

use crate::group::Millis;

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionConfig {
    /// `transaction.max.timeout.ms`.
    pub timeout_max: i32,
    /// `transactional.id.expiration.ms`.
    pub id_expiration: Millis,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`.
    pub expiry_interval: Millis,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
    pub abort_interval: Millis,
    /// `transaction.two.phase.commit.enable`.
    pub two_phase: bool,
}

impl Default for TransactionConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            timeout_max: 900_000,
            id_expiration: Millis(7 * 24 * 60 * 60 * 1000),
            expiry_interval: Millis(60 * 60 * 1000),
            abort_interval: Millis(10_000),
            two_phase: false,
        }
    }
}
