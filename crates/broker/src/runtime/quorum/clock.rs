//! The time that deadlines of the quorum are counted in: the wall clock's at the start, and from there on it only
//! goes forward.
//!
//! A wall clock that is set back between two looks at it would have an election stand in the future, a session last
//! an hour longer, a wait never end. What is written into records is stamped by the wall clock all the same.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use protocol::id::Timestamp;

/// Where time began to be counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    begun: Instant,
    at: Timestamp,
}

impl Clock {
    /// Begins at the wall clock's time.
    pub(super) fn start() -> Self {
        Self { begun: Instant::now(), at: wall() }
    }

    /// The time. Never earlier than it was told before.
    pub(super) fn now(self) -> Timestamp {
        let passed = i64::try_from(self.begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.at.0.saturating_add(passed))
    }
}

/// The time of the wall clock, for stamps.
pub(super) fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
