//! What compaction is at, by the names that Kafka's LogCleaner and LogCleanerManager have.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::id::Timestamp;
use storage::cleaner::Cleaned;

/// Numbers of compaction.
#[derive(Debug, Default)]
pub struct CleanerMetrics {
    /// The largest dirty ratio of all logs, in percent.
    ratio_max_percent: AtomicI64,
    /// The longest that records have waited beyond `max.compaction.lag.ms`.
    overdue_max_ms: AtomicI64,
    /// When the dirtiest log was last looked for.
    last_run: AtomicI64,
    /// Threads that ended though nobody told them to.
    dead_threads: AtomicUsize,
    /// The last cleaning of each thread.
    last: Mutex<BTreeMap<usize, (Cleaned, Duration)>>,
}

/// What the last cleanings of all threads come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastCleanings {
    /// How full the fullest map was.
    pub map_utilization_percent: i64,
    /// How much of what was read stayed.
    pub recopy_percent: i64,
    /// How long the longest took.
    pub seconds_max: u64,
}

impl CleanerMetrics {
    /// The dirtiest log was looked for.
    pub fn looked(&self, now: Timestamp, ratio_max: f64, overdue_max_ms: i64) {
        self.last_run.store(now.0, Ordering::Relaxed);
        self.ratio_max_percent.store((100.0 * ratio_max) as i64, Ordering::Relaxed);
        self.overdue_max_ms.store(overdue_max_ms, Ordering::Relaxed);
    }

    /// A thread has cleaned a log.
    pub fn cleaned(&self, thread: usize, cleaned: Cleaned, took: Duration) {
        self.last().insert(thread, (cleaned, took));
    }

    /// Sets how many threads have ended though nobody told them to.
    pub fn set_dead_threads(&self, count: usize) {
        self.dead_threads.store(count, Ordering::Relaxed);
    }

    /// The largest dirty ratio of all logs, in percent.
    pub fn ratio_max_percent(&self) -> i64 {
        self.ratio_max_percent.load(Ordering::Relaxed)
    }

    /// The longest that records have waited beyond `max.compaction.lag.ms`.
    pub fn overdue_max_seconds(&self) -> i64 {
        self.overdue_max_ms.load(Ordering::Relaxed) / 1000
    }

    /// How long ago the dirtiest log was last looked for; 0 before that.
    pub fn since_last_run_ms(&self, now: Timestamp) -> i64 {
        match self.last_run.load(Ordering::Relaxed) {
            0 => 0,
            last => now.0.saturating_sub(last).max(0),
        }
    }

    /// Threads that ended though nobody told them to.
    pub fn dead_threads(&self) -> usize {
        self.dead_threads.load(Ordering::Relaxed)
    }

    /// The last cleanings of all threads together.
    pub fn last_cleanings(&self) -> LastCleanings {
        let last = self.last();
        let (read, written) = last.values().fold((0, 0), |(read, written), (cleaned, _)| {
            (read + cleaned.bytes_read, written + cleaned.bytes_written)
        });
        let fullest = last.values().map(|(cleaned, _)| cleaned.map_utilization).fold(0.0, f64::max);
        LastCleanings {
            map_utilization_percent: (100.0 * fullest) as i64,
            recopy_percent: (100.0 * written as f64 / read.max(1) as f64) as i64,
            seconds_max: last.values().map(|(_, took)| took.as_secs()).max().unwrap_or(0),
        }
    }

    fn last(&self) -> MutexGuard<'_, BTreeMap<usize, (Cleaned, Duration)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cleaning_of_each_thread_counts() {
        let metrics = CleanerMetrics::default();
        assert_eq!(metrics.last_cleanings(), LastCleanings::default());
        assert_eq!(metrics.since_last_run_ms(Timestamp(5)), 0);
        let cleaned = |bytes_read, bytes_written, map_utilization| Cleaned {
            bytes_read,
            bytes_written,
            map_utilization,
            ..Cleaned::default()
        };
        metrics.cleaned(0, cleaned(1000, 1000, 0.9), Duration::from_secs(50));
        metrics.cleaned(0, cleaned(100, 50, 0.5), Duration::from_secs(3));
        metrics.cleaned(1, cleaned(300, 50, 0.25), Duration::from_secs(7));
        let expected = LastCleanings { map_utilization_percent: 50, recopy_percent: 25, seconds_max: 7 };
        assert_eq!(metrics.last_cleanings(), expected);
        metrics.looked(Timestamp(1000), 0.755, 2500);
        let told = (metrics.ratio_max_percent(), metrics.overdue_max_seconds());
        assert_eq!((told, metrics.since_last_run_ms(Timestamp(1700))), ((75, 2), 700));
    }
}
