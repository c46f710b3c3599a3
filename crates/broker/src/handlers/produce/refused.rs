//! What is told of batches that were not appended: by Kafka's codes, with as much of the log as Kafka tells.

use partition::{AppendRefusal, Origin};
use protocol::ErrorCode;
use protocol::id::PartitionIndex;
use protocol::offset::Offset;
use storage::Fault;
use storage::log::AppendError;

use super::answer::Outcome;
use crate::Broker;
use crate::handlers::partition_errors::told;
use crate::runtime::partitions::Replica;

/// Why all partitions are refused alike, if they are.
pub fn refused_whole(acks: i16, transactional_without_id: bool) -> Option<(ErrorCode, &'static str)> {
    if transactional_without_id {
        return Some((
            ErrorCode::TransactionalIdAuthorizationFailed,
            "the batch is part of a transaction and the request names no transactional id",
        ));
    }
    let unknown = !(-1..=1).contains(&acks);
    unknown.then_some((
        ErrorCode::InvalidRequiredAcks,
        "acks are -1 (all in-sync replicas), 0 (none) or 1 (leader)",
    ))
}

/// A client wrote to a topic that is the brokers' own.
pub fn internal(replica: &Replica) -> Outcome {
    let message = format!(
        "topic '{}' is written by brokers only: commit offsets and end transactions by their own requests, or write to a \
         topic of your own",
        replica.topic()
    );
    Outcome::error(replica.index, ErrorCode::InvalidTopicException, Some(message))
}

/// The outcome of an append that was refused or failed.
pub fn failed(broker: &Broker, replica: &Replica, origin: Origin, error: &AppendError) -> Outcome {
    replica.metrics().failed_produce_requests.add(1);
    let refusal = match error {
        AppendError::Refused(refusal) => refusal,
        AppendError::Fault(fault) => return faulted(broker, replica.index, fault),
    };
    let record_errors = match refusal {
        AppendRefusal::RecordsRefused(records) => {
            records.iter().map(|record| (record.index, record.reason.to_string())).collect()
        }
        _ => Vec::new(),
    };
    let known = if tells_log_start(refusal, origin) {
        replica.log().map_or(Offset(-1), |log| log.partition().watermarks().log_start)
    } else {
        Offset(-1)
    };
    Outcome {
        log_start_offset: known,
        record_errors,
        ..Outcome::error(replica.index, ErrorCode::from(refusal), Some(refusal.to_string()))
    }
}

/// Whether Kafka tells where the log begins along with this refusal: where it looked at the log at all, and not
/// for batches that are too large or broken.
fn tells_log_start(refusal: &AppendRefusal, origin: Origin) -> bool {
    // Versions without zstd ask for the codec before they look at the log.
    if let (AppendRefusal::UnknownCodec { .. }, Origin::Client { zstd: false, .. }) = (refusal, origin) {
        return false;
    }
    !matches!(
        refusal,
        AppendRefusal::NoBatch
            | AppendRefusal::MoreThanOneBatch
            | AppendRefusal::OldFormat { .. }
            | AppendRefusal::Boundless { .. }
            | AppendRefusal::ZstdTooEarly
            | AppendRefusal::Framing(_)
            | AppendRefusal::Crc(_)
            | AppendRefusal::TooLarge { .. }
            | AppendRefusal::LargerThanSegment { .. }
            | AppendRefusal::NotLeader { .. }
    )
}

/// The outcome of an append at which a disk failed.
pub fn faulted(broker: &Broker, index: PartitionIndex, fault: &Fault) -> Outcome {
    let error = match told(&broker.metrics.corruption, fault) {
        // It would say that what the producer sent is corrupt.
        ErrorCode::CorruptMessage => ErrorCode::KafkaStorageError,
        error => error,
    };
    Outcome::error(index, error, Some(fault.to_string()))
}
