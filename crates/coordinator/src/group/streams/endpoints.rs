//! Where the state of each task can be asked for: members that serve queries tell each other through the group.

use std::collections::BTreeSet;
use std::sync::Arc;

use metadata::Image;
use protocol::id::PartitionIndex;

use super::configured::Configured;
use super::partition_counts::existing;
use super::tasks::Tasks;
use super::{Endpoint, Member};

/// What can be asked for at one place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointPartitions {
    /// The place.
    pub endpoint: Endpoint,
    /// The partitions whose state is written there.
    pub active: Vec<(Arc<str>, Vec<PartitionIndex>)>,
    /// The partitions whose state is copied there.
    pub standby: Vec<(Arc<str>, Vec<PartitionIndex>)>,
}

impl EndpointPartitions {
    /// What a member serves; none where it serves no queries.
    pub(super) fn of(member: &Member, configured: &Configured, image: &Image) -> Option<Self> {
        let endpoint = member.endpoint.clone()?;
        let active = member.assigned.active.iter();
        let active = active.map(|(id, tasks)| (id.clone(), tasks.keys().copied().collect())).collect();
        Some(Self {
            endpoint,
            active: partitions(&active, configured, image),
            standby: partitions(&member.assigned.copies(), configured, image),
        })
    }
}

/// The partitions of the topics that tasks read.
fn partitions(tasks: &Tasks, configured: &Configured, image: &Image) -> Vec<(Arc<str>, Vec<PartitionIndex>)> {
    let mut all = Vec::new();
    for (subtopology, tasks) in tasks {
        let part = configured.parts.as_ref().and_then(|parts| parts.get(subtopology));
        let Some(part) = part else { continue };
        for topic in part.inputs() {
            let count = existing(image, topic).unwrap_or(0);
            let there = within(tasks, count);
            if !there.is_empty() {
                all.push((topic.clone(), there));
            }
        }
    }
    all
}

fn within(tasks: &BTreeSet<PartitionIndex>, count: i32) -> Vec<PartitionIndex> {
    tasks.iter().copied().filter(|task| task.0 < count).collect()
}
