//! When the active segment is full: by size, by age, by its indexes, by the reach of their relative offsets.

use protocol::id::Timestamp;
use protocol::offset::{LastOffset, Offset};

use crate::rules::Millis;

/// What the topic says about segments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RollRules {
    /// `segment.bytes`.
    pub segment_bytes: u32,
    /// `segment.ms`, or `max.compaction.lag.ms` if that is smaller and the topic is compacted.
    pub segment_age_max: Millis,
    /// `segment.index.bytes`.
    pub index_bytes: u32,
}

/// The active segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ActiveSegment {
    /// Its base offset.
    pub base_offset: Offset,
    /// Its bytes.
    pub bytes: u64,
    /// When it was created.
    pub created: Timestamp,
    /// The largest timestamp of its first batch; `None` while it is empty.
    pub first_batch_timestamp: Option<Timestamp>,
    /// Taken off its greatest age, at random up to `segment.jitter.ms`, so that not all segments roll at once.
    pub jitter: Millis,
    /// Entries in its offset index, or more than it has where the rules hold those too.
    pub offset_index_entries: u32,
    /// Entries in its time index, as above.
    pub time_index_entries: u32,
}

/// What is about to be appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Incoming {
    /// Its bytes.
    pub bytes: u64,
    /// Its last record.
    pub last_offset: LastOffset,
    /// Its largest timestamp.
    pub max_timestamp: Timestamp,
}

const OFFSET_INDEX_ENTRY_BYTES: u32 = 8;
const TIME_INDEX_ENTRY_BYTES: u32 = 12;

impl RollRules {
    /// Whether either index has room beside so many entries.
    pub fn index_holds(&self, entries: u32) -> bool {
        !self.is_full(entries, entries)
    }

    fn is_full(&self, offset_index_entries: u32, time_index_entries: u32) -> bool {
        offset_index_entries >= self.index_bytes / OFFSET_INDEX_ENTRY_BYTES
            // One entry of the time index is kept for the largest timestamp when the segment is closed.
            || time_index_entries.saturating_add(1) >= self.index_bytes / TIME_INDEX_ENTRY_BYTES
    }
}

/// Whether a new segment must begin before `incoming` is appended.
pub fn should_roll(rules: &RollRules, segment: &ActiveSegment, incoming: &Incoming, now: Timestamp) -> bool {
    let too_large = segment.bytes + incoming.bytes > u64::from(rules.segment_bytes);
    let age_max = rules.segment_age_max.0.saturating_sub(segment.jitter.0);
    let too_old = segment.bytes > 0 && waited(segment, incoming.max_timestamp, now).0 > age_max;
    let index_full = rules.is_full(segment.offset_index_entries, segment.time_index_entries);
    let relative = incoming.last_offset.0.saturating_sub(segment.base_offset.0);
    let out_of_reach = !(0..=i64::from(i32::MAX)).contains(&relative);
    too_large || too_old || index_full || out_of_reach
}

/// How long the segment has waited: by the timestamps of its first batch and the incoming one where there are any, else
/// by the clock.
fn waited(segment: &ActiveSegment, incoming: Timestamp, now: Timestamp) -> Millis {
    match segment.first_batch_timestamp {
        Some(first) if first.0 >= 0 => Millis(incoming.0.saturating_sub(first.0)),
        _ => Millis(now.0.saturating_sub(segment.created.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: RollRules = RollRules { segment_bytes: 1000, segment_age_max: Millis(100), index_bytes: 96 };
    const SEGMENT: ActiveSegment = ActiveSegment {
        base_offset: Offset(50),
        bytes: 500,
        created: Timestamp(1000),
        first_batch_timestamp: Some(Timestamp(1000)),
        jitter: Millis(0),
        offset_index_entries: 2,
        time_index_entries: 2,
    };
    const INCOMING: Incoming =
        Incoming { bytes: 100, last_offset: LastOffset(60), max_timestamp: Timestamp(1050) };

    #[test]
    fn each_bound_rolls_just_past_it() {
        let now = Timestamp(1050);
        assert!(!should_roll(&RULES, &SEGMENT, &INCOMING, now));
        let table: [(&str, ActiveSegment, Incoming, bool); 13] = [
            ("full to the byte", ActiveSegment { bytes: 900, ..SEGMENT }, INCOMING, false),
            ("a byte over", ActiveSegment { bytes: 901, ..SEGMENT }, INCOMING, true),
            ("of the greatest age", SEGMENT, Incoming { max_timestamp: Timestamp(1100), ..INCOMING }, false),
            ("too old", SEGMENT, Incoming { max_timestamp: Timestamp(1101), ..INCOMING }, true),
            ("too old with jitter", ActiveSegment { jitter: Millis(51), ..SEGMENT }, INCOMING, true),
            (
                "empty however old",
                ActiveSegment { bytes: 0, first_batch_timestamp: None, created: Timestamp(0), ..SEGMENT },
                INCOMING,
                false,
            ),
            (
                "without timestamps, by the clock",
                ActiveSegment {
                    first_batch_timestamp: Some(Timestamp(-1)),
                    created: Timestamp(949),
                    ..SEGMENT
                },
                INCOMING,
                true,
            ),
            (
                "offset index nearly full",
                ActiveSegment { offset_index_entries: 11, ..SEGMENT },
                INCOMING,
                false,
            ),
            ("offset index full", ActiveSegment { offset_index_entries: 12, ..SEGMENT }, INCOMING, true),
            ("time index nearly full", ActiveSegment { time_index_entries: 6, ..SEGMENT }, INCOMING, false),
            ("time index full", ActiveSegment { time_index_entries: 7, ..SEGMENT }, INCOMING, true),
            (
                "the last offset in reach",
                SEGMENT,
                Incoming { last_offset: LastOffset(50 + i32::MAX as i64), ..INCOMING },
                false,
            ),
            (
                "an offset out of reach",
                SEGMENT,
                Incoming { last_offset: LastOffset(51 + i32::MAX as i64), ..INCOMING },
                true,
            ),
        ];
        for (name, segment, incoming, expected) in table {
            assert_eq!(should_roll(&RULES, &segment, &incoming, now), expected, "{name}");
        }
    }
}
