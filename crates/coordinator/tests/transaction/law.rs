//! What no record may do, whoever asked for it.

use std::collections::{BTreeMap, BTreeSet};

use coordinator::transaction::{Producer, Recorded, TransactionState, TxnPartition};
use metadata::Image;
use protocol::id::ProducerId;

/// What was seen so far.
#[derive(Default)]
pub struct Law {
    /// Producer ids that were made and not given to anybody yet.
    fresh: BTreeSet<ProducerId>,
    /// The partitions that were marked since the end of the transaction was decided, or the coordinator was loaded.
    marked: BTreeMap<String, BTreeSet<TxnPartition>>,
    /// Who asks to change a transaction, while it is being decided.
    pub asking: Option<Producer>,
    /// Whether what is recorded now was so before the stage was there.
    pub off: bool,
}

impl Law {
    /// A producer id was made.
    pub fn fresh(&mut self, id: ProducerId) {
        assert!(self.fresh.insert(id), "{id} was made twice");
    }

    /// A marker was written.
    pub fn marked(&mut self, id: &str, partition: TxnPartition) {
        self.marked.entry(id.to_owned()).or_default().insert(partition);
    }

    /// What was marked is not known any more.
    pub fn crashed(&mut self) {
        self.marked.clear();
    }

    /// Judges a record.
    pub fn judge(&mut self, id: &str, before: Option<&Recorded>, after: Option<&Recorded>, image: &Image) {
        if self.off {
            return;
        }
        match (before, after) {
            (_, None) => assert!(before.is_none_or(|before| before.state.is_idle()), "{id} forgotten in use"),
            (None, Some(after)) => {
                assert_eq!(after.state, TransactionState::Empty, "{id} begins with a transaction");
                self.takes_fresh(id, after.producer);
            }
            (Some(before), Some(after)) => self.step(id, before, after, image),
        }
    }

    fn takes_fresh(&mut self, id: &str, producer: Producer) {
        assert!(self.fresh.remove(&producer.id), "{id} got {} which another may have", producer.id);
        assert_eq!(producer.epoch.0, 0, "{id} got a new producer id at an old epoch");
    }

    fn step(&mut self, id: &str, before: &Recorded, after: &Recorded, image: &Image) {
        use TransactionState::{CompleteAbort, CompleteCommit, Empty, Ongoing, PrepareAbort, PrepareCommit};
        let lawful = match (before.state, after.state) {
            (Empty | CompleteCommit | CompleteAbort, Empty | Ongoing) => true,
            (Empty | CompleteCommit | CompleteAbort, PrepareAbort) => {
                after.partitions.is_empty() && after.client.bumps_epoch()
            }
            (Ongoing, Ongoing) => after.partitions.is_superset(&before.partitions),
            (Ongoing, PrepareCommit | PrepareAbort) => after.partitions == before.partitions,
            (PrepareCommit, CompleteCommit) | (PrepareAbort, CompleteAbort) => after.partitions.is_empty(),
            _ => false,
        };
        assert!(lawful, "{id} goes from {:?} to {:?}", before.state, after.state);
        // The first version of the record has no field for it.
        let known = after.previous == before.producer.id || after.previous == ProducerId::NONE;
        assert!(known, "{id} has forgotten its producer id");
        if after.producer.id == before.producer.id {
            assert!(after.producer.epoch >= before.producer.epoch, "the epoch of {id} goes back");
        } else {
            assert!(before.producer.epoch.0 >= i16::MAX - 1, "{id} changes its producer id with epochs left");
            self.takes_fresh(id, after.producer);
        }
        let bumps = after.state.is_ending() && after.client.bumps_epoch();
        if bumps {
            // Only who guesses the epoch that fences ever is at the last one.
            let bumped = after.producer.epoch > before.producer.epoch || before.producer.epoch.0 == i16::MAX;
            assert!(bumped, "{id} ends a transaction and keeps the epoch");
            let leads_on = after.producer.epoch.0 < i16::MAX || after.next != ProducerId::NONE;
            assert!(leads_on, "{id} is stuck at the last epoch");
        }
        if let Some(asking) = self.asking
            && !before.state.is_ending()
        {
            assert_eq!(asking, before.producer, "a fenced producer changed {id}");
        }
        if before.state.is_ending() {
            let marked = self.marked.remove(id).unwrap_or_default();
            for partition in before.partitions.difference(&marked) {
                let topic = image.topics.by_name(&partition.topic);
                let there = topic.is_some_and(|topic| topic.partition(partition.index).is_some());
                assert!(!there, "{id} is complete and {partition:?} has no marker");
            }
        } else if after.state.is_ending() {
            self.marked.remove(id);
        }
    }
}
