//! Ids that were given out and not yet used to join, each until it lapses (KIP-394).
//!
//! Whoever asks for ids and never joins with them has them kept for a session, which may be half an hour, and may make them
//! long: beyond a bound those lapse at once that were given out first. An id is used at once where it is used at all; who comes
//! with one of these hears that it is unknown, as if it had come too late, and asks anew.

use protocol::id::Timestamp;

use crate::group::MemberId;
use crate::group::few::Few;

/// What the ids of one group may take together, with what keeping each takes besides: some seven thousand of usual length.
const BYTES_MAX: usize = 1 << 20;
const OVERHEAD: usize = 96;

/// The ids of one group. A copy of them costs little.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Promises {
    by_id: Few<MemberId, Promise>,
    by_time: Few<(Timestamp, MemberId), ()>,
    by_number: Few<u64, MemberId>,
    /// How many were ever given out.
    count: u64,
    bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Promise {
    until: Timestamp,
    number: u64,
}

impl Promises {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Whether this was given out and has not lapsed.
    pub fn contains(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// When the first of them lapses.
    pub fn due(&self) -> Option<Timestamp> {
        self.by_time.first().map(|((until, _), ())| *until)
    }

    /// Gives one out until then.
    pub fn give(&mut self, id: MemberId, until: Timestamp) {
        self.take(&id);
        self.count += 1;
        self.bytes += size(&id);
        self.by_time.insert((until, id.clone()), ());
        self.by_number.insert(self.count, id.clone());
        self.by_id.insert(id, Promise { until, number: self.count });
        while self.bytes > BYTES_MAX && self.by_id.len() > 1 {
            let Some(first) = self.by_number.first().map(|(_, id)| id.clone()) else { return };
            self.take(&first);
        }
    }

    /// It is used, or given up. Says whether there was one.
    pub fn take(&mut self, id: &str) -> bool {
        let Some((id, Promise { until, number })) = self.by_id.remove_entry(id) else { return false };
        self.bytes -= size(&id);
        self.by_number.remove(&number);
        self.by_time.remove(&(until, id));
        true
    }

    /// Those lapse whose time has come. Says whether there were any.
    pub fn lapse(&mut self, now: Timestamp) -> bool {
        let mut any = false;
        while let Some(((_, first), ())) = self.by_time.first().filter(|((until, _), ())| *until <= now) {
            let first = first.clone();
            any |= self.take(&first);
        }
        any
    }
}

fn size(id: &str) -> usize {
    id.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_lapse_when_their_time_has_come_and_not_before() {
        let mut promises = Promises::default();
        promises.give("a".into(), Timestamp(10));
        promises.give("b".into(), Timestamp(5));
        assert_eq!(promises.due(), Some(Timestamp(5)));
        assert!(!promises.lapse(Timestamp(4)));
        assert!(promises.lapse(Timestamp(5)));
        assert!(promises.contains("a") && !promises.contains("b"));
        promises.give("a".into(), Timestamp(20));
        assert_eq!(promises.due(), Some(Timestamp(20)));
        assert!(promises.take("a") && !promises.take("a"));
        assert_eq!(promises, Promises { count: 3, ..Promises::default() });
    }

    #[test]
    fn however_many_are_asked_for_they_take_no_more_than_so_much() {
        let mut promises = Promises::default();
        let id = |number: i64| format!("{}-{number:03}", "x".repeat(32_000));
        for number in 0..200 {
            promises.give(id(number).into(), Timestamp(1000 - number));
        }
        let kept = BYTES_MAX / size(&id(0));
        assert_eq!(promises.by_id.len(), kept);
        assert!(promises.contains(&id(199)) && !promises.contains(&id(0)), "the first go first");
        assert_eq!((promises.by_time.len(), promises.by_number.len()), (kept, kept));
        assert_eq!(promises.bytes, promises.by_id.keys().map(|id| size(id)).sum::<usize>());
        assert!(promises.lapse(Timestamp(1000)) && promises.bytes == 0);
    }
}
