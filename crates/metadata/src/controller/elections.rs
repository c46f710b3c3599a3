//! Elections that an operator asks for (ElectLeaders).

use std::collections::BTreeSet;
use std::sync::Arc;

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

/// Partitions of one topic.
pub type Named<T> = (Arc<str>, Vec<T>);

/// The outcome for each partition, by topic. For "all partitions" those that needed no election are left out,
/// and their topics stand there without.
pub type Elections = Vec<Named<(PartitionIndex, Result<(), Refusal>)>>;

/// Holds elections for the partitions named, or for all.
pub fn decide_elect_leaders(
    image: &Image,
    kind: ElectionType,
    partitions: Option<Vec<Named<PartitionIndex>>>,
) -> Result<Decision<Elections>, Refusal> {
    let mut records = Vec::new();
    let mut response = Vec::new();
    let Some(named) = partitions else {
        for topic in image.topics.iter() {
            let mut outcomes = Vec::new();
            for partition in &topic.partitions {
                let outcome = elect(image, kind, topic, partition).map(|record| records.push(record));
                if !matches!(outcome, Err(Refusal::ElectionNotNeeded { .. })) {
                    outcomes.push((partition.index, outcome));
                }
            }
            response.push((Arc::clone(&topic.name), outcomes));
        }
        return Ok(Decision::new(records, response));
    };
    // A partition named twice has its election once, and needs none the second time.
    let mut elected = BTreeSet::new();
    for (name, indexes) in named {
        let mut outcomes = Vec::with_capacity(indexes.len());
        for index in indexes {
            let outcome = find(image, &name, index).and_then(|(topic, partition)| {
                if elected.contains(&(topic.id, index)) {
                    let topic = Arc::clone(&topic.name);
                    return Err(Refusal::ElectionNotNeeded { topic, partition: index });
                }
                records.push(elect(image, kind, topic, partition)?);
                elected.insert((topic.id, index));
                Ok(())
            });
            outcomes.push((index, outcome));
        }
        response.push((name, outcomes));
    }
    Ok(Decision::new(records, response))
}

fn find<'a>(
    image: &'a Image,
    name: &Arc<str>,
    index: PartitionIndex,
) -> Result<(&'a Topic, &'a Partition), Refusal> {
    let unknown = || Refusal::UnknownPartition { topic: Arc::clone(name), partition: index };
    let topic = image.topics.by_name(name).ok_or_else(unknown)?;
    let partition = topic.partition(index).ok_or_else(unknown)?;
    Ok((topic, partition))
}

fn elect(
    image: &Image,
    kind: ElectionType,
    topic: &Topic,
    partition: &Partition,
) -> Result<MetadataRecord<'static>, Refusal> {
    let name = || Arc::clone(&topic.name);
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
