//! When what lies at the end of a log was written: what came within the last seconds is in memory, and what has lain there for
//! long may have been taken out of it, however close to the end it is. Noted by the log with each append, read with each slice;
//! it knows no clock and decides nothing.

use protocol::id::Timestamp;
use protocol::offset::Offset;

/// A mark is set so often at most, in seconds.
const EVERY: u32 = 5;
/// The mark before one is known if it was set so many seconds earlier at most: of a log that is written to all the time it is.
const BEFORE_MAX: u32 = 2 * EVERY;

/// The last two marks of a log. Very many logs have one of these each, hence the small numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WrittenLately {
    /// What begins here was written in this second or later.
    from: Offset,
    /// Since 1970.
    second: u32,
    /// What begins so many offsets before that was written [`BEFORE_MAX`] seconds before, or later.
    before: u32,
}

impl Default for WrittenLately {
    fn default() -> Self {
        Self { from: Offset(i64::MAX), second: 0, before: 0 }
    }
}

impl WrittenLately {
    /// Something is about to be appended at `end`.
    pub(crate) fn note(&mut self, now: Timestamp, end: Offset) {
        let second = u32::try_from(now.0 / 1000).unwrap_or(0);
        // A clock that was set back begins anew.
        let passed = second.wrapping_sub(self.second);
        if passed >= EVERY {
            let since = u32::try_from(end.0.saturating_sub(self.from.0)).unwrap_or(0);
            *self = Self { from: end, second, before: if passed <= BEFORE_MAX { since } else { 0 } };
        }
    }

    /// When all that begins at `from` was written, at the earliest; `None` where that is long ago or not known.
    pub(crate) fn since(&self, from: Offset) -> Option<Timestamp> {
        let second = if from >= self.from {
            self.second
        } else if from.0 >= self.from.0.saturating_sub(self.before.into()) {
            self.second.saturating_sub(BEFORE_MAX)
        } else {
            return None;
        };
        Some(Timestamp(i64::from(second) * 1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: fn(i64) -> Option<Timestamp> = |second| Some(Timestamp(second * 1000));

    #[test]
    fn each_record_is_known_to_be_no_older_than_the_mark_before_it() {
        let mut written = WrittenLately::default();
        assert_eq!(written.since(Offset(0)), None);
        for second in 100..=112 {
            written.note(Timestamp(second * 1000 + 7), Offset(second));
            assert_eq!(written.since(Offset(second)), SECONDS(second - second % 5));
        }
        let known = [104, 105, 109, 110, 112].map(|offset| written.since(Offset(offset)));
        assert_eq!(known, [None, SECONDS(100), SECONDS(100), SECONDS(110), SECONDS(110)]);
    }

    #[test]
    fn a_log_that_is_seldom_written_to_tells_of_its_last_record() {
        let mut written = WrittenLately::default();
        for minute in 1..5 {
            written.note(Timestamp(minute * 60_000), Offset(minute));
        }
        assert_eq!(written.since(Offset(4)), SECONDS(240));
        assert_eq!(written.since(Offset(3)), None);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nothing_younger() {
        let mut written = WrittenLately::default();
        written.note(Timestamp(1_000_000), Offset(1));
        written.note(Timestamp(500_000), Offset(2));
        assert_eq!(written.since(Offset(1)), None);
        assert_eq!(written.since(Offset(2)), SECONDS(500));
    }

    #[test]
    fn of_more_than_can_be_counted_nothing_is_said() {
        let mut written = WrittenLately::default();
        written.note(Timestamp(1_000_000), Offset(0));
        written.note(Timestamp(1_006_000), Offset(1 << 32));
        assert_eq!(written.since(Offset(1 << 31)), None);
        assert_eq!(written.since(Offset(1 << 32)), SECONDS(1_006));
    }
}
