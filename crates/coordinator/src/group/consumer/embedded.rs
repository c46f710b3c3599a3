//! What consumers of the classic protocol tell each other, which a consumer group has to understand: their
//! subscriptions, and the assignments that it writes for them.

use std::collections::BTreeSet;
use std::sync::Arc;

use metadata::Image;
use protocol::id::{PartitionIndex, TopicId};
use protocol::messages::Message;
use protocol::messages::record::consumer_protocol_assignment::TopicPartition;
use protocol::messages::record::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use protocol::wire::EncodeError;

use crate::group::assignor::Partitions;

/// What a classic consumer told its leader.
pub(super) struct Subscription {
    pub(super) topics: BTreeSet<Arc<str>>,
    pub(super) rack: Option<Arc<str>>,
    /// What it holds, of the topics that there are.
    pub(super) owned: Partitions,
}

/// The version in front; one that is not known yet is read as the last that is.
fn version_of(bytes: &[u8], last: i16) -> Option<(i16, &[u8])> {
    let (version, body) = bytes.split_first_chunk::<2>()?;
    let version = i16::from_be_bytes(*version);
    (version >= 0).then(|| (version.min(last), body))
}

impl Subscription {
    /// Reads one; `None` where it cannot be read.
    pub(super) fn of(bytes: &[u8], image: &Image) -> Option<Self> {
        let (version, body) = version_of(bytes, ConsumerProtocolSubscription::VERSIONS.last)?;
        let (subscription, _) = ConsumerProtocolSubscription::decode_prefix(body, version).ok()?;
        let owned = subscription.owned_partitions.iter().map(|owned| (owned.topic, owned.partitions));
        Some(Self {
            topics: subscription.topics.iter().map(|topic| Arc::from(&*topic)).collect(),
            rack: subscription.rack_id.as_deref().filter(|rack| !rack.is_empty()).map(Arc::from),
            owned: by_id(owned.map(|(topic, indexes)| (topic, indexes.iter().collect())), image),
        })
    }
}

/// An assignment as the leader of a classic group gave it, of the topics that there are. `None` where it cannot be
/// read, or where it says more than partitions: what an assignor of the client's own wants would be lost.
pub(super) fn assignment(bytes: &[u8], image: &Image) -> Option<Partitions> {
    if bytes.is_empty() {
        return Some(Partitions::new());
    }
    let (version, body) = version_of(bytes, ConsumerProtocolAssignment::VERSIONS.last)?;
    let (assignment, _) = ConsumerProtocolAssignment::decode_prefix(body, version).ok()?;
    if assignment.user_data.is_some_and(|data| !data.is_empty()) {
        return None;
    }
    let topics = assignment.assigned_partitions.iter();
    Some(by_id(topics.map(|topic| (topic.topic, topic.partitions.iter().collect())), image))
}

fn by_id<'t>(
    topics: impl Iterator<Item = (std::borrow::Cow<'t, str>, Vec<i32>)>,
    image: &Image,
) -> Partitions {
    let mut partitions = Partitions::new();
    for (name, indexes) in topics {
        let Some(id) = image.topics.id_of(&name) else { continue };
        let of_topic: &mut BTreeSet<PartitionIndex> = partitions.entry(id).or_default();
        of_topic.extend(indexes.into_iter().map(PartitionIndex));
    }
    partitions
}

/// An assignment for a member that told its leader this, in the version that it used itself.
pub(super) fn assignment_for<'p>(
    told: &[u8],
    partitions: impl Iterator<Item = (TopicId, Vec<PartitionIndex>)> + 'p,
    image: &Image,
) -> Option<Arc<[u8]>> {
    let (version, _) = version_of(told, ConsumerProtocolAssignment::VERSIONS.last)?;
    let topics = partitions.filter_map(|(id, indexes)| {
        let topic = image.topics.get(id)?.name.to_string().into();
        Some(TopicPartition { topic, partitions: indexes.into_iter().map(|index| index.0).collect() })
    });
    let assignment = ConsumerProtocolAssignment { assigned_partitions: topics.collect(), user_data: None };
    encoded(&assignment, version).ok()
}

fn encoded(assignment: &ConsumerProtocolAssignment<'_>, version: i16) -> Result<Arc<[u8]>, EncodeError> {
    let mut bytes = version.to_be_bytes().to_vec();
    assignment.encode(version, &mut bytes)?;
    Ok(Arc::from(bytes))
}
