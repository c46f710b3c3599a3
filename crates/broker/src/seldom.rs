//! Log lines that a stranger can cause as often as he likes: each is said at most once in ten seconds, with how many were
//! left unsaid in between.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const QUIET: Duration = Duration::from_secs(10);

/// How often one line is said.
#[derive(Debug, Default)]
pub struct Seldom {
    said: Mutex<Said>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Said {
    last: Option<Instant>,
    unsaid: u64,
}

impl Seldom {
    /// Not said yet.
    pub const fn new() -> Self {
        Self { said: Mutex::new(Said { last: None, unsaid: 0 }) }
    }

    /// How often it went unsaid since the last time, if it is due; otherwise counts it.
    pub fn due(&self, now: Instant) -> Option<u64> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.last.is_some_and(|last| now.saturating_duration_since(last) < QUIET) {
            said.unsaid += 1;
            return None;
        }
        said.last = Some(now);
        Some(std::mem::take(&mut said.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_said_once_in_ten_seconds_with_the_count_of_the_others() {
        let line = Seldom::new();
        let start = Instant::now();
        let due = [0, 1, 9, 10, 20].map(|second| line.due(start + Duration::from_secs(second)));
        assert_eq!(due, [Some(0), None, None, Some(2), Some(0)]);
    }
}
