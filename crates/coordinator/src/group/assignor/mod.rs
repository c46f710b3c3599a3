//! Who of a consumer group reads what: the assignors of the coordinator (KIP-848).
//!
//! Each takes the members with what they are to have read so far, and says what they are to read from now on. It
//! changes nothing, knows nothing of epochs and of how members get there (that is the group's), and gives the same
//! answer to the same question. Members come in the order of their ids, topics in that of theirs: where Kafka's
//! order is that of a hash table, this is one of those it may have. As in Kafka since 4.0 no assignor looks at racks;
//! that the racks of a topic changed makes the group assign anew, no more (KIP-1101).

mod balance;
mod heterogeneous;
mod homogeneous;
mod ownership;
mod range;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::id::{PartitionIndex, TopicId};

use super::MemberId;

/// Partitions by topic id.
pub type Partitions = BTreeMap<TopicId, BTreeSet<PartitionIndex>>;

/// What each member is to read.
pub type Assignment = BTreeMap<MemberId, Arc<Partitions>>;

/// A member, as an assignor sees it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MemberSpec {
    /// The static member's own name.
    pub instance: Option<Arc<str>>,
    /// The topics that it reads, of those that there are.
    pub topics: Arc<BTreeSet<TopicId>>,
    /// What it was to read so far.
    pub assigned: Arc<Partitions>,
}

/// The members.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GroupSpec {
    /// By id.
    pub members: BTreeMap<MemberId, MemberSpec>,
}

/// A topic, as an assignor sees it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TopicSpec {
    /// How many partitions it has.
    pub partitions: u32,
}

/// The topics.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TopicsSpec {
    /// By id.
    pub topics: BTreeMap<TopicId, TopicSpec>,
}

/// Why there is no assignment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AssignorError {
    /// A member reads a topic that the assignor was not told of.
    #[error("a member reads topic {0:?}, which is not among the topics of the cluster")]
    UnknownTopic(TopicId),
}

/// A way to assign.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Assignor {
    /// As many for each as the subscriptions allow, and as few moves as that takes.
    Uniform,
    /// A stretch of each topic for each, the same stretch of topics of one size.
    Range,
}

impl Assignor {
    /// The one that Kafka calls this.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Uniform, Self::Range].into_iter().find(|assignor| assignor.name() == name)
    }

    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// Says what each member is to read. Whose part stays gets back the very `Arc` that it came with.
    ///
    /// # Errors
    /// A member reads a topic that `topics` does not know.
    pub fn assign(self, group: &GroupSpec, topics: &TopicsSpec) -> Result<Assignment, AssignorError> {
        match self {
            Self::Range => range::assign(group, topics),
            Self::Uniform if group.is_homogeneous() => homogeneous::assign(group, topics),
            Self::Uniform => heterogeneous::assign(group, topics),
        }
    }
}

impl GroupSpec {
    /// Whether all members read the same topics.
    fn is_homogeneous(&self) -> bool {
        let mut members = self.members.values();
        members.next().is_none_or(|first| {
            members.all(|member| Arc::ptr_eq(&first.topics, &member.topics) || first.topics == member.topics)
        })
    }
}

impl TopicsSpec {
    fn partitions(&self, topic: TopicId) -> Result<usize, AssignorError> {
        let topic = self.topics.get(&topic).ok_or(AssignorError::UnknownTopic(topic))?;
        Ok(usize::try_from(topic.partitions).unwrap_or(usize::MAX))
    }
}
