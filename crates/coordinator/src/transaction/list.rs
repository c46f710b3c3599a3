//! ListTransactions, with its filters (KIP-664, KIP-994, KIP-1152).

use std::collections::BTreeSet;

use protocol::id::{ProducerId, Timestamp};

use super::{TransactionShard, TransactionState, TransactionalId};

/// Which transactions are asked for. One has to pass all filters.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListFilter {
    /// Those at one of these; `None` for any. A set that is empty, as all names were unknown, lets none pass.
    pub states: Option<BTreeSet<TransactionState>>,
    /// Those of these producers; `None` for any.
    pub producers: Option<BTreeSet<ProducerId>>,
    /// Those that have been running for longer than this many milliseconds; negative for any.
    pub duration: i64,
}

/// What is told of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Its id.
    pub id: TransactionalId,
    /// Its producer.
    pub producer: ProducerId,
    /// What it is at.
    pub state: TransactionState,
}

impl ListFilter {
    /// The filter of a request, and the names in it that are no states.
    pub fn parse<'a>(
        states: impl Iterator<Item = &'a str>,
        producers: impl Iterator<Item = ProducerId>,
        duration: i64,
    ) -> (Self, Vec<String>) {
        let (mut known, mut unknown) = (None, Vec::new());
        let mut told = BTreeSet::new();
        for name in states {
            let known = known.get_or_insert_with(BTreeSet::new);
            match TransactionState::from_name(name) {
                Some(state) => {
                    known.insert(state);
                }
                None if told.insert(name) => unknown.push(name.to_owned()),
                None => {}
            }
        }
        let producers: BTreeSet<_> = producers.collect();
        let producers = (!producers.is_empty()).then_some(producers);
        (Self { states: known, producers, duration }, unknown)
    }

    /// How long a transaction has been running is counted from -1 where there is none, as in Kafka.
    fn passes(&self, recorded: &super::Recorded, now: Timestamp) -> bool {
        recorded.state != TransactionState::Dead
            && self.states.as_ref().is_none_or(|states| states.contains(&recorded.state))
            && self.producers.as_ref().is_none_or(|producers| producers.contains(&recorded.producer.id))
            && (self.duration < 0 || now.0.saturating_sub(recorded.start.0) > self.duration)
    }
}

impl TransactionShard {
    /// The transactional ids that pass the filter and whose name `matches` takes.
    pub fn list(&self, filter: &ListFilter, now: Timestamp, matches: impl Fn(&str) -> bool) -> Vec<Listed> {
        let passing =
            self.entries.iter().filter(|(id, entry)| filter.passes(&entry.recorded, now) && matches(id));
        let listed = |(id, entry): (&TransactionalId, &super::Entry)| Listed {
            id: id.clone(),
            producer: entry.recorded.producer.id,
            state: entry.recorded.state,
        };
        passing.map(listed).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn very_many_unknown_states_take_no_more_than_their_share_of_time() {
        let begun = Instant::now();
        let names: Vec<String> = (0..200_000).map(|number| format!("{number:06}")).collect();
        let twice = names.iter().chain(&names).map(String::as_str);
        let (filter, unknown) = ListFilter::parse(twice, std::iter::empty(), -1);
        assert_eq!(filter.states, Some(BTreeSet::new()));
        assert_eq!(unknown, names, "each once, in the order of the request");
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }
}
