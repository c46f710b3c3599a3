//! Which segments may go: what lies before the log start, what is too much, what is too old.
//!
//! Segments go from the front, whole, and never past the high watermark. That the last one may go too is right: a new
//! one is rolled at the log end first (KAFKA-5634).

use protocol::id::Timestamp;
use protocol::offset::Offset;

use crate::rules::Millis;
use crate::watermarks::Watermarks;

/// What the topic says about keeping records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetentionRules {
    /// Whether `cleanup.policy` names delete; without it only what lies before the log start goes.
    pub delete: bool,
    /// `retention.ms`; `None` for ever.
    pub time: Option<Millis>,
    /// `retention.bytes`; `None` for no limit.
    pub bytes: Option<u64>,
}

/// One segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentSummary {
    /// Its base offset.
    pub base_offset: Offset,
    /// Its bytes.
    pub bytes: u64,
    /// The largest timestamp of its records, or when its file was last changed where there is none.
    pub largest_timestamp: Timestamp,
}

/// Why a segment goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RetentionReason {
    /// It lies before the log start.
    LogStart,
    /// The log is larger than `retention.bytes`.
    Bytes,
    /// It is older than `retention.ms`.
    Time,
}

/// How many segments go from the front, each with its reason.
pub fn plan(
    rules: &RetentionRules,
    segments: &[SegmentSummary],
    watermarks: &Watermarks,
    now: Timestamp,
) -> Vec<RetentionReason> {
    let mut reasons = Vec::new();
    let log = Log { segments, watermarks };
    while log.may_go(reasons.len()) && log.lies_before_start(reasons.len()) {
        reasons.push(RetentionReason::LogStart);
    }
    if !rules.delete {
        return reasons;
    }
    if let Some(limit) = rules.bytes {
        let total: u64 = segments[reasons.len()..].iter().map(|segment| segment.bytes).sum();
        let mut surplus = total.saturating_sub(limit);
        while log.may_go(reasons.len()) && total >= limit && surplus >= segments[reasons.len()].bytes {
            surplus -= segments[reasons.len()].bytes;
            reasons.push(RetentionReason::Bytes);
        }
    }
    if let Some(limit) = rules.time {
        while log.may_go(reasons.len())
            && now.0.saturating_sub(segments[reasons.len()].largest_timestamp.0) > limit.0
        {
            reasons.push(RetentionReason::Time);
        }
    }
    reasons
}

struct Log<'a> {
    segments: &'a [SegmentSummary],
    watermarks: &'a Watermarks,
}

impl Log<'_> {
    /// Whether the segment is there, ends at or below the high watermark, and is not the empty last one.
    fn may_go(&self, at: usize) -> bool {
        let Some(segment) = self.segments.get(at) else { return false };
        let next = self.segments.get(at + 1);
        let end = next.map_or(self.watermarks.log_end, |next| next.base_offset);
        self.watermarks.high_watermark >= end && (next.is_some() || segment.bytes > 0)
    }

    fn lies_before_start(&self, at: usize) -> bool {
        self.segments.get(at + 1).is_some_and(|next| next.base_offset <= self.watermarks.log_start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOREVER: RetentionRules = RetentionRules { delete: true, time: None, bytes: None };

    fn segments() -> Vec<SegmentSummary> {
        let segment = |(base, bytes, timestamp)| SegmentSummary {
            base_offset: Offset(base),
            bytes,
            largest_timestamp: Timestamp(timestamp),
        };
        [(0, 100, 1000), (10, 100, 2000), (20, 100, 3000), (30, 50, 4000)].map(segment).into()
    }

    fn count(rules: RetentionRules, log_start: i64, high_watermark: i64, now: i64) -> usize {
        let watermarks = Watermarks::new(Offset(log_start), Offset(high_watermark), Offset(40));
        plan(&rules, &segments(), &watermarks, Timestamp(now)).len()
    }

    #[test]
    fn nothing_goes_where_retention_is_for_ever() {
        assert_eq!(count(FOREVER, 0, 40, i64::MAX), 0);
    }

    #[test]
    fn age_takes_from_the_front_and_the_last_one_too() {
        let rules = RetentionRules { time: Some(Millis(500)), ..FOREVER };
        for (now, expected) in [(1500, 0), (1501, 1), (2501, 2), (4500, 3), (4501, 4)] {
            assert_eq!(count(rules, 0, 40, now), expected, "at {now}");
        }
    }

    #[test]
    fn size_leaves_at_least_the_limit() {
        for (limit, expected) in [(400, 0), (350, 0), (251, 0), (250, 1), (150, 2), (50, 3), (0, 4)] {
            assert_eq!(
                count(RetentionRules { bytes: Some(limit), ..FOREVER }, 0, 40, 0),
                expected,
                "to {limit}"
            );
        }
    }

    #[test]
    fn nothing_goes_past_the_high_watermark() {
        let rules = RetentionRules { time: Some(Millis(0)), ..FOREVER };
        for (high_watermark, expected) in [(0, 0), (9, 0), (10, 1), (29, 2), (39, 3), (40, 4)] {
            assert_eq!(count(rules, 0, high_watermark, 9000), expected, "at {high_watermark}");
        }
    }

    #[test]
    fn what_lies_before_the_log_start_goes_without_the_delete_policy() {
        let rules = RetentionRules { delete: false, time: Some(Millis(0)), bytes: Some(0) };
        for (log_start, expected) in [(0, 0), (9, 0), (10, 1), (35, 3)] {
            assert_eq!(count(rules, log_start, 40, 9000), expected, "from {log_start}");
        }
    }

    #[test]
    fn an_empty_last_segment_stays() {
        let mut segments = segments();
        segments[3].bytes = 0;
        let rules = RetentionRules { time: Some(Millis(0)), ..FOREVER };
        let watermarks = Watermarks::new(Offset(0), Offset(40), Offset(40));
        assert_eq!(plan(&rules, &segments, &watermarks, Timestamp(9000)).len(), 3);
    }
}
