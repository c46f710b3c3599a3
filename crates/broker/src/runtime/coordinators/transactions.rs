//! What the broker knows about transactions: topic and settings, what deleted topics mean to them, and how partitions
//! and groups ask whether a producer's transaction includes them (KIP-890).

use std::sync::Arc;
use std::time::{Duration, Instant};

use coordinator::transaction::{
    ClientVersion, Producer, TransactionConfig, TransactionRefusal, TransactionShard, TransactionState,
    TxnPartition,
};
use coordinator::{Decision, Ground};
use protocol::ErrorCode;
use protocol::id::{ProducerId, TopicId};
use protocol::records::compression::Compression;

use super::coordinator::{Coordinated, Coordinator};
use super::figures::Figures;
use super::{CoordinatorError, Coordinators};
use crate::config::NodeConfig;

impl Coordinated for TransactionShard {
    const TOPIC: &'static str = "__transaction_state";

    fn config(config: &NodeConfig) -> &TransactionConfig {
        &config.transactions.decisions
    }

    fn compression(_: &NodeConfig) -> Compression {
        Compression::default()
    }

    fn load_bytes(config: &NodeConfig) -> u32 {
        config.transactions.load_bytes
    }

    fn commit_timeout(config: &NodeConfig) -> Duration {
        config.transactions.commit_timeout
    }

    fn count(&self, records: &[Self::Record<'_>], by_itself: bool, figures: &Figures) {
        // By itself a coordinator decides of no other end.
        let is_abort = |record: &&Self::Record<'_>| {
            record
                .value
                .as_ref()
                .is_some_and(|value| value.transaction_status == TransactionState::PrepareAbort.id())
        };
        let aborted = if by_itself { records.iter().filter(is_abort).count() } else { 0 };
        figures.transactions_timed_out.add(u64::try_from(aborted).unwrap_or(u64::MAX));
    }

    fn topics_deleted(
        &self,
        ground: &Ground<'_, TransactionConfig>,
        _: &[(Arc<str>, TopicId)],
    ) -> Option<Decision<'static, Self, ()>> {
        self.gone(ground)
    }
}

/// What a request that writes in a transaction understands, by its version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WritesAs {
    /// Partitions were added before; INVALID_TXN_STATE for one that was not.
    Old,
    /// The same, and TRANSACTION_ABORTABLE is understood.
    KnowsAbortable,
    /// The write itself adds the partition.
    Adding,
}

impl WritesAs {
    /// Of a Produce of this version.
    pub fn of_produce(version: i16) -> Self {
        Self::since(version, 11, 12)
    }

    /// Of a TxnOffsetCommit of this version.
    pub fn of_offset_commit(version: i16) -> Self {
        Self::since(version, 4, 5)
    }

    fn since(version: i16, abortable: i16, adding: i16) -> Self {
        match version {
            _ if version >= adding => Self::Adding,
            _ if version >= abortable => Self::KnowsAbortable,
            _ => Self::Old,
        }
    }

    /// Whether the producer's transactions each have an epoch of their own.
    pub fn supports_epoch_bump(self) -> bool {
        self == Self::Adding
    }
}

impl Coordinators {
    /// Asks a transaction's coordinator whether these partitions are part of it, or has it add them. What it says of
    /// each, in order.
    pub async fn ask_about(
        &self,
        id: &str,
        producer: Producer,
        partitions: &[TxnPartition],
        writes: WritesAs,
    ) -> Vec<ErrorCode> {
        let begun = Instant::now();
        let said = match writes {
            WritesAs::Adding => self.add(id, producer, partitions).await,
            WritesAs::Old | WritesAs::KnowsAbortable => self.verify(id, producer, partitions, writes).await,
        };
        let metrics = &self.holdings.metrics.transactions;
        metrics.verification_micros.add(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
        metrics.verifications.add(1);
        let failed = said.iter().filter(|error| **error != ErrorCode::None).count();
        metrics.verification_failures.add(u64::try_from(failed).unwrap_or(u64::MAX));
        said
    }

    async fn verify(
        &self,
        id: &str,
        producer: Producer,
        partitions: &[TxnPartition],
        writes: WritesAs,
    ) -> Vec<ErrorCode> {
        match self.transactions.read(id, |shard| shard.verify(id, producer, partitions)).await {
            Ok(Ok(included)) => {
                let missing = if writes == WritesAs::Old {
                    ErrorCode::InvalidTxnState
                } else {
                    ErrorCode::TransactionAbortable
                };
                included
                    .into_iter()
                    .map(|included| if included { ErrorCode::None } else { missing })
                    .collect()
            }
            Ok(Err(refusal)) => vec![refused(&refusal); partitions.len()],
            Err(error) => vec![self.unanswered(error); partitions.len()],
        }
    }

    /// Adds partitions.
    async fn add(&self, id: &str, producer: Producer, partitions: &[TxnPartition]) -> Vec<ErrorCode> {
        let outcome = self.transactions.submit(id, |shard, ground| {
            shard.add_partitions(ground, id, producer, partitions, ClientVersion::V2)
        });
        let error = match outcome.await {
            Ok(()) => ErrorCode::None,
            Err(error) => self.unanswered(error),
        };
        vec![error; partitions.len()]
    }

    fn unanswered(&self, error: CoordinatorError<TransactionRefusal>) -> ErrorCode {
        match error {
            CoordinatorError::Refused(refusal) => refused(&refusal),
            // There is no coordinator to be asked about anything.
            CoordinatorError::NotCoordinator if !self.transactions.has_topic() => {
                ErrorCode::CoordinatorNotAvailable
            }
            other => other.into(),
        }
    }

    /// Asks for a decision that may take a producer id nobody has had: it is got where the machine says so.
    ///
    /// # Errors
    /// Kafka's code, by whether who asks knows PRODUCER_FENCED.
    pub async fn decide_with_id<R: Send>(
        &self,
        id: &str,
        knows_fenced: bool,
        decide: impl Fn(
            &TransactionShard,
            &Ground<'_, TransactionConfig>,
            Option<ProducerId>,
        ) -> Result<Decision<'static, TransactionShard, R>, TransactionRefusal>
        + Send
        + Sync,
    ) -> Result<R, ErrorCode> {
        let mut fresh = None;
        loop {
            let asked = self.transactions.submit(id, |shard, ground| decide(shard, ground, fresh));
            let outcome = self.endings.decide(asked).await;
            return match outcome {
                Err(CoordinatorError::Refused(TransactionRefusal::FreshProducerIdWanted))
                    if fresh.is_none() =>
                {
                    fresh = Some(self.producer_ids.next().await?);
                    continue;
                }
                outcome => outcome.map_err(|error| coded(error, knows_fenced)),
            };
        }
    }
}

/// Kafka's code for why there is no answer, by whether who asks knows PRODUCER_FENCED.
pub fn coded(error: CoordinatorError<TransactionRefusal>, knows_fenced: bool) -> ErrorCode {
    match error {
        CoordinatorError::Refused(refusal) => refusal.code(knows_fenced),
        other => other.into(),
    }
}

/// Producers expect a fence on their writes to be INVALID_PRODUCER_EPOCH in every version.
fn refused(refusal: &TransactionRefusal) -> ErrorCode {
    refusal.code(false)
}

impl Coordinator<TransactionShard> {
    fn has_topic(&self) -> bool {
        self.quorum.image().topics.by_name(TransactionShard::TOPIC).is_some()
    }
}
