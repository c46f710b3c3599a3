//! ConsumerGroupDescribe: a consumer group in full.

use std::sync::Arc;

use super::member::without_epochs;
use super::{ConsumerGroup, Epoch};
use crate::group::assignor::Partitions;
use crate::group::config::ConsumerConfig;
use crate::group::modern::ModernMember;
use crate::group::{GroupShard, MemberId};

/// A consumer group in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedConsumerGroup {
    /// Kafka's name of where it stands.
    pub state: &'static str,
    /// Its epoch.
    pub epoch: Epoch,
    /// The epoch of its target assignment.
    pub target_epoch: Epoch,
    /// The assignor that most members would have.
    pub assignor: Arc<str>,
    /// The members.
    pub members: Vec<DescribedConsumer>,
}

/// A member of a consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedConsumer {
    /// Its id.
    pub id: MemberId,
    /// Its own name.
    pub instance: Option<Arc<str>>,
    /// Where it runs.
    pub rack: Option<Arc<str>>,
    /// Where it is.
    pub epoch: Epoch,
    /// What the client calls itself.
    pub client_id: Arc<str>,
    /// Where it connects from.
    pub client_host: Arc<str>,
    /// The topics that it names.
    pub topics: Vec<Arc<str>>,
    /// Its regular expression.
    pub regex: Option<Arc<str>>,
    /// What it holds, also what it is to give up.
    pub assigned: Partitions,
    /// What it is to have.
    pub target: Arc<Partitions>,
    /// Whether it speaks the classic protocol.
    pub is_classic: bool,
}

impl GroupShard {
    /// A consumer group; `None` where there is none of this id.
    pub fn describe_consumers(&self, id: &str, config: &ConsumerConfig) -> Option<DescribedConsumerGroup> {
        self.consumer_group(id).map(|group| group.described(config))
    }
}

impl ConsumerGroup {
    fn described(&self, config: &ConsumerConfig) -> DescribedConsumerGroup {
        let preferred = self.subscriptions.preferred_assignor(None, None);
        let members = self.members.by_id().iter().map(|(id, member)| {
            let mut assigned = without_epochs(&member.assigned);
            for (topic, held) in member.revoking.iter() {
                assigned.entry(*topic).or_default().extend(held.keys().copied());
            }
            DescribedConsumer {
                id: id.clone(),
                instance: member.instance.clone(),
                rack: member.rack.clone(),
                epoch: member.epoch,
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                topics: member.topics.iter().cloned().collect(),
                regex: member.regex.clone(),
                assigned,
                target: self.target.of(id).cloned().unwrap_or_default(),
                is_classic: member.is_classic(),
            }
        });
        DescribedConsumerGroup {
            state: self.state().name(),
            epoch: self.epoch,
            target_epoch: self.target.epoch(),
            assignor: preferred.unwrap_or_else(|| Arc::from(config.default_assignor().name())),
            members: members.collect(),
        }
    }
}
