//! Kafka's codes for what the log of a partition refuses or fails at, and the lines that say why.

use protocol::ErrorCode;
use storage::Fault;
use storage::log::ReadError;

use crate::metrics::Corruption;

/// The code of a read that gets nothing. A fault is told of.
pub fn read_error(corruption: &Corruption, error: &ReadError) -> ErrorCode {
    match error {
        ReadError::Refused(refusal) => (*refusal).into(),
        ReadError::Fault(fault) => told(corruption, fault),
    }
}

/// Tells of a fault that a request met, and says its code. Of a disk that failed the directory has taken note, and the log of
/// the process has its line already; of a file that is not what was written nobody else tells.
pub fn told(corruption: &Corruption, fault: &Fault) -> ErrorCode {
    if let Fault::Corrupt { path, position, reason } = fault {
        corruption.note(path, *position, reason);
        ErrorCode::CorruptMessage
    } else {
        tracing::debug!(%fault, "a request met a storage error");
        ErrorCode::KafkaStorageError
    }
}
