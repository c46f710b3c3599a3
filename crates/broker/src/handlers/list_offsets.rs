//! ListOffsets, 0 to 11: offsets by time, and the ends of logs.
//!
//! 0 asks for lists of offsets at which segments begin, 1 for one offset (KIP-79), 2 adds isolation, 4 leader epochs (KIP-320), 7 the record with the largest timestamp (KIP-734), 8 the earliest
//! local offset (KIP-405), 9 the latest tiered one (KIP-1005), 11 the earliest that waits to be tiered (KIP-1023).
//! There is no remote storage, so nothing is tiered and nothing waits to be.
//!
//! What a small request asks for and can be told from memory is answered on the spot; everything else where it may wait
//! for the disk.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use partition::fetch::Isolation;
use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, PartitionIndex, Timestamp};
use protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use protocol::offset::Offset;
use protocol::records::compression::Decompressors;
use storage::log::{FoundOffset, ReadError};

use super::partition_errors::read_error;
use super::{Asked, Call};
use crate::Broker;
use crate::net::{Outbound, Peer, Step};
use crate::runtime::partitions::{Replica, TopicReplicas};

/// The special timestamps, each with the first version that may ask for it.
const SPECIAL: [(i64, i16); 6] = [(-1, 1), (-2, 1), (-3, 7), (-4, 8), (-5, 9), (-6, 11)];
const EARLIEST: i64 = -2;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;
/// The first version whose answers have a leader epoch.
const LEADER_EPOCH_SINCE: i16 = 4;
/// The replica id of tools that look past the high watermark.
const DEBUGGING_REPLICA: i32 = -2;
const CONSUMER: i32 = -1;
const READ_COMMITTED: i8 = 1;

thread_local! {
    static DECOMPRESSORS: RefCell<Decompressors> = RefCell::default();
}

/// Whether a look-up may wait for the disk, and for who has the log.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    Yes,
    No,
}

/// Answers a small request from memory; nothing where that cannot be.
pub fn at_once(
    broker: &Arc<Broker>,
    _: &Peer,
    (asked, _): (Asked, &str),
    body: &[u8],
    out: &mut Outbound,
) -> Option<Step> {
    if asked.version == 0 {
        return None;
    }
    let request = asked.decode_small::<ListOffsetsRequest<'_>>(body)?;
    let response = offsets((broker, asked.version), &request, Waits::No)?;
    let written = asked.answer(&response, out);
    Some(asked.step(written, broker))
}

/// Handles one request.
pub async fn handle<'a>(call: &Call, request: ListOffsetsRequest<'a>) -> ListOffsetsResponse<'a> {
    if call.asked.version == 0 {
        return lists(call, &request);
    }
    offsets((&call.broker, call.asked.version), &request, Waits::Yes)
        .expect("who may wait leaves nothing out")
}

/// The answer of the other versions; nothing where it may not wait and would have to.
fn offsets<'a>(
    (broker, version): (&Broker, i16),
    request: &ListOffsetsRequest<'a>,
    waits: Waits,
) -> Option<ListOffsetsResponse<'a>> {
    let isolation = match (request.replica_id, request.isolation_level) {
        (-1, READ_COMMITTED) => Isolation::LastStableOffset,
        (-1, _) => Isolation::HighWatermark,
        (DEBUGGING_REPLICA.., _) => Isolation::LogEnd,
        _ => Isolation::HighWatermark,
    };
    let senseless = !(0..=READ_COMMITTED).contains(&request.isolation_level);
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeMap::new());
    for topic in &request.topics {
        for partition in &topic.partitions {
            let key = (topic.name.clone(), partition.partition_index);
            if !seen.insert(key.clone()) {
                twice.insert(key, false);
            }
        }
    }
    let topics = request.topics.iter().map(|topic| {
        let found = broker.partitions.by_name(&topic.name);
        let partitions = topic.partitions.iter().filter_map(|asked| {
            let key = (topic.name.clone(), asked.partition_index);
            match twice.get_mut(&key) {
                // Named more than once, it is refused once.
                Some(told) => (!std::mem::replace(told, true))
                    .then(|| Some(refused(asked.partition_index, ErrorCode::InvalidRequest))),
                // As in Kafka, which trips over it.
                None if senseless => {
                    Some(Some(refused(asked.partition_index, ErrorCode::UnknownServerError)))
                }
                None => Some(answer(
                    (broker, version),
                    (found.as_deref(), &topic.name),
                    &asked,
                    (isolation, waits),
                )),
            }
        });
        let partitions: Option<Vec<_>> = partitions.collect();
        Some(ListOffsetsTopicResponse { partitions: partitions?.into(), name: topic.name.clone() })
    });
    // A topic of which nothing is told is passed over, as in Kafka.
    let told = |topic: &Option<ListOffsetsTopicResponse<'_>>| {
        topic.as_ref().is_none_or(|topic| !topic.partitions.is_empty())
    };
    let topics: Option<Vec<_>> = topics.filter(told).collect();
    Some(ListOffsetsResponse { topics: topics?.into(), ..ListOffsetsResponse::default() })
}

/// The answer of version 0.
fn lists<'a>(call: &Call, request: &ListOffsetsRequest<'a>) -> ListOffsetsResponse<'a> {
    let topics = request.topics.iter().map(|topic| {
        let found = call.broker.partitions.by_name(&topic.name);
        let partitions = topic.partitions.iter().map(|asked| {
            let index = PartitionIndex(asked.partition_index);
            match found.as_deref().and_then(|topic| topic.get(index)) {
                Some(replica) => list(call, replica, &asked, request.replica_id),
                None => refused(index.0, call.broker.absent_by_name(&topic.name, index)),
            }
        });
        ListOffsetsTopicResponse { partitions: partitions.collect(), name: topic.name.clone() }
    });
    ListOffsetsResponse { topics: topics.collect(), ..ListOffsetsResponse::default() }
}

fn list(
    call: &Call,
    replica: &Replica,
    asked: &ListOffsetsPartition,
    replica_id: i32,
) -> ListOffsetsPartitionResponse<'static> {
    if asked.timestamp < EARLIEST {
        return refused(asked.partition_index, ErrorCode::UnsupportedVersion);
    }
    let listed = replica.log().map_err(ReadError::from).and_then(|mut log| {
        if replica_id != DEBUGGING_REPLICA {
            log.partition().check_leader(LeaderEpoch::NONE)?;
        }
        let most = usize::try_from(asked.max_num_offsets).unwrap_or(0);
        let offsets = log.segments_before(Timestamp(asked.timestamp), most, call.broker.now())?;
        Ok((offsets, log.partition().watermarks().high_watermark))
    });
    match listed {
        Ok((mut offsets, high_watermark)) => {
            // A consumer does not see past the high watermark, and gets it in place of what is.
            let past = offsets.iter().take_while(|offset| **offset > high_watermark).count();
            if replica_id == CONSUMER && past > 0 {
                offsets.splice(..past, [high_watermark]);
            }
            ListOffsetsPartitionResponse {
                partition_index: asked.partition_index,
                old_style_offsets: offsets.into_iter().map(|offset| offset.0).collect(),
                ..ListOffsetsPartitionResponse::default()
            }
        }
        Err(error) => refused(asked.partition_index, read_error(&call.broker.metrics.corruption, &error)),
    }
}

fn refused(index: i32, error: ErrorCode) -> ListOffsetsPartitionResponse<'static> {
    ListOffsetsPartitionResponse {
        partition_index: index,
        error_code: error.into(),
        ..ListOffsetsPartitionResponse::default()
    }
}

/// What is told of one partition; nothing where it may not wait and would have to.
fn answer(
    (broker, version): (&Broker, i16),
    (topic, name): (Option<&TopicReplicas>, &Cow<'_, str>),
    asked: &ListOffsetsPartition,
    (isolation, waits): (Isolation, Waits),
) -> Option<ListOffsetsPartitionResponse<'static>> {
    let index = PartitionIndex(asked.partition_index);
    // A negative time is a special one, or means nothing.
    let since = SPECIAL.iter().find(|(special, _)| asked.timestamp == *special).map(|(_, since)| *since);
    let too_new = asked.timestamp < 0 && since.is_none_or(|since| version < since);
    if too_new {
        return Some(refused(index.0, ErrorCode::UnsupportedVersion));
    }
    let Some(replica) = topic.and_then(|topic| topic.get(index)) else {
        return Some(refused(index.0, broker.absent_by_name(name, index)));
    };
    let found = match waits {
        Waits::Yes => look_up(replica, asked, isolation),
        Waits::No => Ok(look_up_at_hand(replica, asked, isolation)?),
    };
    Some(match found {
        Ok(Some(found)) => {
            let epoch = found.leader_epoch.filter(|_| version >= LEADER_EPOCH_SINCE);
            ListOffsetsPartitionResponse {
                partition_index: index.0,
                timestamp: found.timestamp.0,
                offset: found.offset.0,
                leader_epoch: epoch.unwrap_or(LeaderEpoch::NONE).0,
                ..ListOffsetsPartitionResponse::default()
            }
        }
        Ok(None) => {
            let nothing = Offset(-1);
            ListOffsetsPartitionResponse {
                partition_index: index.0,
                offset: nothing.0,
                ..ListOffsetsPartitionResponse::default()
            }
        }
        Err(error) => refused(index.0, read_error(&broker.metrics.corruption, &error)),
    })
}

fn look_up(
    replica: &Replica,
    asked: &ListOffsetsPartition,
    isolation: Isolation,
) -> Result<Option<FoundOffset>, ReadError> {
    let mut log = replica.log()?;
    log.partition().check_leader(LeaderEpoch(asked.current_leader_epoch))?;
    if [LATEST_TIERED, EARLIEST_PENDING_UPLOAD].contains(&asked.timestamp) {
        return Ok(None);
    }
    let timestamp = Timestamp(asked.timestamp);
    let found = DECOMPRESSORS
        .with_borrow_mut(|decompressors| log.offset_for_timestamp(timestamp, isolation, decompressors))?;
    Ok(found)
}

/// The same from memory, if nobody has the log, who may be waiting for the disk; nothing where that cannot be, and where
/// something is to be refused.
fn look_up_at_hand(
    replica: &Replica,
    asked: &ListOffsetsPartition,
    isolation: Isolation,
) -> Option<Option<FoundOffset>> {
    let mut log = replica.log_if_free()?.ok()?;
    log.partition().check_leader(LeaderEpoch(asked.current_leader_epoch)).ok()?;
    if [LATEST_TIERED, EARLIEST_PENDING_UPLOAD].contains(&asked.timestamp) {
        return Some(None);
    }
    let timestamp = Timestamp(asked.timestamp);
    DECOMPRESSORS.with_borrow_mut(|decompressors| log.offset_at_hand(timestamp, isolation, decompressors))
}
