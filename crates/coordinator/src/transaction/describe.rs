//! DescribeTransactions (KIP-664).

use protocol::id::Timestamp;

use super::{Producer, TransactionRefusal, TransactionShard, TransactionState, TxnPartition};

/// What is told of a transactional id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    /// What it is at.
    pub state: TransactionState,
    /// How many milliseconds a transaction may take.
    pub timeout: i32,
    /// When the transaction began.
    pub start: Timestamp,
    /// The producer.
    pub producer: Producer,
    /// The partitions of the transaction, in order; those that have their marker are left out.
    pub partitions: Vec<TxnPartition>,
}

impl TransactionShard {
    /// Tells of a transactional id.
    ///
    /// # Errors
    /// It is none.
    pub fn describe(&self, id: &str) -> Result<Described, TransactionRefusal> {
        let (_, entry) = self.entry(id).map_err(|refusal| match refusal {
            TransactionRefusal::UnknownProducer => TransactionRefusal::IdNotFound,
            other => other,
        })?;
        let recorded = &entry.recorded;
        if recorded.state == TransactionState::Dead {
            return Err(TransactionRefusal::IdNotFound);
        }
        Ok(Described {
            state: recorded.state,
            timeout: recorded.timeout,
            start: recorded.start,
            producer: recorded.producer,
            partitions: entry.unmarked().cloned().collect(),
        })
    }
}
