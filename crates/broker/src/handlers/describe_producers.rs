//! DescribeProducers, 0: the producers a partition knows (KIP-664).
//!
//! A few bytes of request ask for all that are known, any number of times: what tells of them comes out of the memory that all
//! requests share (ADR 0010).
//!
//! deviation: a partition for which there is no room in the answer is answered INVALID_REQUEST, to be asked for again; Kafka tells
//! of all, whatever that takes. Everybody else on the node gains.

use std::borrow::Cow;
use std::sync::Arc;

use metadata::controller::topics::name_fault;
use protocol::ErrorCode;
use protocol::id::PartitionIndex;
use protocol::messages::describe_producers::{PartitionResponse, ProducerState, TopicResponse};
use protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};
use protocol::offset::Offset;

use super::Call;
use super::partition_errors::told;
use crate::runtime::partitions::Replica;
use crate::runtime::request_memory::Drawn;

/// How many producers one answer tells of, beyond those of the first partition that has any.
const PRODUCERS_MAX: usize = 100_000;
/// What one takes, in memory and on its way out. Measured by `tests/memory_of_requests.rs`.
const PRODUCER_BYTES: usize = 160;
/// So many may come while the answer waits for its memory.
const COMING: usize = 100;

type Refused = (ErrorCode, Cow<'static, str>);

/// Handles one request; hands back what is drawn for it by then.
pub async fn handle<'a>(
    call: &Call,
    request: DescribeProducersRequest<'a>,
    drawn: Drawn,
) -> (DescribeProducersResponse<'a>, Drawn) {
    let (mut room, drawn) = draw(call, count(call, &request), drawn).await;
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| {
            let index = PartitionIndex(index);
            match producers(call, (&topic.name, index), &mut room) {
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
    (DescribeProducersResponse { topics: topics.collect(), ..DescribeProducersResponse::default() }, drawn)
}

/// How many producers the answer is to tell of: as many as fit one, and those of the first partition in any case.
fn count(call: &Call, request: &DescribeProducersRequest<'_>) -> usize {
    let mut told = 0;
    for topic in &request.topics {
        for index in &topic.partition_indexes {
            let Ok(replica) = find(call, &topic.name, PartitionIndex(index)) else { continue };
            let Ok(log) = replica.log() else { continue };
            let known = log.partition().producers().len();
            if told > 0 && told + known > PRODUCERS_MAX {
                return told;
            }
            told += known;
        }
    }
    told
}

/// Draws what it takes to tell of so many; says of how many there can be told.
async fn draw(call: &Call, told: usize, drawn: Drawn) -> (usize, Drawn) {
    let memory = &call.broker.request_memory;
    let room = told + COMING;
    let Ok(claim) = memory.claim(0, room, PRODUCER_BYTES) else { return (COMING, drawn) };
    match (memory.try_draw(claim), drawn) {
        (Some(more), None) => (room, more),
        (Some(None), drawn) => (room, drawn),
        (Some(Some(more)), Some(mut drawn)) => {
            drawn.merge(more);
            (room, Some(drawn))
        }
        (None, None) => (room, memory.draw(claim).await),
        // Others may be waiting for what it holds.
        (None, drawn) => (COMING, drawn),
    }
}

fn find(call: &Call, topic: &str, index: PartitionIndex) -> Result<Arc<Replica>, Refused> {
    let found = call.broker.partitions.by_name(topic);
    if let Some(replica) = found.as_ref().and_then(|topic| topic.get(index)) {
        return Ok(replica.clone());
    }
    if let Some(reason) = name_fault(topic) {
        return Err((ErrorCode::InvalidTopicException, format!("this names no topic: {reason}").into()));
    }
    let error = call.broker.absent_by_name(topic, index);
    Err((error, "this broker has no replica of the partition: ask the broker that leads it".into()))
}

fn producers(
    call: &Call,
    (topic, index): (&str, PartitionIndex),
    room: &mut usize,
) -> Result<Vec<ProducerState>, Refused> {
    let replica = find(call, topic, index)?;
    let told = |fault| (told(&call.broker.metrics.corruption, &fault), fault.to_string().into());
    let log = replica.log().map_err(told)?;
    let known = log.partition().producers();
    let Some(left) = room.checked_sub(known.len()) else {
        let full = format!(
            "the answer has no room for the {} producers of this partition: ask for it alone, or raise \
             headwater.request.memory.bytes",
            known.len()
        );
        return Err((ErrorCode::InvalidRequest, full.into()));
    };
    *room = left;
    let producers = known.iter().map(|(producer_id, state)| ProducerState {
        producer_id: producer_id.0,
        producer_epoch: state.producer_epoch.0.into(),
        last_sequence: state.last_sequence().0,
        last_timestamp: state.last_timestamp.0,
        coordinator_epoch: state.coordinator_epoch.0,
        current_txn_start_offset: state.current_transaction_first_offset.unwrap_or(Offset(-1)).0,
    });
    let mut told = Vec::with_capacity(known.len());
    told.extend(producers);
    Ok(told)
}
