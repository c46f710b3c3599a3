//! What a log must hold: every batch that was written to it, as it was written, how much of that was acknowledged as
//! durable, and what was under way when the power went.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use protocol::id::{LeaderEpoch, ProducerId, Sequence, TopicId};
use protocol::offset::Offset;
use protocol::records::batch::BatchHeader;
use protocol::records::batches::Batches;
use storage::TopicPartition;

/// What is known of one log.
#[derive(Clone)]
pub(super) struct Ledger {
    pub(super) name: TopicPartition,
    pub(super) topic_id: TopicId,
    /// Every batch since the log was made, in order, those that were deleted included.
    pub(super) batches: Vec<Vec<u8>>,
    /// Whether the log is compacted, and up to where it may have been.
    pub(super) compacted: bool,
    pub(super) clean_max: Offset,
    /// Where the log ended when it was last compacted: what compaction went by no leader has cut away, markers and the
    /// newer batches of producers behind what was cleaned among it.
    pub(super) committed: Offset,
    /// Where the log may begin at the latest.
    pub(super) start_max: Offset,
    /// Where it was told to begin by somebody who was answered.
    pub(super) start_min: Offset,
    /// The end of what was acknowledged as durable. Replaced when the log is cut: acknowledgements that are still under
    /// way then are about what is no longer there.
    pub(super) acknowledged: Arc<AtomicI64>,
    pub(super) under_way: UnderWay,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) producers: BTreeMap<u8, ProducerLedger>,
}

/// What was being done to a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum UnderWay {
    Nothing,
    /// This batch, which may be there or not.
    Append(Vec<u8>),
    /// The batches from here on may be gone or there.
    Cut(Offset),
    /// All may be gone, and the log begin anew up to here.
    Anew(Offset),
}

/// What a producer knows of itself.
#[derive(Clone, Default)]
pub(super) struct ProducerLedger {
    pub(super) next_sequence: i32,
    /// Its last batch and where that was written.
    pub(super) last: Option<(Vec<u8>, Offset)>,
    pub(super) in_transaction: bool,
}

pub(super) fn header(batch: &[u8]) -> BatchHeader {
    let whole = Batches::new(batch).next_batch();
    whole.ok().flatten().expect("a ledger holds whole batches").header
}

impl Ledger {
    pub(super) fn new(name: TopicPartition, topic_id: TopicId) -> Self {
        let compacted = super::node::is_compacted(&name.topic);
        Self {
            name,
            topic_id,
            batches: Vec::new(),
            compacted,
            clean_max: Offset::ZERO,
            committed: Offset::ZERO,
            start_max: Offset::ZERO,
            start_min: Offset::ZERO,
            acknowledged: Arc::default(),
            under_way: UnderWay::Nothing,
            leader_epoch: LeaderEpoch(0),
            producers: BTreeMap::new(),
        }
    }

    pub(super) fn end(&self) -> Offset {
        self.batches.last().map_or(Offset::ZERO, |batch| header(batch).next_offset()).max(self.start_max)
    }

    pub(super) fn acknowledged(&self) -> Offset {
        Offset(self.acknowledged.load(Ordering::Relaxed))
    }

    pub(super) fn acknowledge(&self, end: Offset) {
        self.acknowledged.fetch_max(end.0, Ordering::Relaxed);
    }

    /// The log is about to be cut back to `end`.
    pub(super) fn begin_cut(&mut self, end: Offset) {
        self.acknowledged = Arc::new(AtomicI64::new(self.acknowledged().min(end).0));
        self.under_way = UnderWay::Cut(end);
    }

    /// The log was cut back to `end`.
    pub(super) fn cut(&mut self, end: Offset) {
        self.batches.retain(|batch| header(batch).next_offset() <= end);
        self.under_way = UnderWay::Nothing;
    }

    /// The log is about to be begun anew at `start`.
    pub(super) fn begin_anew(&mut self, start: Offset) {
        self.acknowledged = Arc::default();
        self.under_way = UnderWay::Anew(start);
    }

    /// The log was begun anew at `start`.
    pub(super) fn anew(&mut self, start: Offset) {
        self.batches.clear();
        (self.start_min, self.start_max) = (start, start);
        self.under_way = UnderWay::Nothing;
        self.producers.clear();
    }

    /// What came back is what is there from now on.
    pub(super) fn adopt(&mut self, start: Offset, end: Offset) {
        if let UnderWay::Append(batch) = &self.under_way
            && header(batch).next_offset() == end
        {
            self.batches.push(batch.clone());
        }
        // A log that came back with nothing may have forgotten what its producers did before.
        self.batches.retain(|batch| start < end && header(batch).next_offset() <= end);
        self.start_max = start;
        self.start_min = self.start_min.min(start);
        self.under_way = UnderWay::Nothing;
    }

    /// Has the producers know what the log knows of them: [`super::judge`] has held that against the batches.
    pub(super) fn learn<D: storage::Disk>(&mut self, log: &storage::Log<D>) {
        let start = log.partition().watermarks().log_start;
        for (number, producer) in &mut self.producers {
            let id = ProducerId(i64::from(*number));
            let state = log.partition().producers().get(id);
            let known = state.filter(|state| state.last_sequence() != Sequence::NONE);
            producer.next_sequence = known.map_or(0, |state| state.last_sequence().0 + 1);
            producer.in_transaction =
                state.is_some_and(|state| state.current_transaction_first_offset.is_some());
            let data = self.batches.iter().rfind(|batch| {
                let header = header(batch);
                header.producer_id == id && !header.attributes.is_control() && header.next_offset() > start
            });
            producer.last = data.map(|batch| (batch.clone(), header(batch).base_offset));
        }
    }
}
