//! The producers whose transaction the coordinator is being asked about, so that an answer that has been overtaken by
//! the transaction's end lets nothing in (KIP-890).
//!
//! Before the first batch of a transaction, whoever appends begins a verification, asks the coordinator, and appends
//! with the guard it was given. A batch or a marker of the producer ends the verification, and with it what the guard is
//! good for: a marker that came while the coordinator was asked has closed the transaction that it spoke of.
//!
//! Where the coordinator says no for good, the question is taken back, as if it had never been asked: nobody may stand in
//! the way of a producer by asking in its name.
//!
//! None of this is in the log: a replica that begins to lead anew knows no verifications, and producers try again.

use std::collections::BTreeMap;

use protocol::id::{ProducerEpoch, ProducerId, Sequence, Timestamp};

use crate::rules::Millis;

/// How many producers may be in question at a time; beyond that the oldest tries again.
const VERIFICATIONS_MAX: usize = 10_000;

/// What an append shows that the coordinator was asked about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct VerificationGuard {
    begun: Timestamp,
    number: u64,
}

/// How many questions about a producer are told apart. One sends at most five batches at a time; what goes beyond that is
/// remembered as part of another, and cannot be taken back.
const QUESTIONS_MAX: usize = 16;

/// A producer in question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct VerificationState {
    pub(crate) guard: VerificationGuard,
    /// Whether the producer's transactions each have an epoch of their own.
    pub(crate) supports_epoch_bump: bool,
    /// The batches that were asked about: epoch and first sequence of each. Never empty.
    questions: Vec<(ProducerEpoch, Sequence)>,
}

impl VerificationState {
    /// The newest epoch that was asked about.
    fn epoch(&self) -> ProducerEpoch {
        self.questions.iter().map(|(epoch, _)| *epoch).max().unwrap_or(ProducerEpoch::NONE)
    }

    /// The lowest sequence that was met meanwhile, at that epoch: a later batch does not go in before an earlier one that
    /// is to come again (KAFKA-14920).
    pub(crate) fn lowest_sequence(&self) -> Sequence {
        let newest = self.epoch();
        let sequences = self.questions.iter().filter(|(epoch, _)| *epoch == newest);
        sequences.map(|(_, sequence)| *sequence).min().unwrap_or(Sequence::NONE)
    }

    fn ask(&mut self, batch: &FirstBatch) {
        let asked = (batch.producer_epoch, batch.base_sequence);
        if self.questions.len() < QUESTIONS_MAX {
            return self.questions.push(asked);
        }
        let newest = self.epoch();
        let alike = self.questions.iter_mut().filter(|(epoch, _)| *epoch == newest);
        match alike.min_by_key(|(_, sequence)| *sequence) {
            Some(lowest) if asked.0 > newest || (asked.0 == newest && asked.1 < lowest.1) => *lowest = asked,
            _ => {}
        }
    }
}

/// Everybody in question.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Verifications {
    /// There from the first question on: most of very many logs never see one.
    asked: Option<Box<Asked>>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Asked {
    states: BTreeMap<ProducerId, VerificationState>,
    begun: u64,
}

/// A batch that is to be the first of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FirstBatch {
    /// Its producer.
    pub producer_id: ProducerId,
    /// At this epoch.
    pub producer_epoch: ProducerEpoch,
    /// Its first sequence; none for what a coordinator writes.
    pub base_sequence: Sequence,
    /// Whether the producer's transactions each have an epoch of their own.
    pub supports_epoch_bump: bool,
}

impl Verifications {
    pub(crate) fn get(&self, producer_id: ProducerId) -> Option<&VerificationState> {
        self.asked.as_ref()?.states.get(&producer_id)
    }

    /// Begins a verification, or joins the one there is.
    pub(crate) fn begin(&mut self, now: Timestamp, batch: &FirstBatch) -> VerificationGuard {
        let Asked { states, begun } = &mut **self.asked.get_or_insert_default();
        if let Some(state) = states.get_mut(&batch.producer_id) {
            state.ask(batch);
            return state.guard;
        }
        if states.len() >= VERIFICATIONS_MAX {
            let oldest = states.iter().min_by_key(|(_, state)| state.guard).map(|(&id, _)| id);
            oldest.and_then(|id| states.remove(&id));
        }
        *begun += 1;
        let guard = VerificationGuard { begun: now, number: *begun };
        let state = VerificationState {
            guard,
            supports_epoch_bump: batch.supports_epoch_bump,
            questions: vec![(batch.producer_epoch, batch.base_sequence)],
        };
        states.insert(batch.producer_id, state);
        guard
    }

    /// The coordinator has refused a batch for good: takes back that it was asked about. What else was asked about the
    /// producer stays.
    pub(crate) fn withdraw(&mut self, guard: VerificationGuard, batch: &FirstBatch) {
        let Some(asked) = &mut self.asked else { return };
        let Some(state) = asked.states.get_mut(&batch.producer_id).filter(|state| state.guard == guard)
        else {
            return;
        };
        let refused = (batch.producer_epoch, batch.base_sequence);
        if let Some(place) = state.questions.iter().position(|question| *question == refused) {
            state.questions.swap_remove(place);
        }
        if state.questions.is_empty() {
            asked.states.remove(&batch.producer_id);
        }
    }

    /// A batch of the producer is in the log.
    pub(crate) fn appended(&mut self, producer_id: ProducerId) {
        if let Some(asked) = &mut self.asked {
            asked.states.remove(&producer_id);
        }
    }

    /// A marker is in the log. It ends what is in question, unless that is the transaction which follows it: where each
    /// has an epoch of its own, the marker carries that of the next.
    pub(crate) fn marked(&mut self, producer_id: ProducerId, epoch: ProducerEpoch) {
        let next = self.get(producer_id);
        if !next.is_some_and(|state| state.supports_epoch_bump && state.epoch() == epoch) {
            self.appended(producer_id);
        }
    }

    /// Forgets who was asked about so long ago.
    pub(crate) fn remove_expired(&mut self, now: Timestamp, expiration: Millis) {
        let Some(asked) = &mut self.asked else { return };
        asked.states.retain(|_, state| now.0.saturating_sub(state.guard.begun.0) < expiration.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(id: i64, epoch: i16, sequence: i32) -> FirstBatch {
        FirstBatch {
            producer_id: ProducerId(id),
            producer_epoch: ProducerEpoch(epoch),
            base_sequence: Sequence(sequence),
            supports_epoch_bump: true,
        }
    }

    #[test]
    fn the_lowest_sequence_of_the_newest_epoch_counts() {
        let mut all = Verifications::default();
        let guard = all.begin(Timestamp(1), &first(7, 3, 5));
        for (epoch, sequence, expected) in [(3, 9, 5), (3, 2, 2), (2, 0, 2), (4, 8, 8)] {
            assert_eq!(all.begin(Timestamp(2), &first(7, epoch, sequence)), guard);
            let state = all.get(ProducerId(7)).unwrap();
            assert_eq!(state.lowest_sequence(), Sequence(expected), "epoch {epoch} sequence {sequence}");
        }
    }

    #[test]
    fn a_question_that_was_refused_was_never_asked() {
        let mut all = Verifications::default();
        let guard = all.begin(Timestamp(1), &first(7, 3, 5));
        for forged in [first(7, 3, 0), first(7, 9, 1)] {
            assert_eq!(all.begin(Timestamp(1), &forged), guard);
            assert_ne!(all.get(ProducerId(7)).unwrap().lowest_sequence(), Sequence(5));
            all.withdraw(guard, &forged);
            let state = all.get(ProducerId(7)).unwrap();
            assert_eq!((state.epoch(), state.lowest_sequence()), (ProducerEpoch(3), Sequence(5)));
        }
        all.withdraw(guard, &first(7, 3, 5));
        assert!(all.get(ProducerId(7)).is_none(), "nobody asks any more");
        let again = all.begin(Timestamp(2), &first(7, 3, 5));
        all.withdraw(guard, &first(7, 3, 5));
        assert_eq!(all.get(ProducerId(7)).map(|state| state.guard), Some(again), "that was of before");
    }

    #[test]
    fn questions_beyond_those_told_apart_still_count() {
        let mut all = Verifications::default();
        for sequence in (10..10 + 2 * QUESTIONS_MAX as i32).rev() {
            all.begin(Timestamp(1), &first(7, 3, sequence));
        }
        let state = all.get(ProducerId(7)).unwrap();
        assert_eq!((state.lowest_sequence(), state.questions.len()), (Sequence(10), QUESTIONS_MAX));
        all.begin(Timestamp(1), &first(7, 4, 90));
        assert_eq!(all.get(ProducerId(7)).unwrap().lowest_sequence(), Sequence(90), "of a newer epoch");
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let mut all = Verifications::default();
        for id in 0..=VERIFICATIONS_MAX as i64 {
            all.begin(Timestamp(id), &first(id, 0, 0));
        }
        assert_eq!(all.asked.as_ref().unwrap().states.len(), VERIFICATIONS_MAX);
        assert!(all.get(ProducerId(0)).is_none() && all.get(ProducerId(1)).is_some());
        all.remove_expired(Timestamp(VERIFICATIONS_MAX as i64 + 10), Millis(11));
        assert!(all.get(ProducerId(VERIFICATIONS_MAX as i64)).is_some(), "begun ten milliseconds ago");
        assert!(all.get(ProducerId(VERIFICATIONS_MAX as i64 - 1)).is_none(), "begun eleven milliseconds ago");
    }
}
