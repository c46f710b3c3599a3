//! Which leader wrote from which offset on: the cache behind OffsetForLeaderEpoch, divergence checks and the
//! `leader-epoch-checkpoint` file (KIP-101, KIP-279, KIP-320).
//!
//! Epochs and start offsets both go up from entry to entry. An epoch may have no record at all: it is assigned when a
//! leader begins, so that a follower can be told where to cut even then.

use protocol::id::LeaderEpoch;
use protocol::offset::Offset;

/// The first offset of one leader's reign.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEntry {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// The offset of its first record.
    pub start_offset: Offset,
}

/// The epochs of one log, oldest first.
#[derive(Clone, Debug, Default)]
pub struct LeaderEpochs {
    entries: Entries,
}

/// A single entry lies in place: most of very many logs have one for long.
#[derive(Clone, Debug)]
enum Entries {
    One([EpochEntry; 1]),
    Any(Vec<EpochEntry>),
}

impl Entries {
    fn of(entries: Vec<EpochEntry>) -> Self {
        match entries[..] {
            [] => Self::default(),
            [entry] => Self::One([entry]),
            _ => Self::Any(entries),
        }
    }
}

/// Whether another entry behind these would say anything new.
fn would_change(entries: &[EpochEntry], entry: &EpochEntry) -> bool {
    match entries.last() {
        _ if entry.epoch.0 < 0 => false,
        Some(last) => entry.epoch != last.epoch || entry.start_offset < last.start_offset,
        None => true,
    }
}

/// How many of these an entry behind them does not contradict.
fn uncontradicted(entries: &[EpochEntry], entry: &EpochEntry) -> usize {
    let stands = |known: &EpochEntry| known.epoch < entry.epoch && known.start_offset < entry.start_offset;
    entries.iter().rposition(stands).map_or(0, |last| last + 1)
}

impl Default for Entries {
    fn default() -> Self {
        Self::Any(Vec::new())
    }
}

impl PartialEq for LeaderEpochs {
    fn eq(&self, other: &Self) -> bool {
        self.entries() == other.entries()
    }
}

impl Eq for LeaderEpochs {}

impl LeaderEpochs {
    /// Takes what a checkpoint holds. Entries that contradict later ones give way to them. There is room for one more: who is
    /// started leads in a new epoch, and of very many logs none is to leave behind what it has outgrown.
    pub fn from_entries(entries: impl IntoIterator<Item = EpochEntry>) -> Self {
        let entries = entries.into_iter();
        let mut known: Vec<EpochEntry> = Vec::with_capacity(entries.size_hint().0.saturating_add(1));
        for entry in entries {
            if would_change(&known, &entry) {
                known.truncate(uncontradicted(&known, &entry));
                known.push(entry);
            }
        }
        Self { entries: Entries::of(known) }
    }

    /// The entries, oldest first.
    pub fn entries(&self) -> &[EpochEntry] {
        match &self.entries {
            Entries::One(entry) => entry,
            Entries::Any(entries) => entries,
        }
    }

    /// Changes the entries, which happens rarely: room is kept for no more than there are.
    fn change(&mut self, change: impl FnOnce(&mut Vec<EpochEntry>)) {
        let mut entries = self.entries().to_vec();
        change(&mut entries);
        entries.shrink_to_fit();
        self.entries = Entries::of(entries);
    }

    /// The newest epoch.
    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.entries().last().map(|entry| entry.epoch)
    }

    /// Whether assigning this would change anything.
    pub fn would_change(&self, epoch: LeaderEpoch, start_offset: Offset) -> bool {
        would_change(self.entries(), &EpochEntry { epoch, start_offset })
    }

    /// Notes that `epoch` begins at `start_offset`; says whether that was news. Entries it contradicts are
    /// dropped. Batches without an epoch change nothing.
    pub fn assign(&mut self, epoch: LeaderEpoch, start_offset: Offset) -> bool {
        let entry = EpochEntry { epoch, start_offset };
        if !would_change(self.entries(), &entry) {
            return false;
        }
        let kept = uncontradicted(self.entries(), &entry);
        match &mut self.entries {
            Entries::Any(entries) if kept > 0 => {
                entries.truncate(kept);
                entries.reserve_exact(1);
                entries.push(entry);
            }
            Entries::One([first]) if kept > 0 => self.entries = Entries::Any(vec![*first, entry]),
            _ => self.entries = Entries::One([entry]),
        }
        true
    }

    /// The largest epoch not above `requested` that is known, with the offset where the next one begins; `None`
    /// where nothing can be said.
    pub fn end_offset_for(&self, requested: LeaderEpoch, log_end: Offset) -> Option<EpochEnd> {
        if requested == LeaderEpoch::NONE {
            return None;
        }
        if self.latest() == Some(requested) {
            return Some(EpochEnd { epoch: requested, end_offset: log_end });
        }
        let entries = self.entries();
        let above = entries.partition_point(|entry| entry.epoch <= requested);
        let end_offset = entries.get(above)?.start_offset;
        // An epoch before the first one known ended where that one begins.
        let epoch = above.checked_sub(1).map_or(requested, |floor| entries[floor].epoch);
        Some(EpochEnd { epoch, end_offset })
    }

    /// The epoch of the record at `offset`.
    pub fn epoch_for(&self, offset: Offset) -> Option<LeaderEpoch> {
        let entries = self.entries();
        let above = entries.partition_point(|entry| entry.start_offset <= offset);
        above.checked_sub(1).map(|at| entries[at].epoch)
    }

    /// Forgets what begins at or behind a new log end; says whether that was anything.
    pub fn truncate_from_end(&mut self, log_end: Offset) -> bool {
        let keep = self.entries().partition_point(|entry| entry.start_offset < log_end);
        let dropped = keep < self.entries().len();
        if dropped {
            self.change(|entries| entries.truncate(keep));
        }
        dropped
    }

    /// Forgets what ended before a new log start; the epoch that the first record belongs to then begins there.
    pub fn truncate_from_start(&mut self, log_start: Offset) -> bool {
        let above = self.entries().partition_point(|entry| entry.start_offset <= log_start);
        let Some(current) = above.checked_sub(1) else { return false };
        if current == 0 && self.entries()[0].start_offset == log_start {
            return false;
        }
        self.change(|entries| {
            entries[current].start_offset = log_start;
            entries.drain(..current);
        });
        true
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries = Entries::default();
    }
}

/// Where an epoch ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEnd {
    /// The epoch asked for, or the largest known one below it.
    pub epoch: LeaderEpoch,
    /// The offset behind its last record.
    pub end_offset: Offset,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Entries = &'static [(i32, i64)];

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        let entry = |&(epoch, start)| EpochEntry { epoch: LeaderEpoch(epoch), start_offset: Offset(start) };
        let mut cache = LeaderEpochs::default();
        cache.change(|known| known.extend(entries.iter().map(entry)));
        cache
    }

    #[test]
    fn assigning_drops_what_it_contradicts() {
        let table: [(Entries, (i32, i64), Entries); 8] = [
            (&[], (0, 0), &[(0, 0)]),
            (&[(0, 0)], (0, 5), &[(0, 0)]),
            (&[(0, 5)], (0, 3), &[(0, 3)]),
            (&[(0, 0)], (2, 10), &[(0, 0), (2, 10)]),
            (&[(0, 0), (2, 10)], (3, 10), &[(0, 0), (3, 10)]),
            (&[(0, 0), (2, 10)], (1, 10), &[(0, 0), (1, 10)]),
            (&[(0, 0), (2, 10), (3, 20)], (4, 5), &[(0, 0), (4, 5)]),
            (&[(4, 5)], (-1, 9), &[(4, 5)]),
        ];
        for (before, (epoch, start), after) in table {
            let mut cache = epochs(before);
            let changed = cache.assign(LeaderEpoch(epoch), Offset(start));
            assert_eq!(cache, epochs(after), "{before:?} and then {epoch} from {start}");
            assert_eq!(changed, before != after);
        }
    }

    #[test]
    fn who_is_started_and_leads_leaves_behind_nothing_it_has_outgrown() {
        let entry = |at: i32| EpochEntry { epoch: LeaderEpoch(at), start_offset: Offset(at.into()) };
        for count in 0..6 {
            let mut cache = LeaderEpochs::from_entries((0..count).map(entry));
            let (before, held) = (cache.entries().as_ptr(), count > 1);
            assert!(cache.assign(LeaderEpoch(count), Offset(count.into())));
            assert_eq!(cache.entries(), (0..=count).map(entry).collect::<Vec<_>>());
            assert!(!held || cache.entries().as_ptr() == before, "{count} lay elsewhere before");
            if let super::Entries::Any(entries) = &cache.entries {
                assert_eq!(entries.capacity(), entries.len());
            }
        }
    }

    #[test]
    fn end_offsets_are_those_of_kafka() {
        let cache = epochs(&[(2, 10), (4, 30), (5, 40)]);
        let table = [
            (-1, None),
            (0, Some((0, 10))),
            (2, Some((2, 30))),
            (3, Some((2, 30))),
            (4, Some((4, 40))),
            (5, Some((5, 99))),
            (6, None),
        ];
        for (requested, expected) in table {
            let found = cache.end_offset_for(LeaderEpoch(requested), Offset(99));
            assert_eq!(found.map(|end| (end.epoch.0, end.end_offset.0)), expected, "epoch {requested}");
        }
        assert_eq!(epochs(&[]).end_offset_for(LeaderEpoch(0), Offset(99)), None);
    }

    #[test]
    fn truncation_keeps_the_epoch_of_the_first_record() {
        let mut cache = epochs(&[(0, 0), (1, 10), (2, 20)]);
        assert!(cache.truncate_from_start(Offset(15)));
        assert_eq!(cache, epochs(&[(1, 15), (2, 20)]));
        assert!(!cache.truncate_from_start(Offset(15)));
        assert!(!cache.truncate_from_start(Offset(3)));
        assert!(cache.truncate_from_end(Offset(20)));
        assert_eq!(cache, epochs(&[(1, 15)]));
        assert!(!cache.truncate_from_end(Offset(16)));
        assert!(cache.truncate_from_start(Offset(50)));
        assert_eq!(cache, epochs(&[(1, 50)]));
    }

    proptest! {
        /// The cache against a scan of a log that holds the epoch of each record.
        #[test]
        fn cache_agrees_with_a_scan(
            steps in proptest::collection::vec((0..3_i32, 1..4_usize), 1..20),
            cuts in proptest::collection::vec((any::<bool>(), 0..60_i64), 0..6),
        ) {
            let mut log: Vec<LeaderEpoch> = Vec::new();
            let mut cache = LeaderEpochs::default();
            let mut epoch = 0;
            for (up, records) in steps {
                epoch += up;
                cache.assign(LeaderEpoch(epoch), Offset(log.len() as i64));
                log.extend(std::iter::repeat_n(LeaderEpoch(epoch), records));
            }
            let mut start = 0_usize;
            for (from_end, at) in cuts {
                let at = (at as usize).clamp(start, log.len());
                if from_end {
                    log.truncate(at);
                    cache.truncate_from_end(Offset(at as i64));
                } else {
                    start = at;
                    cache.truncate_from_start(Offset(at as i64));
                }
            }
            for (offset, &epoch) in log.iter().enumerate().skip(start) {
                prop_assert_eq!(cache.epoch_for(Offset(offset as i64)), Some(epoch));
            }
            for requested in 0..=epoch {
                let known = log[start..].iter().rposition(|&at| at.0 == requested).map(|last| start + last + 1);
                if let Some(end) = known {
                    let found = cache.end_offset_for(LeaderEpoch(requested), Offset(log.len() as i64));
                    let expected = EpochEnd { epoch: LeaderEpoch(requested), end_offset: Offset(end as i64) };
                    prop_assert_eq!(found, Some(expected));
                }
            }
        }
    }
}
