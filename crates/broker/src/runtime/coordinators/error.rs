//! Why a coordinator does not answer a request.

use protocol::ErrorCode;
use storage::log::AppendError;

/// Why there is no answer. `R` is the machine's own "no".
#[derive(Clone, Debug, thiserror::Error)]
pub enum CoordinatorError<R> {
    /// The machine refused.
    #[error(transparent)]
    Refused(R),
    /// The partition is led by somebody else, or is about to be.
    #[error("this broker does not coordinate it: ask who does")]
    NotCoordinator,
    /// The log is still being read.
    #[error("the coordinator is still reading its log: try again")]
    Loading,
    /// The internal topic is not there, or cannot be written now.
    #[error("the coordinator cannot be used now: {0}")]
    NotAvailable(String),
    /// What a producer writes in a transaction is not what its transaction allows.
    #[error("{1}")]
    Producer(ErrorCode, String),
    /// The records are more than a batch of the internal topic may hold.
    #[error("the request makes more records than one batch of the internal topic may hold: {0}")]
    TooLarge(String),
}

impl<R> CoordinatorError<R> {
    /// Whether a shard has said this, and not somebody before it.
    pub fn is_of_shard<T>(told: &Result<T, Self>) -> bool {
        matches!(told, Ok(_) | Err(Self::Refused(_)))
    }
}

/// Kafka's translation of why an append failed (`CoordinatorOperationExceptionHelper`).
impl<R> From<&AppendError> for CoordinatorError<R> {
    fn from(error: &AppendError) -> Self {
        let code = match error {
            AppendError::Refused(refusal) => ErrorCode::from(refusal),
            AppendError::Fault(_) => ErrorCode::KafkaStorageError,
        };
        match code {
            ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => Self::NotCoordinator,
            ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => Self::TooLarge(error.to_string()),
            ErrorCode::InvalidProducerEpoch
            | ErrorCode::InvalidTxnState
            | ErrorCode::TransactionCoordinatorFenced => Self::Producer(code, error.to_string()),
            _ => Self::NotAvailable(error.to_string()),
        }
    }
}

impl<R: Into<ErrorCode>> From<CoordinatorError<R>> for ErrorCode {
    fn from(error: CoordinatorError<R>) -> Self {
        match error {
            CoordinatorError::Refused(refusal) => refusal.into(),
            CoordinatorError::NotCoordinator => Self::NotCoordinator,
            CoordinatorError::Loading => Self::CoordinatorLoadInProgress,
            CoordinatorError::NotAvailable(_) => Self::CoordinatorNotAvailable,
            CoordinatorError::Producer(error, _) => error,
            CoordinatorError::TooLarge(_) => Self::UnknownServerError,
        }
    }
}
