//! What the broker knows about groups: topic, settings, and what deleted topics mean to them.

use std::sync::Arc;
use std::time::Duration;

use coordinator::group::{Group, GroupConfig, GroupShard};
use coordinator::record::GroupRecord;
use coordinator::{Decision, Ground};
use protocol::id::TopicId;
use protocol::offset::Offset;
use protocol::records::compression::Compression;

use super::coordinator::Coordinated;
use super::figures::Figures;
use crate::config::NodeConfig;

impl Coordinated for GroupShard {
    const TOPIC: &'static str = "__consumer_offsets";

    fn config(config: &NodeConfig) -> Arc<GroupConfig> {
        config.groups.decisions.clone()
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
        let deleted = if by_itself { &figures.offset_expirations } else { &figures.offset_deletions };
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
                GroupRecord::OffsetCommit(_, None) => deleted.add(1),
                _ => {}
            }
        }
    }

    fn topics_deleted(
        &self,
        _: &Ground<'_, GroupConfig>,
        topics: &[(Arc<str>, TopicId)],
    ) -> Option<Decision<'static, Self, ()>> {
        let decision = self.forget_topics(topics);
        (!decision.records.is_empty()).then_some(decision)
    }

    /// Who led the partition may have ended before it forgot the offsets of a topic that was deleted.
    fn loaded_to(
        &self,
        ground: &Ground<'_, GroupConfig>,
        end: Offset,
    ) -> Option<Decision<'static, Self, ()>> {
        // What lies before the end was committed by what was known when this broker came to lead, at the latest.
        let decision = self.forget_absent(ground.image, |offset| offset.record_offset < end);
        (!decision.records.is_empty()).then_some(decision)
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
