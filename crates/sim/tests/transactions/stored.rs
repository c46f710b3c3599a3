//! One partition: its machine, its log, and what was put there.

use coordinator::transaction::Ending;
use partition::producers::TransactionVersion;
use partition::transactions::AbortedTransaction;
use partition::verifications::{FirstBatch, VerificationGuard};
use partition::{
    Append, AppendDecision, AppendRefusal, AppendRules, Millis, Origin, Partition, Restored, Scratch,
    Verification,
};
use protocol::id::{LeaderEpoch, NodeId, ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::offset::Offset;
use protocol::records::batches::Batches;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::Compressors;
use protocol::records::control::{CoordinatorEpoch, EndMarker};

/// A record that a producer sends in a transaction; the number tells it from all others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sent {
    pub producer: (ProducerId, ProducerEpoch),
    pub sequence: Sequence,
    pub number: u64,
}

/// A record or a marker in the log.
#[derive(Clone, Copy, Debug)]
pub enum Put {
    Record { offset: Offset, sent: Sent },
    Marker { producer: (ProducerId, ProducerEpoch) },
}

pub struct Stored {
    machine: Partition,
    leader_epoch: LeaderEpoch,
    log: Vec<u8>,
    scratch: Scratch,
    aborted: Vec<AbortedTransaction>,
    pub put: Vec<Put>,
}

impl Stored {
    pub fn new() -> Self {
        let mut stored = Self {
            machine: Partition::empty(Offset(0)),
            leader_epoch: LeaderEpoch(0),
            log: Vec::new(),
            scratch: Scratch::default(),
            aborted: Vec::new(),
            put: Vec::new(),
        };
        stored.lead();
        stored
    }

    fn lead(&mut self) {
        self.leader_epoch = LeaderEpoch(self.leader_epoch.0 + 1);
        self.machine.become_leader(self.leader_epoch, NodeId(1), 1, [NodeId(1)]);
    }

    /// The broker ends and opens the log again.
    pub fn reopen(&mut self, now: Timestamp) {
        let nothing = Restored {
            log_start: Offset(0),
            high_watermark: Offset(0),
            snapshot_offset: Offset(0),
            producers: [],
            leader_epochs: [],
        };
        self.machine = Partition::restore(nothing, now, Millis(i64::MAX));
        let mut aborted = Vec::new();
        let mut batches = Batches::new(&self.log);
        while let Some(batch) = batches.next_batch().unwrap() {
            aborted.extend(self.machine.replay(&batch).unwrap());
        }
        assert_eq!(aborted.len(), self.aborted.len(), "the log tells of other aborts than were made");
        let log_end = self.machine.watermarks().log_end;
        self.machine.restore_high_watermark(log_end);
        self.lead();
    }

    /// What has to be shown before the record may be appended; `None` if nothing has.
    pub fn begin(
        &mut self,
        now: Timestamp,
        sent: &Sent,
        supports_epoch_bump: bool,
    ) -> Result<Option<VerificationGuard>, AppendRefusal> {
        let (producer_id, producer_epoch) = sent.producer;
        let first =
            FirstBatch { producer_id, producer_epoch, base_sequence: sent.sequence, supports_epoch_bump };
        self.machine.begin_verification(now, &first)
    }

    /// Appends a record. A second time it is not appended and good all the same.
    pub fn append(
        &mut self,
        now: Timestamp,
        sent: &Sent,
        verification: Verification,
    ) -> Result<(), AppendRefusal> {
        let (id, epoch) = sent.producer;
        let options = BatchOptions {
            producer: (id, epoch, sent.sequence),
            transactional: true,
            ..BatchOptions::default()
        };
        let mut builder = BatchBuilder::new(options);
        builder.push(now, None, Some(&sent.number.to_be_bytes()), &[]);
        let mut bytes = builder.finish(&mut Compressors::default()).unwrap();
        let origin = Origin::Client { zstd: true, verification };
        if let Some(offset) = self.write(now, origin, &mut bytes)? {
            self.put.push(Put::Record { offset, sent: *sent });
        }
        Ok(())
    }

    /// Appends a marker of the coordinator's reign `epoch`.
    pub fn mark(&mut self, now: Timestamp, ending: &Ending, epoch: i32) -> Result<(), AppendRefusal> {
        let producer = (ending.producer.id, ending.producer.epoch);
        let marker = EndMarker { committed: ending.committed, coordinator_epoch: CoordinatorEpoch(epoch) };
        let mut bytes = marker.batch(producer.0, producer.1, self.leader_epoch, now);
        let origin = Origin::Coordinator {
            transaction_version: TransactionVersion(ending.client.0),
            verification: Verification::NotRequired,
        };
        self.write(now, origin, &mut bytes)?;
        self.put.push(Put::Marker { producer });
        Ok(())
    }

    fn write(
        &mut self,
        now: Timestamp,
        origin: Origin,
        bytes: &mut [u8],
    ) -> Result<Option<Offset>, AppendRefusal> {
        let append = Append { origin, leader_epoch: self.leader_epoch, now };
        let rules = AppendRules::default();
        match self.machine.decide_append(&rules, append, bytes, &mut self.scratch)? {
            AppendDecision::Duplicate(_) => Ok(None),
            AppendDecision::Append(plan) => {
                self.log.extend_from_slice(plan.bytes(bytes, &self.scratch));
                self.aborted.extend(plan.aborted);
                self.machine.appended(&plan);
                Ok(Some(plan.base_offset))
            }
        }
    }

    /// The producers that have a transaction open here.
    pub fn open(&self) -> Vec<ProducerId> {
        let all = self.machine.producer_snapshot();
        let open = all.filter(|entry| entry.current_transaction_first_offset.is_some());
        open.map(|entry| entry.producer_id).collect()
    }

    /// Whether no transaction holds readers back.
    pub fn is_decided(&self) -> bool {
        self.machine.last_stable_offset() == self.machine.watermarks().log_end
    }

    /// Whether a reader of committed data sees the record of this producer at this offset.
    pub fn shows(&self, offset: Offset, producer: ProducerId) -> bool {
        let hides = |aborted: &AbortedTransaction| {
            aborted.producer_id == producer
                && aborted.first_offset <= offset
                && offset < aborted.last_offset.next()
        };
        offset < self.machine.last_stable_offset() && !self.aborted.iter().any(hides)
    }
}
