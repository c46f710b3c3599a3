//! Batches of clients: new ones, those that come again, and the markers that end transactions.

use std::sync::Arc;

use partition::producers::TransactionVersion;
use partition::{Append, Origin, Scratch, Verification};
use protocol::id::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::offset::Offset;
use protocol::records::batch;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::control::{CoordinatorEpoch, EndMarker};
use storage::log::Appended;

use super::{Done, Life, Stop, lock, stop};
use crate::life::ledger::UnderWay;
use crate::life::step::{By, Step};

impl Life {
    pub(super) fn append(&mut self, topic: u8, by: By) -> Done {
        let Some(ledger) = self.ledgers.get(&topic) else { return Ok(()) };
        let mut options = BatchOptions::default();
        if let By::Idempotent(number) | By::Transactional(number) = by {
            let sequence = ledger.producers.get(&number).map_or(0, |known| known.next_sequence);
            options.producer = (ProducerId(i64::from(number)), ProducerEpoch(0), Sequence(sequence));
            options.transactional = matches!(by, By::Transactional(_));
        }
        let mut builder = BatchBuilder::new(options);
        let compacted = ledger.compacted;
        let records = 1 + self.dice.place(3);
        for _ in 0..records {
            let value = format!("{:0>1$}", self.next_unique(), 20 + self.dice.place(150));
            let timestamp = Timestamp(self.now.0 + self.dice.below(12) as i64);
            let key = [b'a' + self.dice.place(4) as u8];
            // What compaction is there for: some keys are deleted.
            let deleted = compacted && self.dice.percent(25);
            builder.push(timestamp, Some(&key), (!deleted).then_some(value.as_bytes()), &[]);
        }
        let bytes = builder.finish_uncompressed();
        let base = self.write(topic, bytes.clone(), client())?;
        if let By::Idempotent(number) | By::Transactional(number) = by
            && let Some(ledger) = self.ledgers.get_mut(&topic)
        {
            let producer = ledger.producers.entry(number).or_default();
            producer.next_sequence += records as i32;
            producer.in_transaction |= matches!(by, By::Transactional(_));
            producer.last = Some((bytes, base));
        }
        Ok(())
    }

    /// Writes a batch that must be taken; says where.
    pub(super) fn write(&mut self, topic: u8, mut bytes: Vec<u8>, origin: Origin) -> Done<Offset> {
        let now = self.now;
        let log = self.log(topic)?;
        let Some(ledger) = self.ledgers.get_mut(&topic) else { return Err(Stop::Off) };
        let append = Append { origin, leader_epoch: ledger.leader_epoch, now };
        let mut log = lock(&log);
        let outcome = log.append(append, &mut bytes, &mut Scratch::default());
        let written = match outcome {
            Ok(Appended::Written(written)) => written,
            Ok(Appended::Duplicate(_)) => {
                return Err(Stop::Wrong("a new batch passes for an old one".to_owned()));
            }
            Err(error) => {
                ledger.under_way = UnderWay::Append(bytes);
                return Err(stop(&self.disk, error));
            }
        };
        if written.base_offset != ledger.end() {
            let (base, end) = (written.base_offset, ledger.end());
            return Err(Stop::Wrong(format!("a batch was written at {base}, and the log ended at {end}")));
        }
        ledger.batches.push(bytes);
        self.batches += 1;
        if log.commit_due() {
            let (acknowledged, end) = (Arc::clone(&ledger.acknowledged), written.last_offset.next());
            log.commit(Box::new(move |outcome| {
                if outcome.is_ok() {
                    acknowledged.fetch_max(end.0, std::sync::atomic::Ordering::Relaxed);
                }
            }));
        }
        let compacted = ledger.compacted;
        drop(log);
        if compacted {
            // A hole that compaction may have left cannot be told from the tail of a segment that a cut took (nor can
            // Apache Kafka tell it): what is compacted here is synced first.
            self.tend(Step::Commit)?;
        }
        Ok(written.base_offset)
    }

    /// The last batch of a producer comes again: it must be known, and once more after that.
    pub(super) fn retry(&mut self, topic: u8, producer: u8) -> Done {
        let Some(ledger) = self.ledgers.get(&topic) else { return Ok(()) };
        let known = ledger.producers.get(&producer).and_then(|producer| producer.last.clone());
        let Some((mut bytes, base)) = known else { return Ok(()) };
        batch::set_base_offset(&mut bytes, Offset::ZERO);
        let (epoch, now) = (ledger.leader_epoch, self.now);
        let append = Append { origin: client(), leader_epoch: epoch, now };
        let log = self.log(topic)?;
        let outcome = lock(&log).append(append, &mut bytes, &mut Scratch::default());
        match self.sound(outcome)? {
            Appended::Duplicate(duplicate) if duplicate.base_offset == base => Ok(()),
            other => Err(Stop::Wrong(format!("a retry of the batch at {base} came to {other:?}"))),
        }
    }

    pub(super) fn end(&mut self, topic: u8, producer: u8, committed: bool) -> Done {
        let Some(ledger) = self.ledgers.get(&topic) else { return Ok(()) };
        if !ledger.producers.get(&producer).is_some_and(|producer| producer.in_transaction) {
            return Ok(());
        }
        let marker = EndMarker { committed, coordinator_epoch: CoordinatorEpoch(1) };
        let id = ProducerId(i64::from(producer));
        let bytes = marker.batch(id, ProducerEpoch(0), ledger.leader_epoch, self.now);
        let transaction_version = TransactionVersion(1);
        let origin = Origin::Coordinator { transaction_version, verification: Verification::NotRequired };
        self.write(topic, bytes, origin)?;
        if let Some(producer) = self.ledgers.get_mut(&topic).and_then(|it| it.producers.get_mut(&producer)) {
            producer.in_transaction = false;
        }
        Ok(())
    }
}

/// Where the batches of clients come from.
pub(super) fn client() -> Origin {
    Origin::Client { zstd: true, verification: Verification::NotRequired }
}
