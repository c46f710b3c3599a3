//! OffsetFetch, 0 to 10: how far groups have read.
//!
//! 0 was asked of ZooKeeper once, and calls a partition unknown of which nothing was committed; here it is told from the
//! same log. 2 adds everything a group has committed, 5 leader epochs (KIP-320), 7 stable offsets only (KIP-447), 8 many
//! groups at once (KIP-709), 9 members of the consumer protocol (KIP-848), 10 topic ids (KIP-516).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use coordinator::group::offsets::fetch::FetchedOffset;
use coordinator::group::{Generation, GroupRefusal};
use metadata::Image;
use protocol::ErrorCode;
use protocol::id::{PartitionIndex, TopicId};
use protocol::messages::InPieces;
use protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};

use super::{Call, find_coordinator};

/// The first version that asks for many groups.
const GROUPS_SINCE: i16 = 8;
/// The first version with topic ids.
const IDS_SINCE: i16 = 10;
/// The first version whose answer has room for the error of a group.
const GROUP_ERROR_SINCE: i16 = 2;

/// The first version that tells a partition without a committed offset from one that there is not, and whose clients ask
/// for a coordinator.
const NONE_COMMITTED_SINCE: i16 = 1;

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

/// What is told of a group.
type Answer = Arc<Result<Vec<Told>, ErrorCode>>;

/// Handles one request.
pub async fn handle<'a>(
    call: &Call,
    request: OffsetFetchRequest<'a>,
) -> InPieces<'a, OffsetFetchResponse<'a>> {
    if call.asked.version >= GROUPS_SINCE {
        return of_groups(call, request).await;
    }
    let image = call.broker.image();
    let wanted = request.topics.as_ref().map(|topics| {
        let wanted = topics.iter().map(|topic| Wanted {
            name: Arc::from(&*topic.name),
            id: id_of(&image, &topic.name),
            partitions: topic.partition_indexes.iter().map(PartitionIndex).collect(),
            error: None,
        });
        once(wanted)
    });
    if call.asked.version < NONE_COMMITTED_SINCE {
        find_coordinator::be_ready(call, &request.group_id).await;
    }
    let asked = Asked {
        group: &request.group_id,
        member: None,
        epoch: Generation::NONE,
        stable: request.require_stable,
    };
    let told = match fetch(call, &image, asked, wanted.as_deref()).await {
        Ok(mut told) => {
            if call.asked.version < NONE_COMMITTED_SINCE {
                told.iter_mut().for_each(Told::unknown_where_none);
            }
            told
        }
        Err(error) if call.asked.version >= GROUP_ERROR_SINCE => {
            let refused = OffsetFetchResponse { error_code: error.into(), ..OffsetFetchResponse::default() };
            return refused.into();
        }
        Err(error) => wanted.unwrap_or_default().into_iter().map(|topic| topic.refused(error)).collect(),
    };
    let (count, topic) = (told.len(), move |place: usize| topic(&told[place]));
    InPieces::new(OffsetFetchResponse::default(), |response| &response.topics, count, topic)
}

/// The answer of each group. One that is asked for everything is looked at once, however often it is named.
async fn of_groups<'a>(
    call: &Call,
    request: OffsetFetchRequest<'a>,
) -> InPieces<'a, OffsetFetchResponse<'a>> {
    let (image, ids) = (call.broker.image(), call.asked.version >= IDS_SINCE);
    let mut whole: BTreeMap<_, Answer> = BTreeMap::new();
    let mut answers: Vec<(Cow<'a, str>, Answer)> = Vec::with_capacity(request.groups.len());
    for group in &request.groups {
        let who = (group.group_id.clone(), group.member_id.clone(), group.member_epoch);
        let known = if group.topics.is_none() { whole.get(&who).cloned() } else { None };
        let answer = match known {
            Some(known) => known,
            None => Answer::new(group_answer(call, &image, &group, request.require_stable).await),
        };
        if group.topics.is_none() {
            whole.insert(who, answer.clone());
        }
        answers.push((group.group_id, answer));
    }
    let count = answers.len();
    let group = move |place: usize| {
        let (group_id, answer) = &answers[place];
        let (topics, error) = match &**answer {
            Ok(told) => (group_topics(told, ids), ErrorCode::None),
            Err(error) => (Vec::new(), *error),
        };
        OffsetFetchResponseGroup {
            group_id: group_id.clone(),
            topics: topics.into(),
            error_code: error.into(),
        }
    };
    InPieces::new(OffsetFetchResponse::default(), |response| &response.groups, count, group)
}

async fn group_answer(
    call: &Call,
    image: &Image,
    group: &OffsetFetchRequestGroup<'_>,
    stable: bool,
) -> Result<Vec<Told>, ErrorCode> {
    let ids = call.asked.version >= IDS_SINCE;
    let wanted = group.topics.as_ref().map(|topics| {
        let wanted = topics.iter().map(|topic| {
            let partitions = topic.partition_indexes.iter().map(PartitionIndex).collect();
            if !ids {
                let id = id_of(image, &topic.name);
                return Wanted { name: Arc::from(&*topic.name), id, partitions, error: None };
            }
            let known = image.topics.get(topic.topic_id);
            Wanted {
                name: known.map_or_else(|| Arc::from(&*topic.name), |known| known.name.clone()),
                id: topic.topic_id,
                partitions,
                error: known.is_none().then_some(ErrorCode::UnknownTopicId),
            }
        });
        once(wanted)
    });
    let (member, epoch) = (group.member_id.as_deref(), Generation(group.member_epoch));
    let asked = Asked { group: &group.group_id, member, epoch, stable };
    fetch(call, image, asked, wanted.as_deref()).await
}

/// The id of the topic that a request names: what was committed for one before it of that name is not told. Zero where there
/// is none, or none yet: then what is kept is told.
fn id_of(image: &Image, topic: &str) -> TopicId {
    image.topics.id_of(topic).unwrap_or_default()
}

/// Each partition once, however often it is named: a note of 4 KB may stand behind four bytes of a request.
///
/// deviation: Apache Kafka tells it as often as it is named.
fn once(wanted: impl Iterator<Item = Wanted>) -> Vec<Wanted> {
    let mut named: BTreeMap<(Arc<str>, TopicId), BTreeSet<PartitionIndex>> = BTreeMap::new();
    let once = wanted.filter_map(|mut topic| {
        let count = topic.partitions.len();
        let named = named.entry((topic.name.clone(), topic.id)).or_default();
        topic.partitions.retain(|index| named.insert(*index));
        (count == 0 || !topic.partitions.is_empty()).then_some(topic)
    });
    once.collect()
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

async fn fetch(
    call: &Call,
    image: &Image,
    asked: Asked<'_>,
    wanted: Option<&[Wanted]>,
) -> Result<Vec<Told>, ErrorCode> {
    let Asked { group, member, epoch, stable } = asked;
    let read = call.broker.coordinators.groups.read(group, |shard| {
        shard.may_fetch_offsets(group, member, epoch)?;
        let Some(wanted) = wanted else {
            let all = shard.fetch_all_offsets(group, |topic| id_of(image, topic), stable).into_iter();
            let told = all.map(|(name, offsets)| {
                let id = id_of(image, &name);
                Told::of(name, id, offsets)
            });
            return Ok(told.collect());
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

    fn unknown_where_none(&mut self) {
        for (offset, error) in &mut self.partitions {
            if offset.offset.0 < 0 && *error == ErrorCode::None {
                *error = ErrorCode::UnknownTopicOrPartition;
            }
        }
    }
}

fn topic<'a>(told: &Told) -> OffsetFetchResponseTopic<'a> {
    let partitions = told.partitions.iter().map(|(offset, error)| OffsetFetchResponsePartition {
        partition_index: offset.partition.0,
        committed_offset: offset.offset.0,
        committed_leader_epoch: offset.leader_epoch.0,
        metadata: Some(note(offset)),
        error_code: (*error).into(),
    });
    OffsetFetchResponseTopic { name: told.name.to_string().into(), partitions: partitions.collect() }
}

/// The topics of a group. By id, one that is gone is left out of an answer that was to name everything.
fn group_topics<'a>(told: &[Told], ids: bool) -> Vec<OffsetFetchResponseTopics<'a>> {
    let is_nameless = |topic: &&Told| ids && topic.id.is_zero();
    let topics = told.iter().filter(|topic| !is_nameless(topic)).map(|topic| {
        let partitions = topic.partitions.iter().map(|(offset, error)| OffsetFetchResponsePartitions {
            partition_index: offset.partition.0,
            committed_offset: offset.offset.0,
            committed_leader_epoch: offset.leader_epoch.0,
            metadata: Some(note(offset)),
            error_code: (*error).into(),
        });
        OffsetFetchResponseTopics {
            name: topic.name.to_string().into(),
            topic_id: if ids { topic.id } else { TopicId::ZERO },
            partitions: partitions.collect(),
        }
    });
    topics.collect()
}

fn note<'a>(offset: &FetchedOffset) -> Cow<'a, str> {
    Cow::Owned(offset.metadata.as_deref().unwrap_or_default().to_owned())
}
