//! What the broker knows about groups: topic, settings, and what deleted topics mean to them.

use std::sync::Arc;
use std::time::Duration;

use coordinator::group::{Group, GroupConfig, GroupShard};
use coordinator::record::GroupRecord;
use coordinator::{Decision, Ground};
use protocol::id::TopicId;
use protocol::records::compression::Compression;

use super::coordinator::{Coordinated, Coordinator};
use super::figures::Figures;
use crate::config::NodeConfig;

impl Coordinated for GroupShard {
    const TOPIC: &'static str = "__consumer_offsets";

    fn config(config: &NodeConfig) -> &GroupConfig {
        &config.groups.decisions
    }

    fn compression(config: &NodeConfig) -> Compression {
        config.groups.compression
    }

    fn load_bytes(config: &NodeConfig) -> u32 {
        config.groups.load_bytes
    }

    fn commit_timeout(config: &NodeConfig) -> Duration {
        config.groups.commit_timeout
    }

    fn count(&self, records: &[GroupRecord<'_>], by_itself: bool, figures: &Figures) {
        // Epochs that a group comes to because members have only gone are not counted, as in Kafka.
        let only_goes = is_only_of_leaving(records);
        for record in records {
            match record {
                GroupRecord::GroupMetadata(key, Some(value)) => {
                    let known = match self.group(&key.group) {
                        Some(Group::Classic(group)) => group.recorded.as_ref(),
                        _ => None,
                    };
                    let is_new = known.is_some_and(|known| known.generation.0 != value.generation);
                    figures.classic_rebalances.add(u64::from(is_new && !value.members.is_empty()));
                }
                GroupRecord::ConsumerGroupMetadata(_, Some(_)) => {
                    figures.consumer_rebalances.add(u64::from(!only_goes));
                }
                GroupRecord::StreamsGroupMetadata(key, Some(value)) => {
                    let known = self.streams_group(&key.group_id).map(|group| group.epoch().0);
                    let is_new = known != Some(value.epoch) && !only_goes;
                    figures.streams_rebalances.add(u64::from(is_new));
                }
                GroupRecord::OffsetCommit(key, None) if by_itself && !self.forgets_topic(&key.topic) => {
                    figures.offset_expirations.add(1);
                }
                GroupRecord::OffsetCommit(_, None) => figures.offset_deletions.add(1),
                _ => {}
            }
        }
    }

    fn topics_deleted(
        &self,
        ground: &Ground<'_, GroupConfig>,
        topics: &[(Arc<str>, TopicId)],
    ) -> Option<Decision<'static, Self, ()>> {
        Some(self.topics_were_deleted(ground, topics))
    }
}

impl Coordinator<GroupShard> {
    /// Does what is due of a group by now, before it is judged by somebody who is no member of it: time-outs of very many groups
    /// are seen to together and a little late, and whose time is over must not keep others from it. Where that cannot be written
    /// the group is judged as it is.
    pub async fn settle(self: &Arc<Self>, group: &str) {
        let Ok(led) = self.partition_of(group).and_then(|index| self.led(index)) else { return };
        while led.is_due(self.holdings.now()) {
            let due = |shard: &GroupShard, ground: &Ground<'_, GroupConfig>| {
                let due = shard.wake_named(ground, group);
                Ok(due.map_or_else(|| Decision::reply(false), |due| due.map(|()| true)))
            };
            // Apart: hardly anybody is, and each request would take the room for it.
            if !matches!(Box::pin(self.submit_by_itself(group, due)).await, Ok(true)) {
                break;
            }
            // A large group's members go one by one.
            tokio::task::yield_now().await;
        }
    }
}

/// Whether records say of members only that they have gone.
fn is_only_of_leaving(records: &[GroupRecord<'_>]) -> bool {
    let mut goes = false;
    for record in records {
        match record {
            GroupRecord::ConsumerGroupMemberMetadata(_, Some(_))
            | GroupRecord::StreamsGroupMemberMetadata(_, Some(_)) => return false,
            GroupRecord::ConsumerGroupMemberMetadata(_, None)
            | GroupRecord::StreamsGroupMemberMetadata(_, None) => goes = true,
            _ => {}
        }
    }
    goes
}
