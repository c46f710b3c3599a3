//! Reassignments of replicas to brokers that an operator asks for (AlterPartitionReassignments, KIP-455), judged as
//! Kafka's controller judges them.
//!
//! On one node the only replicas that can be asked for are those that are there: a reassignment that is allowed is over
//! at once, and none is ever under way. `kafka-reassign-partitions` asks all the same, before it moves a replica
//! between log directories.

use protocol::id::{NodeId, PartitionIndex};

use super::Refusal;
use super::topics::check_assignment;
use crate::image::{Image, Partition};

/// Whether the replicas of a partition can be made these, or with `None` its reassignment be called off.
///
/// # Errors
/// Why not. What cannot be, as there is no partition, names neither topic nor partition: both stand beside it.
pub fn check_reassignment(
    image: &Image,
    (topic, index): (&str, PartitionIndex),
    replicas: Option<&[NodeId]>,
    factor_may_change: bool,
) -> Result<(), Refusal> {
    let unknown = || Refusal::UnknownPartition { topic: topic.into(), partition: index };
    let found = image.topics.by_name(topic).ok_or_else(unknown)?;
    let partition = found.partition(index).ok_or_else(unknown)?;
    let Some(replicas) = replicas else {
        return if is_reassigned(partition) { Err(not_here()) } else { Err(Refusal::NoReassignment) };
    };
    check_assignment(image, replicas, None)?;
    if !factor_may_change && replicas.len() != partition.replicas.len() {
        let (has, asked) = (partition.replicas.len(), replicas.len());
        let sentence =
            format!("the partition has {has} replicas, {asked} are asked for, and it must not change");
        return Err(Refusal::InvalidReplicationFactor(sentence));
    }
    if partition.replicas.iter().eq(replicas) && !is_reassigned(partition) { Ok(()) } else { Err(not_here()) }
}

/// Whether replicas of a partition are on their way from one broker to another.
pub fn is_reassigned(partition: &Partition) -> bool {
    !partition.adding().is_empty() || !partition.removing().is_empty()
}

fn not_here() -> Refusal {
    let sentence = "this release moves no replicas between brokers: name those that the partition has";
    Refusal::InvalidReplicaAssignment(sentence.to_owned())
}
