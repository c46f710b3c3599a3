//! DescribeProducers, 0: the producers a partition knows (KIP-664).

use std::borrow::Cow;

use metadata::controller::topics::name_fault;
use protocol::ErrorCode;
use protocol::id::PartitionIndex;
use protocol::messages::describe_producers::{PartitionResponse, ProducerState, TopicResponse};
use protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};
use protocol::offset::Offset;

use super::Call;
use super::partition_errors::fault_error;

/// How many producers one answer tells of. A few bytes of request ask for all of a partition's, any number of times.
const PRODUCERS_MAX: usize = 100_000;

/// Handles one request.
pub async fn handle<'a>(call: &Call, request: DescribeProducersRequest<'a>) -> DescribeProducersResponse<'a> {
    let mut told = 0;
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| {
            let index = PartitionIndex(index);
            let producers = if told < PRODUCERS_MAX {
                producers(call, &topic.name, index)
            } else {
                Err((ErrorCode::InvalidRequest, "the answer is full: ask again for this one".into()))
            };
            told += producers.as_ref().map_or(0, Vec::len);
            match producers {
                Ok(producers) => PartitionResponse {
                    partition_index: index.0,
                    active_producers: producers.into(),
                    ..PartitionResponse::default()
                },
                Err((error, message)) => PartitionResponse {
                    partition_index: index.0,
                    error_code: error.into(),
                    error_message: Some(message),
                    ..PartitionResponse::default()
                },
            }
        });
        TopicResponse { partitions: partitions.collect(), name: topic.name.clone() }
    });
    DescribeProducersResponse { topics: topics.collect(), ..DescribeProducersResponse::default() }
}

fn producers(
    call: &Call,
    topic: &str,
    index: PartitionIndex,
) -> Result<Vec<ProducerState>, (ErrorCode, Cow<'static, str>)> {
    let found = call.broker.partitions.by_name(topic);
    let Some(replica) = found.as_ref().and_then(|topic| topic.get(index)) else {
        if let Some(reason) = name_fault(topic) {
            return Err((ErrorCode::InvalidTopicException, format!("this names no topic: {reason}").into()));
        }
        let error = call.broker.absent_by_name(topic, index);
        return Err((error, "this broker has no replica of the partition".into()));
    };
    let log = replica.log().map_err(|fault| (fault_error(&fault), fault.to_string().into()))?;
    let producers = log.partition().producers().iter().map(|(producer_id, state)| ProducerState {
        producer_id: producer_id.0,
        producer_epoch: state.producer_epoch.0.into(),
        last_sequence: state.last_sequence().0,
        last_timestamp: state.last_timestamp.0,
        coordinator_epoch: state.coordinator_epoch.0,
        current_txn_start_offset: state.current_transaction_first_offset.unwrap_or(Offset(-1)).0,
    });
    Ok(producers.collect())
}
