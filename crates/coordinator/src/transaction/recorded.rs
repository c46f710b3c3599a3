//! A transactional id as its last record says it is, and the steps from one record to the next.
//!
//! Only what is here is durable. The epoch before the current one ([`Step::last_epoch`]) is not: Kafka, too, forgets
//! it with the coordinator.

use std::collections::BTreeSet;
use std::sync::Arc;

use metadata::Image;
use protocol::id::{PartitionIndex, ProducerEpoch, ProducerId, Timestamp};
use protocol::messages::record::transaction_log::PartitionsSchema;
use protocol::messages::record::{TransactionLogKey, TransactionLogValue};

use super::record::TransactionRecord;
use super::state::TransactionState;
use super::{Producer, TransactionalId, TxnPartition};

/// The feature that says how transactions are ended.
const FEATURE: &str = "transaction.version";

/// The version of the transaction protocol that a client speaks, or that the cluster has finalised.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct ClientVersion(pub i16);

impl ClientVersion {
    /// Clients before KIP-890: partitions are added by hand and the epoch stays.
    pub const V0: Self = Self(0);
    /// Clients of KIP-890: every end bumps the epoch.
    pub const V2: Self = Self(2);

    /// What the cluster has finalised.
    pub fn finalised(image: &Image) -> Self {
        Self(image.features.get(FEATURE).copied().unwrap_or(0))
    }

    /// Whether every end bumps the epoch.
    pub fn bumps_epoch(self) -> bool {
        self >= Self::V2
    }
}

/// What is known of a transactional id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recorded {
    /// Its producer.
    pub producer: Producer,
    /// The producer id before the last record.
    pub previous: ProducerId,
    /// The producer id that the client gets once the transaction has ended, where the epochs of this one are used up.
    pub next: ProducerId,
    /// How many milliseconds a transaction may take; the largest number for ever (KIP-939).
    pub timeout: i32,
    /// What it is at.
    pub state: TransactionState,
    /// The partitions of its transaction.
    pub partitions: BTreeSet<TxnPartition>,
    /// When the transaction began.
    pub start: Timestamp,
    /// When this was recorded.
    pub updated: Timestamp,
    /// What the client spoke that brought this about.
    pub client: ClientVersion,
}

/// A change of a transactional id: what is recorded of it, and the epoch that it had before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Step {
    pub(super) to: Recorded,
    pub(super) last_epoch: ProducerEpoch,
}

impl Recorded {
    /// A new id with a producer id that nobody has had.
    pub(super) fn new(id: ProducerId, timeout: i32, now: Timestamp) -> Self {
        Self {
            producer: Producer { id, epoch: ProducerEpoch(0) },
            previous: id,
            next: ProducerId::NONE,
            timeout,
            state: TransactionState::Empty,
            partitions: BTreeSet::new(),
            start: Timestamp::NONE,
            updated: now,
            client: ClientVersion::V0,
        }
    }

    /// Whether the producer id has no epoch left that a client may have: the last one is for fencing.
    pub(super) fn is_exhausted(&self) -> bool {
        is_exhausted(self.producer.epoch)
    }

    /// From when on the transaction may be aborted, if ever.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let limited = self.state == TransactionState::Ongoing && self.timeout != i32::MAX;
        limited.then(|| Timestamp(self.start.0.saturating_add(i64::from(self.timeout))))
    }

    fn step(&self, state: TransactionState, now: Timestamp) -> Self {
        Self { previous: self.producer.id, state, updated: now, ..self.clone() }
    }

    /// A producer begins: under this producer, without a transaction.
    pub(super) fn begun(&self, producer: Producer, timeout: i32, now: Timestamp) -> Self {
        Self {
            previous: self.producer.id,
            producer,
            timeout,
            state: TransactionState::Empty,
            partitions: BTreeSet::new(),
            start: Timestamp::NONE,
            updated: now,
            next: self.next,
            client: self.client,
        }
    }

    /// The transaction has these partitions too; it begins with the first.
    pub(super) fn added(&self, partitions: &[TxnPartition], client: ClientVersion, now: Timestamp) -> Self {
        let mut to = self.step(TransactionState::Ongoing, now);
        to.partitions.extend(partitions.iter().cloned());
        if self.state.is_idle() {
            to.start = now;
        }
        to.client = client;
        to
    }

    /// The transaction will end like this, under the rules of `client`; `fresh` is there where epochs are used up.
    pub(super) fn prepared(
        &self,
        state: TransactionState,
        client: ClientVersion,
        fresh: Option<ProducerId>,
        now: Timestamp,
    ) -> Self {
        let mut to = self.step(state, now);
        if client.bumps_epoch() {
            to.producer.epoch = ProducerEpoch(self.producer.epoch.0.saturating_add(1));
        }
        // A transaction without partitions has no beginning and yet needs one.
        if self.state.is_idle() {
            to.start = now;
        }
        to.next = fresh.unwrap_or(ProducerId::NONE);
        to.client = client;
        to
    }

    /// The transaction has ended: every marker is written.
    pub(super) fn completed(&self, now: Timestamp) -> Self {
        let state = if self.state == TransactionState::PrepareCommit {
            TransactionState::CompleteCommit
        } else {
            TransactionState::CompleteAbort
        };
        let mut to = Self {
            previous: self.producer.id,
            state,
            partitions: BTreeSet::new(),
            updated: now,
            next: ProducerId::NONE,
            ..*self
        };
        if self.client.bumps_epoch() && self.next != ProducerId::NONE {
            to.producer = Producer { id: self.next, epoch: ProducerEpoch(0) };
        }
        to
    }

    /// The record that says this.
    pub(super) fn record(&self, id: &str, finalised: ClientVersion) -> TransactionRecord<'static> {
        // A client that goes ahead of what is finalised has what it brought about kept, too.
        let plain =
            finalised < ClientVersion(1) && self.client == ClientVersion::V0 && self.next == ProducerId::NONE;
        let version = if plain { 0 } else { 1 };
        let value = TransactionLogValue {
            producer_id: self.producer.id.0,
            previous_producer_id: if plain { ProducerId::NONE.0 } else { self.previous.0 },
            next_producer_id: self.next.0,
            producer_epoch: self.producer.epoch.0,
            next_producer_epoch: ProducerEpoch::NONE.0,
            transaction_timeout_ms: self.timeout,
            transaction_status: self.state.id(),
            transaction_partitions: (self.state != TransactionState::Empty).then(|| self.by_topic().into()),
            transaction_last_update_timestamp_ms: self.updated.0,
            transaction_start_timestamp_ms: self.start.0,
            client_transaction_version: self.client.0,
        };
        TransactionRecord { key: key(id), version, value: Some(value) }
    }

    fn by_topic(&self) -> Vec<PartitionsSchema<'static>> {
        let all: Vec<_> = self.partitions.iter().collect();
        let topics = all.chunk_by(|one, other| one.topic == other.topic);
        let topic = |partitions: &[&TxnPartition]| PartitionsSchema {
            topic: String::from(&*partitions[0].topic).into(),
            partition_ids: partitions.iter().map(|partition| partition.index.0).collect::<Vec<_>>().into(),
        };
        topics.map(topic).collect()
    }

    /// What a record says; `None` where its state is unknown, which decoding refuses.
    pub(super) fn read(value: &TransactionLogValue<'_>) -> Option<Self> {
        let state = TransactionState::from_id(value.transaction_status)?;
        let mut partitions = BTreeSet::new();
        // What an idle id has of an old transaction's partitions counts for nothing, as in Kafka.
        let topics = value.transaction_partitions.iter().filter(|_| state != TransactionState::Empty);
        for topic in topics.flat_map(|topics| topics.iter()) {
            let name: Arc<str> = (*topic.topic).into();
            let index = |index| TxnPartition { topic: name.clone(), index: PartitionIndex(index) };
            partitions.extend(topic.partition_ids.iter().map(index));
        }
        Some(Self {
            producer: Producer {
                id: ProducerId(value.producer_id),
                epoch: ProducerEpoch(value.producer_epoch),
            },
            previous: ProducerId(value.previous_producer_id),
            next: ProducerId(value.next_producer_id),
            timeout: value.transaction_timeout_ms,
            state,
            partitions,
            start: Timestamp(value.transaction_start_timestamp_ms),
            updated: Timestamp(value.transaction_last_update_timestamp_ms),
            client: ClientVersion(value.client_transaction_version),
        })
    }
}

/// Whether an epoch is one after which the producer id has to change.
pub(super) fn is_exhausted(epoch: ProducerEpoch) -> bool {
    epoch.0 >= i16::MAX - 1
}

/// The record that forgets an id.
pub(super) fn tombstone(id: &TransactionalId) -> TransactionRecord<'static> {
    TransactionRecord { key: key(id), version: 0, value: None }
}

fn key(id: &str) -> TransactionLogKey<'static> {
    TransactionLogKey { transactional_id: id.to_owned().into() }
}
