//! What the broker knows about groups: topic, settings, and what deleted topics mean to them.

use std::sync::Arc;
use std::time::Duration;

use coordinator::group::{GroupConfig, GroupShard};
use coordinator::{Decision, Ground};
use protocol::id::TopicId;
use protocol::records::compression::Compression;

use super::coordinator::Coordinated;
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

    fn topics_deleted(
        &self,
        _: &Ground<'_, GroupConfig>,
        topics: &[(Arc<str>, TopicId)],
    ) -> Option<Decision<Self, ()>> {
        let decision = self.forget_topics(topics);
        (!decision.records.is_empty()).then_some(decision)
    }
}
