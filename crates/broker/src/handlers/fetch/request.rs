//! What a Fetch request asks for.

use std::collections::HashSet;
use std::time::Duration;

use partition::fetch::Isolation;
use protocol::id::{LeaderEpoch, NodeId, PartitionIndex};
use protocol::messages::FetchRequest;
use protocol::offset::Offset;

use super::WAIT_MAX;
use crate::Broker;
use crate::config::ReadCheck;
use crate::handlers::Asked;
use crate::net::Close;
use crate::runtime::fetch_sessions::{Asked as SessionAsked, PartitionKey, TopicKey, Wanted};

/// The first version that tells current leaders, and their endpoints to consumers.
pub const LEADER_SINCE: i16 = 16;
/// The first version with topic ids.
pub const IDS_SINCE: i16 = 13;
/// Bytes of records that one answer may have, so that with what stands between them it is no longer than a frame can
/// be.
const ANSWER_BYTES_MAX: i64 = (2 << 30) - (128 << 20);
/// The replica id of consumers.
const CONSUMER: i32 = -1;
/// Up to so many partitions, looking through them costs less than a table of them.
const FEW: usize = 8;

/// How much, how far and how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of records in all.
    pub bytes_max: i64,
    /// Bytes of records that are worth an answer.
    pub bytes_min: i64,
    /// Records this far from the end of their log are taken to be in memory, if they were written within the last seconds.
    pub bytes_hot: u64,
    /// When records are held against their checksums before they are sent.
    pub check: ReadCheck,
    /// Whether the first batch of each partition may be over the limit, and not only of the first one: where batches are
    /// converted, message by message as far as the limit allows.
    pub each_first_whole: bool,
    /// How long to wait for them.
    pub wait: Duration,
    /// How far the reader sees.
    pub isolation: Isolation,
    /// Whether an error tells who leads instead.
    pub leader_told: bool,
    /// Whether the request named an isolation there is.
    pub isolation_known: bool,
    /// The follower that reads, if one does.
    pub follower: Option<NodeId>,
}

impl Limits {
    /// The limits of a request, within those of the broker.
    pub fn of(request: &FetchRequest<'_>, version: i16, broker: &Broker) -> Self {
        let replica = if version >= 15 { request.replica_state.replica_id } else { request.replica_id };
        let isolation = match (replica, request.isolation_level) {
            (CONSUMER, 1) => Isolation::LastStableOffset,
            (CONSUMER, _) => Isolation::HighWatermark,
            _ => Isolation::LogEnd,
        };
        let config = broker.config();
        let most = i64::try_from(config.requests.fetch_bytes_max).unwrap_or(i64::MAX).min(ANSWER_BYTES_MAX);
        let bytes_max = i64::from(request.max_bytes).min(most);
        Self {
            bytes_max,
            bytes_hot: config.requests.fetch_hot_bytes,
            check: config.requests.read_check,
            bytes_min: i64::from(request.min_bytes).min(bytes_max),
            each_first_whole: version < super::message_set::BATCHES_SINCE,
            wait: Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(WAIT_MAX),
            isolation,
            leader_told: version >= LEADER_SINCE,
            isolation_known: matches!(request.isolation_level, 0 | 1),
            follower: (replica >= 0).then_some(NodeId(replica)),
        }
    }
}

/// The session part.
pub fn session(request: &FetchRequest<'_>, asked: &Asked) -> SessionAsked {
    SessionAsked {
        session_id: request.session_id,
        session_epoch: request.session_epoch,
        topic_ids: asked.version >= IDS_SINCE,
    }
}

/// Refuses a request of more partitions than there may be: each costs many times its bytes to look up and answer.
///
/// # Errors
/// The end of the connection, as no version has an error for it.
pub fn bound(request: &FetchRequest<'_>, asked: &Asked, broker: &Broker) -> Result<(), Close> {
    let most = broker.config().requests.fetch_partitions_max;
    let partitions: usize = request.topics.iter().map(|topic| topic.partitions.len()).sum();
    let forgotten: usize = request.forgotten_topics_data.iter().map(|topic| topic.partitions.len()).sum();
    let named = partitions.max(forgotten);
    if named <= most {
        return Ok(());
    }
    let reason = format!("it names {named} partitions, over headwater.fetch.partitions.max={most}");
    Err(Close::Body { api: asked.api.name(), version: asked.version, reason })
}

/// The partitions, each once: as in Kafka, one that is named twice is taken the last time.
pub fn wanted(request: &FetchRequest<'_>, asked: &Asked, broker: &Broker) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = Vec::new();
    for topic in &request.topics {
        let key = if asked.version >= IDS_SINCE {
            TopicKey::Id(topic.topic_id)
        } else {
            TopicKey::Name(name(broker, &topic.topic))
        };
        all.extend(topic.partitions.iter().map(|partition| Wanted {
            key: PartitionKey { topic: key.clone(), partition: PartitionIndex(partition.partition) },
            current_leader_epoch: epoch(partition.current_leader_epoch),
            fetch_offset: Offset(partition.fetch_offset),
            last_fetched_epoch: epoch(partition.last_fetched_epoch),
            bytes_max: partition.partition_max_bytes,
        }));
    }
    without_doubles(all)
}

/// Any negative epoch names none, as in Kafka.
fn epoch(number: i32) -> LeaderEpoch {
    LeaderEpoch(number).max(LeaderEpoch::NONE)
}

fn without_doubles(mut all: Vec<Wanted>) -> Vec<Wanted> {
    let mut kept = Vec::new();
    if all.len() <= FEW {
        for place in (0..all.len()).rev() {
            if all[place + 1..].iter().any(|later| later.key == all[place].key) {
                all.remove(place);
            }
        }
        return all;
    }
    let mut met = HashSet::with_capacity(all.len());
    for wanted in all.into_iter().rev() {
        if met.insert(wanted.key.clone()) {
            kept.push(wanted);
        }
    }
    kept.reverse();
    kept
}

/// The partitions a session is to forget.
pub fn forgotten<'r>(
    request: &'r FetchRequest<'_>,
    asked: &'r Asked,
) -> impl Iterator<Item = PartitionKey> + use<'r> {
    request.forgotten_topics_data.iter().flat_map(|topic| {
        let key = if asked.version >= IDS_SINCE {
            TopicKey::Id(topic.topic_id)
        } else {
            TopicKey::Name(topic.topic.as_ref().into())
        };
        let partitions: Vec<i32> = topic.partitions.iter().collect();
        partitions
            .into_iter()
            .map(move |partition| PartitionKey { topic: key.clone(), partition: PartitionIndex(partition) })
    })
}

/// A topic's name, shared with the broker's own where it knows the topic.
fn name(broker: &Broker, name: &str) -> std::sync::Arc<str> {
    broker.partitions.by_name(name).map_or_else(|| name.into(), |topic| topic.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_named_twice_is_taken_the_last_time() {
        let wanted = |partition, offset| Wanted {
            key: PartitionKey { topic: TopicKey::Name("t".into()), partition: PartitionIndex(partition) },
            current_leader_epoch: LeaderEpoch::NONE,
            fetch_offset: Offset(offset),
            last_fetched_epoch: LeaderEpoch::NONE,
            bytes_max: 1,
        };
        let few = vec![wanted(0, 1), wanted(1, 2), wanted(0, 3)];
        assert_eq!(without_doubles(few), [wanted(1, 2), wanted(0, 3)]);
        let many: Vec<_> = (0..20).map(|place| wanted(place % 10, place.into())).collect();
        assert_eq!(
            without_doubles(many),
            (10..20).map(|place| wanted(place - 10, place.into())).collect::<Vec<_>>()
        );
    }
}
