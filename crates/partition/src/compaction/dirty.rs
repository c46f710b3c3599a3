//! How much of a log waits for compaction, how far it may go now, and whether it is worth it.

use protocol::id::Timestamp;
use protocol::offset::Offset;

use super::CompactionRules;

/// What decides of one segment. The last one of a log is active.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentDirt {
    /// Its base offset.
    pub base_offset: Offset,
    /// Bytes of its batches.
    pub bytes: u64,
    /// Its largest timestamp; asked for only where `lag_min` is set.
    pub largest_timestamp: Timestamp,
    /// The timestamp of its first batch; asked for only where `lag_max` is set.
    pub first_timestamp: Timestamp,
}

/// A log as far as compaction asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogDirt<'a> {
    /// Its segments, oldest first; there is always one.
    pub segments: &'a [SegmentDirt],
    /// The log start.
    pub log_start: Offset,
    /// The log end.
    pub log_end: Offset,
    /// The last stable offset: what lies behind it is not decided yet, or not safe (KAFKA-13194).
    pub last_stable: Offset,
    /// `cleaner-offset-checkpoint`: up to here the log is clean.
    pub cleaned_to: Option<Offset>,
}

/// What of a log can be cleaned.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Cleanable {
    /// Where the dirty part begins.
    pub first_dirty: Offset,
    /// The base of the first segment that must stay as it is.
    pub first_uncleanable: Offset,
    /// Bytes of the segments in front of the dirty part.
    pub clean_bytes: u64,
    /// Bytes of the segments that can be cleaned.
    pub cleanable_bytes: u64,
    /// Whether a record has waited for longer than `max.compaction.lag.ms`; by how many milliseconds.
    pub overdue_ms: i64,
    /// Whether the checkpoint says what cannot be and must be put right.
    pub checkpoint_wrong: bool,
}

impl Cleanable {
    /// The dirty part of what a cleaning would read.
    pub fn ratio(&self) -> f64 {
        match self.clean_bytes + self.cleanable_bytes {
            0 => 0.0,
            total => self.cleanable_bytes as f64 / total as f64,
        }
    }

    /// Whether a cleaning is worth it, or promised.
    pub fn is_due(&self, rules: &CompactionRules) -> bool {
        let overdue = self.overdue_ms > 0 && self.cleanable_bytes > 0;
        overdue || self.ratio() > rules.dirty_ratio_min
    }
}

/// What of the log can be cleaned now.
pub fn cleanable(rules: &CompactionRules, log: &LogDirt<'_>, now: Timestamp) -> Cleanable {
    let checkpoint = log.cleaned_to.unwrap_or(log.log_start);
    let checkpoint_wrong = !(log.log_start..=log.log_end).contains(&checkpoint);
    let first_dirty = if checkpoint_wrong { log.log_start } else { checkpoint };
    let active = log.active_base();
    let mut limit = log.last_stable.min(active);
    if rules.lag_min.0 > 0 {
        let youngest = now.0.saturating_sub(rules.lag_min.0);
        let dirty = log.between(first_dirty, active).iter();
        let young = dirty.into_iter().find(|segment| segment.largest_timestamp.0 > youngest);
        limit = young.map_or(limit, |segment| limit.min(segment.base_offset));
    }
    // A segment is cleaned as a whole or not at all.
    let first_uncleanable = log.between(limit.max(first_dirty), active).first();
    let first_uncleanable = first_uncleanable.map_or(active, |segment| segment.base_offset);
    let bytes = |segments: &[SegmentDirt]| segments.iter().map(|segment| segment.bytes).sum();
    Cleanable {
        first_dirty,
        first_uncleanable,
        clean_bytes: bytes(log.before(first_dirty)),
        cleanable_bytes: bytes(log.between(first_dirty.min(first_uncleanable), first_uncleanable)),
        overdue_ms: overdue_ms(rules, log.between(first_dirty, active), now),
        checkpoint_wrong,
    }
}

fn overdue_ms(rules: &CompactionRules, dirty: &[SegmentDirt], now: Timestamp) -> i64 {
    let first = dirty.iter().map(|segment| segment.first_timestamp.0).filter(|timestamp| *timestamp > 0);
    let until = now.0.saturating_sub(rules.lag_max.0.max(0));
    first.min().map_or(0, |first| until.saturating_sub(first).max(0))
}

impl<'a> LogDirt<'a> {
    fn active_base(&self) -> Offset {
        self.segments.last().map_or(self.log_end, |segment| segment.base_offset)
    }

    fn before(&self, end: Offset) -> &'a [SegmentDirt] {
        &self.segments[..self.segments.partition_point(|segment| segment.base_offset < end)]
    }

    /// The segments from the one that holds `from` to before `end`.
    fn between(&self, from: Offset, end: Offset) -> &'a [SegmentDirt] {
        let first = self.segments.partition_point(|segment| segment.base_offset <= from).saturating_sub(1);
        let before = self.before(end);
        if from > end { &[] } else { before.get(first..).unwrap_or_default() }
    }
}
