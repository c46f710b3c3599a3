//! DeleteRecords, 0 to 2: moves the start of logs up (KIP-107).
//!
//! The new start is on disk before the answer, so that what was deleted stays deleted after a crash.

use std::borrow::Cow;
use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::id::PartitionIndex;
use protocol::messages::delete_records::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use protocol::offset::Offset;
use storage::Fault;
use storage::log::DeleteRecordsError;

use super::Call;
use super::partition_errors::told;

/// Handles one request.
pub async fn handle<'a>(call: &Call, request: DeleteRecordsRequest<'a>) -> DeleteRecordsResponse<'a> {
    let topics: Vec<_> = wanted(&request)
        .into_iter()
        .map(|(name, partitions)| {
            let partitions = partitions
                .into_iter()
                .map(|(index, offset)| answer(index, delete(call, &name, index, offset)));
            DeleteRecordsTopicResult { partitions: partitions.collect(), name }
        })
        .collect();
    let kept = call.broker.keep_log_starts().await;
    match kept {
        Ok(()) => DeleteRecordsResponse { topics: topics.into(), ..DeleteRecordsResponse::default() },
        Err(fault) => {
            let error = told(&call.broker.metrics.corruption, &fault);
            let topics = topics.into_iter().map(|topic| DeleteRecordsTopicResult {
                partitions: topic
                    .partitions
                    .iter()
                    .map(|partition| answer(PartitionIndex(partition.partition_index), Err(error)))
                    .collect(),
                name: topic.name,
            });
            DeleteRecordsResponse { topics: topics.collect(), ..DeleteRecordsResponse::default() }
        }
    }
}

/// What is asked for. As in Kafka a partition named twice counts the last time, and a topic without partitions is
/// passed over.
fn wanted<'a>(
    request: &DeleteRecordsRequest<'a>,
) -> BTreeMap<Cow<'a, str>, BTreeMap<PartitionIndex, Offset>> {
    let mut wanted: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for topic in &request.topics {
        for asked in &topic.partitions {
            let partitions = wanted.entry(topic.name.clone()).or_default();
            partitions.insert(PartitionIndex(asked.partition_index), Offset(asked.offset));
        }
    }
    wanted
}

fn answer(index: PartitionIndex, deleted: Result<Offset, ErrorCode>) -> DeleteRecordsPartitionResult {
    DeleteRecordsPartitionResult {
        partition_index: index.0,
        low_watermark: deleted.map_or(-1, |low_watermark| low_watermark.0),
        error_code: deleted.err().unwrap_or(ErrorCode::None).into(),
    }
}

fn delete(call: &Call, topic: &str, index: PartitionIndex, before: Offset) -> Result<Offset, ErrorCode> {
    let found = call.broker.partitions.by_name(topic);
    let replica = found.as_ref().and_then(|topic| topic.get(index));
    let replica = replica.ok_or_else(|| call.broker.absent_by_name(topic, index))?;
    if metadata::image::is_internal(topic) {
        return Err(ErrorCode::InvalidTopicException);
    }
    let told = |fault: Fault| told(&call.broker.metrics.corruption, &fault);
    let mut log = replica.log().map_err(told)?;
    let deleted = log.delete_records(before);
    drop(log);
    match deleted {
        Ok(log_start) => {
            // A reader behind the new start has to hear of it.
            replica.waiters.changed();
            Ok(log_start)
        }
        Err(DeleteRecordsError::Refused(refusal)) => Err(refusal.into()),
        Err(DeleteRecordsError::Fault(fault)) => Err(told(fault)),
    }
}
