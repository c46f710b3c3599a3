//! When what lies at the end of a log was written: what came within the last seconds is in memory, and what has lain there for
//! long may have been taken out of it, however close to the end it is. Noted by the log with each append, read with each slice;
//! it knows no clock and decides nothing.

use protocol::id::Timestamp;
use protocol::offset::Offset;

/// A mark is set so often at most, in seconds.
const EVERY: u32 = 5;

/// The last two marks of a log. A log that is written to at all has one that is [`EVERY`] old or less for what came since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WrittenLately {
    newer: Mark,
    older: Mark,
}

/// What begins here was written in this second or later.
#[derive(Clone, Copy, Debug)]
struct Mark {
    from: Offset,
    /// Since 1970: a log has room for two of these, and very many logs are kept.
    second: u32,
}

impl Default for WrittenLately {
    fn default() -> Self {
        let nothing = Mark { from: Offset(i64::MAX), second: 0 };
        Self { newer: nothing, older: nothing }
    }
}

impl WrittenLately {
    /// Something is about to be appended at `end`.
    pub(crate) fn note(&mut self, now: Timestamp, end: Offset) {
        let second = u32::try_from(now.0 / 1000).unwrap_or(0);
        // A clock that was set back begins anew.
        if second.wrapping_sub(self.newer.second) >= EVERY {
            self.older = self.newer;
            self.newer = Mark { from: end, second };
        }
    }

    /// When all that begins at `from` was written, at the earliest; `None` where that is long ago or not known.
    pub(crate) fn since(&self, from: Offset) -> Option<Timestamp> {
        let mark = [self.newer, self.older].into_iter().find(|mark| from >= mark.from)?;
        Some(Timestamp(i64::from(mark.second) * 1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_is_known_to_be_no_older_than_the_mark_before_it() {
        let mut written = WrittenLately::default();
        assert_eq!(written.since(Offset(0)), None);
        let seconds = |second: i64| Some(Timestamp(second * 1000));
        for second in 100..=112 {
            written.note(Timestamp(second * 1000 + 7), Offset(second));
            assert_eq!(written.since(Offset(second)), seconds(second - second % 5));
        }
        let known = [104, 105, 109, 110, 112].map(|offset| written.since(Offset(offset)));
        assert_eq!(known, [None, seconds(105), seconds(105), seconds(110), seconds(110)]);
    }

    #[test]
    fn a_log_that_is_seldom_written_to_tells_of_its_last_record() {
        let mut written = WrittenLately::default();
        for hour in 1..5 {
            written.note(Timestamp(hour * 3_600_000), Offset(hour));
        }
        assert_eq!(written.since(Offset(4)), Some(Timestamp(4 * 3_600_000)));
        assert_eq!(written.since(Offset(3)), Some(Timestamp(3 * 3_600_000)));
        assert_eq!(written.since(Offset(2)), None);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nothing_younger() {
        let mut written = WrittenLately::default();
        written.note(Timestamp(1_000_000), Offset(1));
        written.note(Timestamp(500_000), Offset(2));
        assert_eq!(written.since(Offset(1)), Some(Timestamp(1_000_000)));
        assert_eq!(written.since(Offset(2)), Some(Timestamp(500_000)));
    }
}
