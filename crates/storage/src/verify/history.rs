//! What the batches of one log say about producers and transactions, taken in from the front: what producer snapshots and
//! transaction indexes are held against.
//!
//! A log may not go back to its beginning, and compaction takes batches out of its midst; so a snapshot may know more than
//! the batches do, and only what contradicts them is wrong.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

use partition::producers::ProducerEntry;
use protocol::id::{LeaderEpoch, ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::offset::{LastOffset, Offset};
use protocol::records::batch::BatchHeader;
use protocol::records::batches::Batch;
use protocol::records::control::ControlRecord;

use super::{MADE_AGAIN, Report};

/// What one producer has come to.
#[derive(Clone, Copy)]
struct Producer {
    epoch: ProducerEpoch,
    last_sequence: Sequence,
    /// The last record of data; `None` after a marker of a later epoch.
    last_offset: Option<LastOffset>,
    timestamp: Timestamp,
    /// Where its last batch begins, of data or a marker.
    last_batch: Offset,
    /// The first record of the open transaction, as far as it is there and not before the log start.
    open: Option<Offset>,
    marker: Option<Offset>,
}

/// A transaction that a marker has aborted.
#[derive(Clone, Copy)]
pub(super) struct Aborted {
    pub(super) producer_id: ProducerId,
    /// The first of its records that is there and not before the log start.
    pub(super) first: Offset,
    /// Where the marker is.
    pub(super) last: Offset,
}

/// The batches so far.
#[derive(Default)]
pub(super) struct History {
    producers: BTreeMap<ProducerId, Producer>,
    epoch: Option<LeaderEpoch>,
    /// The transactions aborted in the segment at hand.
    aborted: Vec<Aborted>,
    /// Where markers of aborted transactions are in it, and those of which only the empty batch is left.
    markers: BTreeMap<Offset, Option<ProducerId>>,
    /// Whether a batch could not be read, so that nothing can be said any more.
    broken: bool,
    /// The snapshots of offsets still to come.
    snapshots: VecDeque<Snapshot>,
    /// What lies before it may be there still, and whoever has loaded the log since knows nothing of it.
    log_start: Offset,
}

/// A producer snapshot.
pub(super) struct Snapshot {
    pub(super) offset: Offset,
    pub(super) path: PathBuf,
    pub(super) entries: Vec<ProducerEntry>,
}

impl History {
    /// Nothing yet of a log that begins at `log_start`, and the snapshots to come, in order.
    pub(super) fn new(snapshots: VecDeque<Snapshot>, log_start: Offset) -> Self {
        Self { snapshots, log_start, ..Self::default() }
    }

    /// Holds against the batches so far the snapshots up to this offset, behind all of them.
    pub(super) fn reach(&mut self, offset: Offset, report: &mut Report) {
        while self.snapshots.front().is_some_and(|snapshot| snapshot.offset <= offset) {
            let Some(snapshot) = self.snapshots.pop_front() else { break };
            if let Some(what) = self.contradicts(&snapshot.entries).filter(|_| !self.broken) {
                report.note(&snapshot.path, (None, Some(snapshot.offset)), what, MADE_AGAIN);
            }
        }
    }

    /// Holds the rest against where the log ends.
    pub(super) fn end(mut self, end: Offset, report: &mut Report) {
        self.reach(end, report);
        for beyond in self.snapshots.iter().filter(|_| !self.broken) {
            let what = format!("a snapshot of offset {}, and the log ends at {end}", beyond.offset);
            report.note(&beyond.path, (None, Some(beyond.offset)), what, MADE_AGAIN);
        }
    }

    /// Takes in a batch whose checksum is right; says what is wrong with it in the light of those before.
    pub(super) fn note(&mut self, batch: &Batch<'_>) -> Option<String> {
        let header = &batch.header;
        let before = self.epoch.replace(header.leader_epoch);
        let wrong = before
            .filter(|before| header.leader_epoch < *before)
            .map(|before| format!("a batch of leader epoch {} behind one of {before}", header.leader_epoch));
        if header.producer_id != ProducerId::NONE {
            self.note_producer(batch);
        }
        wrong
    }

    fn note_producer(&mut self, batch: &Batch<'_>) {
        let header = &batch.header;
        let known = self.producers.entry(header.producer_id).or_insert_with(|| Producer::of(header));
        (known.timestamp, known.last_batch) = (header.max_timestamp, header.base_offset);
        if header.attributes.is_control() {
            let committed = match ControlRecord::first_of(batch) {
                Ok(Some(ControlRecord::EndTransaction(marker))) => Some(marker.committed),
                _ => None,
            };
            if header.producer_epoch > known.epoch {
                known.last_offset = None;
            }
            known.epoch = known.epoch.max(header.producer_epoch);
            let (open, at) = (known.open.take(), header.base_offset);
            known.marker = Some(at);
            if committed != Some(true) {
                self.markers.insert(at, committed.map(|_| header.producer_id));
            }
            if let (Some(first), Some(false)) = (open, committed) {
                self.aborted.push(Aborted { producer_id: header.producer_id, first, last: at });
            }
            return;
        }
        known.epoch = header.producer_epoch;
        known.last_sequence = last_sequence(header);
        known.last_offset = Some(header.last_offset());
        if header.attributes.is_transactional() && header.next_offset() > self.log_start {
            known.open.get_or_insert(header.base_offset);
        }
    }

    /// From here on nothing is known: a batch could not be read.
    pub(super) fn break_off(&mut self) {
        self.broken = true;
    }

    /// Whether every batch so far could be read.
    pub(super) fn is_whole(&self) -> bool {
        !self.broken
    }

    /// The transactions aborted in the segment that ends here.
    pub(super) fn aborted(&self) -> &[Aborted] {
        &self.aborted
    }

    /// Whether an entry for an abort of this producer may name this offset: a marker is there, or has been.
    pub(super) fn has_marker(&self, producer_id: ProducerId, at: Offset) -> bool {
        self.markers.get(&at).is_some_and(|producer| producer.is_none_or(|known| known == producer_id))
    }

    /// Goes on with the next segment.
    pub(super) fn next_segment(&mut self) {
        self.aborted.clear();
        self.markers.clear();
    }

    /// What in a snapshot taken here contradicts the batches.
    fn contradicts(&self, snapshot: &[ProducerEntry]) -> Option<String> {
        let wrong = snapshot.iter().find_map(|entry| {
            let known = self.producers.get(&entry.producer_id)?;
            let what = known.contradicts(entry)?;
            Some(format!("producer {} {what}", entry.producer_id))
        });
        wrong.or_else(|| self.missing(snapshot))
    }

    /// A producer that ought to be in a snapshot and is not: none is forgotten with a transaction open, nor before another
    /// that was silent already and is older. Their clocks are their own, so that where each lies in the log counts, too: one
    /// that came later with timestamps of years ago waits for the next sweep.
    fn missing(&self, snapshot: &[ProducerEntry]) -> Option<String> {
        let kept: BTreeSet<ProducerId> = snapshot.iter().map(|entry| entry.producer_id).collect();
        let silent = snapshot.iter().filter(|entry| entry.current_transaction_first_offset.is_none());
        // A batch that compaction has taken away may have come later than those that are left.
        let silent = silent.filter_map(|entry| {
            let known = self.producers.get(&entry.producer_id)?;
            (known.timestamp == entry.timestamp).then_some((known.last_batch, known.timestamp))
        });
        let mut silent: Vec<(Offset, Timestamp)> = silent.collect();
        silent.sort_unstable();
        for at in 1..silent.len() {
            silent[at].1 = silent[at].1.min(silent[at - 1].1);
        }
        let outlived = |known: &Producer| {
            let before = silent.partition_point(|(last_batch, _)| *last_batch < known.last_batch);
            before.checked_sub(1).is_some_and(|at| silent[at].1 <= known.timestamp)
        };
        let lost = |(id, known): &(&ProducerId, &Producer)| {
            !kept.contains(id) && (known.open.is_some() || outlived(known))
        };
        let (id, known) = self.producers.iter().find(lost)?;
        let what = if known.open.is_some() { " with its open transaction" } else { "" };
        Some(format!("producer {id} is missing{what}"))
    }
}

impl Producer {
    fn of(header: &BatchHeader) -> Self {
        Self {
            epoch: header.producer_epoch,
            last_sequence: Sequence::NONE,
            last_offset: None,
            timestamp: header.max_timestamp,
            last_batch: header.base_offset,
            open: None,
            marker: None,
        }
    }

    fn contradicts(&self, entry: &ProducerEntry) -> Option<String> {
        if entry.producer_epoch < self.epoch {
            return Some(format!(
                "is said to be at epoch {}, and has come to {}",
                entry.producer_epoch, self.epoch
            ));
        }
        let same_epoch = entry.producer_epoch == self.epoch;
        if let Some(last) = self.last_offset.filter(|_| same_epoch) {
            if entry.last_offset < last {
                return Some(format!(
                    "is said to have ended at offset {}, and has a batch up to {last}",
                    entry.last_offset
                ));
            }
            if entry.last_offset == last && entry.last_sequence != self.last_sequence {
                let (said, is) = (entry.last_sequence, self.last_sequence);
                return Some(format!("is said to have come to sequence {said}, and has come to {is}"));
            }
        }
        match (self.open, entry.current_transaction_first_offset) {
            (Some(first), None) => {
                Some(format!("is said to have no transaction open, and has one since offset {first}"))
            }
            (Some(first), Some(said)) if said > first => {
                Some(format!("is said to have a transaction open since offset {said}, and has since {first}"))
            }
            (None, Some(said)) if self.marker.is_some_and(|marker| marker > said) => {
                Some(format!("is said to have a transaction open since offset {said}, which has ended"))
            }
            _ => None,
        }
    }
}

fn last_sequence(header: &BatchHeader) -> Sequence {
    if header.base_sequence == Sequence::NONE {
        return Sequence::NONE;
    }
    // Behind the largest sequence comes 0.
    let last = i64::from(header.base_sequence.0) + i64::from(header.last_offset_delta);
    Sequence((last % (i64::from(i32::MAX) + 1)) as i32)
}

#[cfg(test)]
mod tests {
    use protocol::records::batches::Batches;
    use protocol::records::build::{BatchBuilder, BatchOptions};
    use protocol::records::control::CoordinatorEpoch;

    use super::*;

    /// Batches of one record each: producer and timestamp, in the order in which they came.
    fn history(batches: &[(i64, i64)]) -> History {
        let mut history = History::default();
        for (base, (producer, timestamp)) in (0..).zip(batches) {
            let producer = (ProducerId(*producer), ProducerEpoch(0), Sequence(0));
            let options = BatchOptions { base_offset: Offset(base), producer, ..BatchOptions::default() };
            let mut builder = BatchBuilder::new(options);
            builder.push(Timestamp(*timestamp), None, Some(b"value"), &[]);
            let bytes = builder.finish_uncompressed();
            assert_eq!(history.note(&Batches::new(&bytes).next_batch().unwrap().unwrap()), None);
        }
        history
    }

    /// What a snapshot says of a producer that was idle since its batch at an offset.
    fn entry((producer, timestamp): (i64, i64), offset: i64) -> ProducerEntry {
        ProducerEntry {
            producer_id: ProducerId(producer),
            producer_epoch: ProducerEpoch(0),
            last_sequence: Sequence(0),
            last_offset: LastOffset(offset),
            offset_delta: 0,
            timestamp: Timestamp(timestamp),
            coordinator_epoch: CoordinatorEpoch(-1),
            current_transaction_first_offset: None,
        }
    }

    const YEARS_AGO: i64 = 1_550_000_000_000;
    const TODAY: i64 = 1_700_000_000_000;

    #[test]
    fn a_producer_that_expired_is_not_missed_beside_one_with_a_clock_of_years_ago() {
        let (idle, backfill) = ((1, TODAY), (2, YEARS_AGO));
        let history = history(&[idle, backfill]);
        // It came after the sweep that took the other, and before its own.
        assert_eq!(history.contradicts(&[entry(backfill, 1)]), None);
        assert_eq!(history.contradicts(&[entry(idle, 0), entry(backfill, 1)]), None);
        assert_eq!(history.contradicts(&[]), None);
    }

    #[test]
    fn of_a_transaction_what_lies_before_the_log_start_may_be_forgotten() {
        let said = |log_start: i64, since: Option<i64>| {
            let mut history = History::new(VecDeque::new(), Offset(log_start));
            for base in [2, 17] {
                let producer = (ProducerId(5), ProducerEpoch(0), Sequence(0));
                let options = BatchOptions {
                    base_offset: Offset(base),
                    producer,
                    transactional: true,
                    ..BatchOptions::default()
                };
                let mut builder = BatchBuilder::new(options);
                builder.push(Timestamp(TODAY), None, Some(b"value"), &[]);
                let bytes = builder.finish_uncompressed();
                assert_eq!(history.note(&Batches::new(&bytes).next_batch().unwrap().unwrap()), None);
            }
            let current_transaction_first_offset = since.map(Offset);
            let entry = ProducerEntry { current_transaction_first_offset, ..entry((5, TODAY), 17) };
            history.contradicts(&[entry])
        };
        for (log_start, since) in [(0, Some(2)), (3, Some(17)), (17, Some(17)), (12, Some(2)), (18, None)] {
            assert_eq!(said(log_start, since), None, "{log_start} {since:?}");
        }
        for (log_start, since) in [(0, Some(17)), (2, Some(17)), (2, None), (17, None)] {
            assert!(said(log_start, since).is_some(), "{log_start} {since:?}");
        }
    }

    #[test]
    fn a_producer_that_outlived_another_by_every_clock_is_missed() {
        let (older, younger, last) = ((1, TODAY - 10), (2, TODAY), (3, YEARS_AGO));
        let history = history(&[older, younger, last]);
        let missing = history.contradicts(&[entry(older, 0), entry(last, 2)]);
        assert_eq!(missing.as_deref(), Some("producer 2 is missing"));
        // The marker that made this one younger is gone: where it came in is not known.
        let moved = ProducerEntry { timestamp: Timestamp(TODAY - 5), ..entry(older, 0) };
        assert_eq!(history.contradicts(&[moved]), None);
    }
}
