//! Kafka's codes for what the log of a partition refuses or fails at.

use std::fmt::Display;

use protocol::ErrorCode;
use storage::Fault;
use storage::log::ReadError;

/// The code of a read that gets nothing.
pub fn read_error(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::Refused(refusal) => (*refusal).into(),
        ReadError::Fault(fault) => fault_error(fault),
    }
}

/// The code of a disk that failed, or whose bytes are not what was written. The directory has taken note and the log of
/// the process has its line already.
pub fn fault_error(fault: &Fault) -> ErrorCode {
    match fault {
        Fault::Corrupt { .. } => ErrorCode::CorruptMessage,
        _ => ErrorCode::KafkaStorageError,
    }
}

/// Leaves a trace, for whoever looks closely, of why a request got an error that is the broker's own.
pub fn tell(code: ErrorCode, reason: impl Display) -> ErrorCode {
    if code == ErrorCode::KafkaStorageError {
        tracing::debug!(%reason, "a request met a storage error");
    }
    code
}
