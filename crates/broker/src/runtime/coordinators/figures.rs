//! What the coordinators of one kind have come to since the broker began, for metrics.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::metrics::Counter;
use crate::metrics::histogram::Histogram;

/// Counts and times. Only atomics: whoever asks for them waits for no shard.
#[derive(Debug, Default)]
pub struct Figures {
    /// How long loads took that came to their end.
    pub loads: Histogram,
    /// How many wait for a shard.
    waiting: AtomicUsize,
    /// How long they waited.
    pub queued: Histogram,
    /// How long they had it, the write of its log included; of who is answered on the spot, since it was heard of.
    pub processed: Histogram,
    /// How long those writes took.
    pub flushed: Histogram,
    /// Classic groups in which the leader has assigned anew.
    pub classic_rebalances: Counter,
    /// Epochs that consumer groups came to because somebody asked for something else, or topics changed.
    pub consumer_rebalances: Counter,
    /// The same of streams groups.
    pub streams_rebalances: Counter,
    /// Offsets that were kept for long enough.
    pub offset_expirations: Counter,
    /// Offsets that were taken away because somebody asked for it, or their topic is gone.
    pub offset_deletions: Counter,
    /// Transactions that were aborted because they ran out of time.
    pub transactions_timed_out: Counter,
}

/// One that waits for a shard.
pub struct Waiting<'f> {
    figures: &'f Figures,
    since: Instant,
}

impl Figures {
    /// Somebody comes for a shard.
    pub fn comes(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting { figures: self, since: Instant::now() }
    }

    /// How many wait for a shard now.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A log was replayed whole.
    pub fn loaded(&self, took: Duration) {
        self.loads.note(took);
    }

    /// Somebody was answered on the spot, so long after the request had come.
    pub fn answered_at_once(&self, took: Duration) {
        self.queued.note(Duration::ZERO);
        self.processed.note(took);
    }

    /// Somebody has come for a shard that nobody had.
    pub fn has_come(&self) -> Instant {
        self.queued.note(Duration::ZERO);
        Instant::now()
    }
}

impl Waiting<'_> {
    /// It has the shard, from now on.
    pub fn has_it(self) -> Instant {
        let now = Instant::now();
        self.figures.queued.note(now - self.since);
        now
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.figures.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
