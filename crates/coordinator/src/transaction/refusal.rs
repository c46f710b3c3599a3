//! The transaction coordinator's "no".

use protocol::ErrorCode;

/// Why a request about a transaction is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TransactionRefusal {
    /// The id cannot be one.
    #[error("the transactional id must not be empty")]
    InvalidId,
    /// The time-out is out of bounds.
    #[error("the transaction time-out must lie between 1 and transaction.max.timeout.ms")]
    InvalidTimeout,
    /// Transactions without a time-out are not allowed (KIP-939).
    #[error("two-phase commit is off: set transaction.two.phase.commit.enable")]
    TwoPhaseDisabled,
    /// A prepared transaction cannot be taken over (KIP-939); Kafka 4.4 has the field and not the function.
    #[error("a prepared transaction cannot be kept: begin anew")]
    KeepPreparedUnsupported,
    /// No producer has this transactional id, or another one has.
    #[error("the producer id is not that of the transactional id: ask for one with InitProducerId")]
    UnknownProducer,
    /// A newer producer has this transactional id, or the coordinator has ended the transaction.
    #[error(
        "a newer producer has this transactional id, or the transaction was ended because it ran out of time"
    )]
    ProducerFenced,
    /// The transaction before is still being ended.
    #[error("the transaction is being ended: ask again")]
    ConcurrentTransactions,
    /// The transaction cannot be ended like this.
    #[error("the transaction is at a state that this does not follow")]
    InvalidState,
    /// There is no such transactional id.
    #[error("there is no such transactional id")]
    IdNotFound,
    /// A producer id that nobody has had is needed: ask again with one. No client sees this.
    #[error("the epochs of the producer id are used up and no new producer id is at hand: ask again")]
    FreshProducerIdWanted,
    /// The log says that the id is at a state which is never written.
    #[error("the log has the transactional id at a state that nothing leaves")]
    Unrecordable,
}

impl TransactionRefusal {
    /// The code in a version of an API that may not know PRODUCER_FENCED yet (KIP-588).
    pub fn code(self, knows_producer_fenced: bool) -> ErrorCode {
        match self {
            Self::ProducerFenced if !knows_producer_fenced => ErrorCode::InvalidProducerEpoch,
            _ => self.into(),
        }
    }
}

impl From<TransactionRefusal> for ErrorCode {
    fn from(refusal: TransactionRefusal) -> Self {
        match refusal {
            TransactionRefusal::InvalidId => Self::InvalidRequest,
            TransactionRefusal::InvalidTimeout => Self::InvalidTransactionTimeout,
            TransactionRefusal::TwoPhaseDisabled => Self::TransactionalIdAuthorizationFailed,
            TransactionRefusal::KeepPreparedUnsupported => Self::UnsupportedVersion,
            TransactionRefusal::UnknownProducer => Self::InvalidProducerIdMapping,
            TransactionRefusal::ProducerFenced => Self::ProducerFenced,
            TransactionRefusal::ConcurrentTransactions => Self::ConcurrentTransactions,
            TransactionRefusal::InvalidState => Self::InvalidTxnState,
            TransactionRefusal::IdNotFound => Self::TransactionalIdNotFound,
            TransactionRefusal::FreshProducerIdWanted => Self::CoordinatorLoadInProgress,
            TransactionRefusal::Unrecordable => Self::UnknownServerError,
        }
    }
}
