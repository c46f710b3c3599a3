//! Kafka's codes for what the log of a partition refuses or fails at.

use std::fmt::Display;
use std::time::Instant;

use protocol::ErrorCode;
use storage::Fault;
use storage::log::ReadError;

use crate::seldom::Seldom;

/// What is corrupt is asked for again and again.
static CORRUPT: Seldom = Seldom::new();

/// The code of a read that gets nothing.
pub fn read_error(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::Refused(refusal) => (*refusal).into(),
        ReadError::Fault(fault) => fault_error(fault),
    }
}

/// The code of a disk that failed, of which the directory has taken note and the log of the process has its line already,
/// or whose bytes are not what was written.
pub fn fault_error(fault: &Fault) -> ErrorCode {
    match fault {
        Fault::Corrupt { .. } => {
            tell_corrupt(fault);
            ErrorCode::CorruptMessage
        }
        _ => ErrorCode::KafkaStorageError,
    }
}

/// Names a file that is not what was written: nobody else does, where it is no batch that was to be sent.
pub fn tell_corrupt(fault: &Fault) {
    if matches!(fault, Fault::Corrupt { .. })
        && let Some(unsaid) = CORRUPT.due(Instant::now())
    {
        tracing::error!(
            %fault,
            unsaid,
            "a file is not what was written: `headwater log verify` on its directory tells what to do"
        );
    }
}

/// Leaves a trace, for whoever looks closely, of why a request got an error that is the broker's own.
pub fn tell(code: ErrorCode, reason: impl Display) -> ErrorCode {
    if code == ErrorCode::KafkaStorageError {
        tracing::debug!(%reason, "a request met a storage error");
    }
    code
}
