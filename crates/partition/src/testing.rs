//! Words for this crate's tests: batches, a leader, and a log that is a vector of bytes.

use protocol::id::{LeaderEpoch, NodeId, ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::offset::Offset;
use protocol::records::batches::Batches;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::{Codec, Compressors};
use protocol::records::control::{CoordinatorEpoch, EndMarker};

use crate::append::{Append, AppendDecision, AppendPlan, Duplicate, Origin, Scratch, Verification};
use crate::leader_epochs::EpochEntry;
use crate::producers::TransactionVersion;
use crate::refusal::AppendRefusal;
use crate::replica::{Partition, Restored};
use crate::rules::{AppendRules, Millis};
use crate::transactions::AbortedTransaction;

pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);
pub(crate) const EPOCH: LeaderEpoch = LeaderEpoch(3);
pub(crate) const CLIENT: Origin = Origin::Client { zstd: true, verification: Verification::NotRequired };

/// A producer's batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) producer: (i64, i16, i32),
    pub(crate) transactional: bool,
    pub(crate) count: usize,
    pub(crate) codec: Codec,
}

pub(crate) const PLAIN: Sent =
    Sent { producer: (-1, -1, -1), transactional: false, count: 3, codec: Codec::None };

impl Sent {
    pub(crate) fn options(&self) -> BatchOptions {
        let (id, epoch, sequence) = self.producer;
        BatchOptions {
            compression: self.codec.into(),
            producer: (ProducerId(id), ProducerEpoch(epoch), Sequence(sequence)),
            transactional: self.transactional,
            ..BatchOptions::default()
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut builder = BatchBuilder::new(self.options());
        for index in 0..self.count {
            let timestamp = Timestamp(NOW.0 + index as i64);
            builder.push(timestamp, Some(b"key"), Some(b"the value of a record"), &[]);
        }
        builder.finish(&mut Compressors::default()).unwrap()
    }
}

/// A leader alone in sync, with its log.
#[derive(Default)]
pub(crate) struct Leader {
    pub(crate) partition: Option<Partition>,
    pub(crate) rules: AppendRules,
    pub(crate) scratch: Scratch,
    pub(crate) log: Vec<u8>,
    pub(crate) aborted: Vec<AbortedTransaction>,
}

impl Leader {
    pub(crate) fn new() -> Self {
        let mut partition = Partition::empty(Offset(0));
        partition.become_leader(EPOCH, NodeId(1), 1, [NodeId(1)]);
        Self { partition: Some(partition), ..Self::default() }
    }

    pub(crate) fn with(rules: AppendRules) -> Self {
        Self { rules, ..Self::new() }
    }

    pub(crate) fn partition(&mut self) -> &mut Partition {
        self.partition.as_mut().unwrap()
    }

    pub(crate) fn decide(
        &mut self,
        origin: Origin,
        bytes: &mut [u8],
    ) -> Result<AppendDecision, AppendRefusal> {
        let append = Append { origin, leader_epoch: EPOCH, now: NOW };
        let before = self.partition.clone();
        let partition = self.partition.as_ref().unwrap();
        let decision = partition.decide_append(&self.rules, append, bytes, &mut self.scratch);
        assert_eq!(before, self.partition, "deciding changed the machine");
        decision
    }

    pub(crate) fn append(&mut self, origin: Origin, bytes: &[u8]) -> Result<AppendPlan, AppendRefusal> {
        let mut bytes = bytes.to_vec();
        match self.decide(origin, &mut bytes)? {
            AppendDecision::Append(plan) => {
                self.log.extend_from_slice(plan.bytes(&bytes, &self.scratch));
                self.aborted.extend(plan.aborted);
                self.partition().appended(&plan);
                Ok(plan)
            }
            AppendDecision::Duplicate(duplicate) => panic!("a duplicate: {duplicate:?}"),
        }
    }

    pub(crate) fn send(&mut self, sent: Sent) -> Result<AppendPlan, AppendRefusal> {
        self.append(CLIENT, &sent.bytes())
    }

    pub(crate) fn send_again(&mut self, sent: Sent) -> Duplicate {
        match self.decide(CLIENT, &mut sent.bytes()).unwrap() {
            AppendDecision::Duplicate(duplicate) => duplicate,
            AppendDecision::Append(plan) => panic!("not a duplicate: {plan:?}"),
        }
    }

    pub(crate) fn mark(
        &mut self,
        producer: (i64, i16),
        committed: bool,
        coordinator_epoch: i32,
        version: i16,
    ) -> Result<AppendPlan, AppendRefusal> {
        let marker = EndMarker { committed, coordinator_epoch: CoordinatorEpoch(coordinator_epoch) };
        let bytes = marker.batch(ProducerId(producer.0), ProducerEpoch(producer.1), EPOCH, NOW);
        let transaction_version = TransactionVersion(version);
        let origin = Origin::Coordinator { transaction_version, verification: Verification::NotRequired };
        self.append(origin, &bytes)
    }
}

pub(crate) fn replay(log: &[u8]) -> (Partition, Vec<AbortedTransaction>) {
    let nothing = Restored {
        log_start: Offset(0),
        high_watermark: Offset(0),
        snapshot_offset: Offset(0),
        producers: [],
        leader_epochs: [] as [EpochEntry; 0],
    };
    let mut replayed = Partition::restore(nothing, NOW, Millis(i64::MAX));
    let mut aborted = Vec::new();
    let mut batches = Batches::new(log);
    while let Some(batch) = batches.next_batch().unwrap() {
        batch.verify_crc().unwrap();
        aborted.extend(replayed.replay(&batch).unwrap());
    }
    let log_end = replayed.watermarks().log_end;
    replayed.restore_high_watermark(log_end);
    (replayed, aborted)
}
