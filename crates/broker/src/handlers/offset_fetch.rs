//! OffsetFetch, 0 to 10: how far groups have read.
//!
//! 0 was asked of ZooKeeper once; here it is told from the same log. 2 adds everything a group has committed, 5 leader
//! epochs (KIP-320), 7 stable offsets only (KIP-447), 8 many groups at once (KIP-709), 9 members of the consumer
//! protocol (KIP-848), 10 topic ids (KIP-516).

use std::borrow::Cow;
use std::sync::Arc;

use coordinator::group::offsets::fetch::FetchedOffset;
use coordinator::group::{Generation, GroupRefusal};
use metadata::Image;
use protocol::ErrorCode;
use protocol::id::{PartitionIndex, TopicId};
use protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};

use super::Call;

/// The first version that asks for many groups.
const GROUPS_SINCE: i16 = 8;
/// The first version with topic ids.
const IDS_SINCE: i16 = 10;
/// The first version whose answer has room for the error of a group.
const GROUP_ERROR_SINCE: i16 = 2;

/// A topic whose offsets are wanted.
struct Wanted {
    name: Arc<str>,
    id: TopicId,
    partitions: Vec<PartitionIndex>,
    /// Why nothing of it can be told.
    error: Option<ErrorCode>,
}

/// A topic of the answer.
struct Told {
    name: Arc<str>,
    id: TopicId,
    partitions: Vec<(FetchedOffset, ErrorCode)>,
}

/// Handles one request.
pub async fn handle<'a>(call: &Call, request: OffsetFetchRequest<'a>) -> OffsetFetchResponse<'a> {
    if call.asked.version >= GROUPS_SINCE {
        let mut groups = Vec::new();
        for group in &request.groups {
            groups.push(group_answer(call, group, request.require_stable).await);
        }
        return OffsetFetchResponse { groups: groups.into(), ..OffsetFetchResponse::default() };
    }
    let wanted = request.topics.as_ref().map(|topics| {
        let wanted = topics.iter().map(|topic| Wanted {
            name: Arc::from(&*topic.name),
            id: TopicId::ZERO,
            partitions: topic.partition_indexes.iter().map(PartitionIndex).collect(),
            error: None,
        });
        wanted.collect::<Vec<_>>()
    });
    let asked = Asked {
        group: &request.group_id,
        member: None,
        epoch: Generation::NONE,
        stable: request.require_stable,
    };
    match fetch(call, asked, wanted.as_deref()).await {
        Ok(told) => OffsetFetchResponse { topics: topics(told).into(), ..OffsetFetchResponse::default() },
        Err(error) if call.asked.version >= GROUP_ERROR_SINCE => {
            OffsetFetchResponse { error_code: error.into(), ..OffsetFetchResponse::default() }
        }
        Err(error) => {
            let told = wanted.unwrap_or_default().into_iter().map(|topic| topic.refused(error)).collect();
            OffsetFetchResponse { topics: topics(told).into(), ..OffsetFetchResponse::default() }
        }
    }
}

async fn group_answer<'a>(
    call: &Call,
    group: OffsetFetchRequestGroup<'a>,
    stable: bool,
) -> OffsetFetchResponseGroup<'a> {
    let image = call.broker.image();
    let ids = call.asked.version >= IDS_SINCE;
    let wanted = group.topics.as_ref().map(|topics| {
        let wanted = topics.iter().map(|topic| {
            let partitions = topic.partition_indexes.iter().map(PartitionIndex).collect();
            let known = if ids { image.topics.get(topic.topic_id) } else { None };
            Wanted {
                name: known.map_or_else(|| Arc::from(&*topic.name), |known| known.name.clone()),
                id: topic.topic_id,
                partitions,
                error: (ids && known.is_none()).then_some(ErrorCode::UnknownTopicId),
            }
        });
        wanted.collect::<Vec<_>>()
    });
    let (member, epoch) = (group.member_id.as_deref(), Generation(group.member_epoch));
    let asked = Asked { group: &group.group_id, member, epoch, stable };
    let answer = fetch(call, asked, wanted.as_deref()).await;
    let (topics, error) = match answer {
        Ok(told) => (group_topics(&image, told, ids), ErrorCode::None),
        Err(error) => (Vec::new(), error),
    };
    OffsetFetchResponseGroup { group_id: group.group_id, topics: topics.into(), error_code: error.into() }
}

/// Who asks for offsets, and of which kind.
struct Asked<'r> {
    group: &'r str,
    /// The member of a consumer group.
    member: Option<&'r str>,
    /// Where it is.
    epoch: Generation,
    /// Whether offsets that a transaction is about to replace are left out.
    stable: bool,
}

async fn fetch(call: &Call, asked: Asked<'_>, wanted: Option<&[Wanted]>) -> Result<Vec<Told>, ErrorCode> {
    let Asked { group, member, epoch, stable } = asked;
    let read = call.broker.coordinators.groups.read(group, |shard| {
        shard.may_fetch_offsets(group, member, epoch)?;
        let Some(wanted) = wanted else {
            let all = shard.fetch_all_offsets(group, stable).into_iter();
            return Ok(all.map(|(name, offsets)| Told::of(name, TopicId::ZERO, offsets)).collect());
        };
        let told = wanted.iter().map(|topic| {
            if let Some(error) = topic.error {
                return topic.refused(error);
            }
            let named = (&*topic.name, topic.id);
            let offsets = topic.partitions.iter();
            let offsets = offsets.map(|index| shard.fetch_offset(group, named, *index, stable));
            Told::of(topic.name.clone(), topic.id, offsets.collect())
        });
        Ok(told.collect::<Vec<_>>())
    });
    let read: Result<_, GroupRefusal> = read.await.map_err(ErrorCode::from)?;
    read.map_err(ErrorCode::from)
}

impl Wanted {
    fn refused(&self, error: ErrorCode) -> Told {
        let partitions = self.partitions.iter().map(|index| (FetchedOffset::none(*index), error)).collect();
        Told { name: self.name.clone(), id: self.id, partitions }
    }
}

impl Told {
    fn of(name: Arc<str>, id: TopicId, offsets: Vec<FetchedOffset>) -> Self {
        let partitions = offsets.into_iter().map(|offset| {
            let error = offset.refusal.map_or(ErrorCode::None, ErrorCode::from);
            (offset, error)
        });
        Self { name, id, partitions: partitions.collect() }
    }
}

fn topics(told: Vec<Told>) -> Vec<OffsetFetchResponseTopic<'static>> {
    let topics = told.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|(offset, error)| OffsetFetchResponsePartition {
            partition_index: offset.partition.0,
            committed_offset: offset.offset.0,
            committed_leader_epoch: offset.leader_epoch.0,
            metadata: Some(Cow::Owned(offset.metadata.into())),
            error_code: error.into(),
        });
        OffsetFetchResponseTopic { name: topic.name.to_string().into(), partitions: partitions.collect() }
    });
    topics.collect()
}

/// The topics of a group. By id, one that is gone is left out of an answer that was to name everything.
fn group_topics(image: &Image, told: Vec<Told>, ids: bool) -> Vec<OffsetFetchResponseTopics<'static>> {
    let topics = told.into_iter().filter_map(|topic| {
        let id = if topic.id.is_zero() && ids { image.topics.id_of(&topic.name)? } else { topic.id };
        let partitions = topic.partitions.into_iter().map(|(offset, error)| OffsetFetchResponsePartitions {
            partition_index: offset.partition.0,
            committed_offset: offset.offset.0,
            committed_leader_epoch: offset.leader_epoch.0,
            metadata: Some(Cow::Owned(offset.metadata.into())),
            error_code: error.into(),
        });
        Some(OffsetFetchResponseTopics {
            name: topic.name.to_string().into(),
            topic_id: id,
            partitions: partitions.collect(),
        })
    });
    topics.collect()
}
