//! Compaction as decisions: which log is dirty, how far it may be cleaned, which segments become one, which batches and
//! records stay (KIP-58, KIP-98, KIP-354, KIP-534).
//!
//! A cleaning goes twice over a log. First the dirty part is read into an [`OffsetMap`]: of each key, the last offset.
//! Then all segments from the front of the log to where the map ends are written anew, group by group, each batch judged
//! by a [`Pass`]. Offsets never change, and the newest record of a key that lies below the map's end always stays.
//! Nothing here reads a file or a clock.

mod digest;
pub mod dirty;
pub mod groups;
mod keep;
mod offset_map;
mod transactions;

use crate::rules::Millis;

pub use digest::DigestKey;
pub use keep::{BatchSubject, Control, LastOfProducer, Pass, Verdict};
pub use offset_map::OffsetMap;
pub use transactions::CleanedTransactions;

/// What the topic says about compaction.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CompactionRules {
    /// Whether `cleanup.policy` names compact.
    pub compact: bool,
    /// `min.cleanable.dirty.ratio`.
    pub dirty_ratio_min: f64,
    /// `min.compaction.lag.ms`.
    pub lag_min: Millis,
    /// `max.compaction.lag.ms`.
    pub lag_max: Millis,
    /// `delete.retention.ms`.
    pub delete_retention: Millis,
}

impl Default for CompactionRules {
    fn default() -> Self {
        Self {
            compact: false,
            dirty_ratio_min: 0.5,
            lag_min: Millis(0),
            lag_max: Millis(i64::MAX),
            delete_retention: Millis(24 * 3600 * 1000),
        }
    }
}

#[cfg(test)]
mod tests;
