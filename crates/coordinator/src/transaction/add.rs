//! AddPartitionsToTxn and AddOffsetsToTxn: a transaction begins, and takes partitions in; and whether it has some
//! (KIP-890).

use super::recorded::{ClientVersion, Step};
use super::{
    Producer, Recorded, TransactionDecision, TransactionGround, TransactionRefusal, TransactionShard,
    TransactionState, TxnPartition,
};
use crate::shard::Decision;

impl TransactionShard {
    /// Takes partitions into the transaction; it begins with the first.
    ///
    /// # Errors
    /// The producer may not, or not now. Every partition is refused for that.
    pub fn add_partitions(
        &self,
        ground: &TransactionGround<'_>,
        id: &str,
        producer: Producer,
        partitions: &[TxnPartition],
        client: ClientVersion,
    ) -> Result<TransactionDecision<()>, TransactionRefusal> {
        let (id, entry) = self.entry(id)?;
        let recorded = &entry.recorded;
        // Before the producer is looked at, as the end may be about to change it.
        if recorded.state.is_ending() {
            return Err(TransactionRefusal::ConcurrentTransactions);
        }
        recorded.is_of(producer)?;
        let ongoing = recorded.state == TransactionState::Ongoing;
        if ongoing && partitions.iter().all(|partition| recorded.partitions.contains(partition)) {
            return Ok(Decision::reply(()));
        }
        if !ongoing && !recorded.state.is_idle() {
            return Err(TransactionRefusal::Unrecordable);
        }
        let to = recorded.added(partitions, client, ground.now);
        Ok(Self::record(ground, id, &Step { to, last_epoch: entry.last_epoch }, ()))
    }

    /// Which of the partitions are in the transaction.
    ///
    /// # Errors
    /// The producer is not the one, or the transaction is being ended.
    pub fn verify(
        &self,
        id: &str,
        producer: Producer,
        partitions: &[TxnPartition],
    ) -> Result<Vec<bool>, TransactionRefusal> {
        let (_, entry) = self.entry(id)?;
        entry.recorded.is_of(producer)?;
        if entry.recorded.state.is_ending() {
            return Err(TransactionRefusal::ConcurrentTransactions);
        }
        Ok(partitions.iter().map(|partition| entry.recorded.partitions.contains(partition)).collect())
    }
}

impl Recorded {
    /// Whether the id is this producer's.
    fn is_of(&self, producer: Producer) -> Result<(), TransactionRefusal> {
        if self.producer.id != producer.id {
            return Err(TransactionRefusal::UnknownProducer);
        }
        if self.producer.epoch != producer.epoch {
            return Err(TransactionRefusal::ProducerFenced);
        }
        Ok(())
    }
}
