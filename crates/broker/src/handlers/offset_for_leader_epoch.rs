//! OffsetForLeaderEpoch, 2 to 4: where the log of a leader epoch ended (KIP-101, KIP-279, KIP-320).
//!
//! 2 has the asker's own leader epoch checked, 3 tells consumers and replicas apart.

use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, PartitionIndex};
use protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderPartition, OffsetForLeaderTopicResult,
};
use protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use super::Call;
use super::partition_errors::read_error;

/// Handles one request.
pub async fn handle<'a>(
    call: &Call,
    request: OffsetForLeaderEpochRequest<'a>,
) -> OffsetForLeaderEpochResponse<'a> {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| answer(call, &topic.topic, &asked));
        OffsetForLeaderTopicResult { partitions: partitions.collect(), topic: topic.topic.clone() }
    });
    OffsetForLeaderEpochResponse { topics: topics.collect(), ..OffsetForLeaderEpochResponse::default() }
}

fn answer(call: &Call, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let index = PartitionIndex(asked.partition);
    let told = |error: ErrorCode| EpochEndOffset {
        error_code: error.into(),
        partition: index.0,
        ..EpochEndOffset::default()
    };
    let found = call.broker.partitions.by_name(topic);
    let Some(replica) = found.as_ref().and_then(|topic| topic.get(index)) else {
        return told(call.broker.absent_by_name(topic, index));
    };
    let (current, requested) = (LeaderEpoch(asked.current_leader_epoch), LeaderEpoch(asked.leader_epoch));
    let end = replica
        .log()
        .map_err(Into::into)
        .and_then(|log| Ok(log.partition().end_offset_for_epoch(current, requested)?));
    match end {
        Ok(Some(end)) => EpochEndOffset {
            leader_epoch: end.epoch.0,
            end_offset: end.end_offset.0,
            ..told(ErrorCode::None)
        },
        Ok(None) => told(ErrorCode::None),
        Err(error) => told(read_error(&call.broker.metrics.corruption, &error)),
    }
}
