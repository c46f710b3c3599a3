//! Elections that an operator asks for (ElectLeaders).

use protocol::id::PartitionIndex;

use super::partition_change::{Election, PartitionChange};
use super::{Decision, Refusal};
use crate::image::{Image, Partition, Topic};
use crate::record::MetadataRecord;

/// Which election is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElectionType {
    /// The first replica shall lead.
    Preferred,
    /// Any replica shall lead where none does, even at the cost of records.
    Unclean,
}

/// The outcome for each partition. For "all partitions" those that needed no election are left out.
pub type Elections = Vec<(String, PartitionIndex, Result<(), Refusal>)>;

/// Holds elections for the partitions named, or for all.
pub fn decide_elect_leaders(
    image: &Image,
    kind: ElectionType,
    partitions: Option<Vec<(String, PartitionIndex)>>,
) -> Result<Decision<Elections>, Refusal> {
    let mut records = Vec::new();
    let mut response = Vec::new();
    match partitions {
        Some(named) => {
            for (name, index) in named {
                let result = find(image, &name, index)
                    .and_then(|(topic, partition)| elect(image, kind, topic, partition))
                    .map(|record| records.push(record));
                response.push((name, index, result));
            }
        }
        None => {
            for topic in image.topics.iter() {
                for partition in &topic.partitions {
                    let result = elect(image, kind, topic, partition).map(|record| records.push(record));
                    if !matches!(result, Err(Refusal::ElectionNotNeeded { .. })) {
                        response.push((topic.name.to_string(), partition.index, result));
                    }
                }
            }
        }
    }
    Ok(Decision::new(records, response))
}

fn find<'a>(
    image: &'a Image,
    name: &str,
    index: PartitionIndex,
) -> Result<(&'a Topic, &'a Partition), Refusal> {
    let topic = image.topics.by_name(name).ok_or_else(|| Refusal::UnknownTopic(name.to_owned()))?;
    let unknown = || Refusal::UnknownPartition { topic: name.to_owned(), partition: index };
    let partition = topic.partition(index).ok_or_else(unknown)?;
    Ok((topic, partition))
}

fn elect(
    image: &Image,
    kind: ElectionType,
    topic: &Topic,
    partition: &Partition,
) -> Result<MetadataRecord<'static>, Refusal> {
    let name = || topic.name.to_string();
    let needed = match kind {
        ElectionType::Preferred => !partition.has_preferred_leader(),
        ElectionType::Unclean => partition.leader.is_none(),
    };
    if !needed {
        return Err(Refusal::ElectionNotNeeded { topic: name(), partition: partition.index });
    }
    let change = PartitionChange {
        image,
        topic: topic.id,
        topic_name: &topic.name,
        partition,
        election: match kind {
            ElectionType::Preferred => Election::Preferred,
            ElectionType::Unclean => Election::Unclean,
        },
        leaving: None,
        unclean: None,
        joining: None,
    };
    change.build().map(Into::into).ok_or_else(|| match kind {
        ElectionType::Preferred => {
            Refusal::PreferredLeaderNotAvailable { topic: name(), partition: partition.index }
        }
        ElectionType::Unclean => {
            Refusal::EligibleLeadersNotAvailable { topic: name(), partition: partition.index }
        }
    })
}
