//! What a broker's configuration says to the group coordinator.

use protocol::id::Timestamp;

/// A stretch of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Millis(pub i64);

impl Millis {
    /// The time this long after another.
    pub fn after(self, from: Timestamp) -> Timestamp {
        Timestamp(from.0.saturating_add(self.0))
    }

    /// The shorter of two.
    #[must_use]
    pub fn at_most(self, most: Self) -> Self {
        self.min(most)
    }

    /// What is left when another is taken off; never less than nothing.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }
}

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// `group.min.session.timeout.ms`.
    pub session_min: Millis,
    /// `group.max.session.timeout.ms`.
    pub session_max: Millis,
    /// `group.initial.rebalance.delay.ms`.
    pub initial_delay: Millis,
    /// `group.max.size`.
    pub members_max: usize,
    /// `offset.metadata.max.bytes`; Kafka counts UTF-16 units.
    pub offset_metadata_max: usize,
    /// `offsets.retention.minutes`.
    pub offsets_retention: Millis,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_check_interval: Millis,
}

impl Default for GroupConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            session_min: Millis(6_000),
            session_max: Millis(1_800_000),
            initial_delay: Millis(3_000),
            members_max: i32::MAX as usize,
            offset_metadata_max: 4096,
            offsets_retention: Millis(7 * 24 * 60 * 60 * 1000),
            offsets_check_interval: Millis(600_000),
        }
    }
}
