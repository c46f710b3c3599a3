//! The topic's configuration as a log asks for it; every field can change while the log is open.

use partition::compaction::CompactionRules;
use partition::producers::PRODUCER_IDS_MAX;
use partition::retention::RetentionRules;
use partition::segments::RollRules;
use partition::{AppendRules, Millis};

use crate::segments::IndexLimits;

/// What the topic says about its logs. The default is Kafka's.
#[derive(Clone, PartialEq, Debug)]
pub struct LogConfig {
    /// What may be appended.
    pub append: AppendRules,
    /// When a segment is full.
    pub roll: RollRules,
    /// `segment.jitter.ms`.
    pub segment_jitter_max: Millis,
    /// `index.interval.bytes`.
    pub index_interval_bytes: u32,
    /// What may be forgotten.
    pub retention: RetentionRules,
    /// What is compacted, and when.
    pub compaction: CompactionRules,
    /// `file.delete.delay.ms`.
    pub file_delete_delay: Millis,
    /// `flush.messages`: so many records may be appended before they must be on stable storage; `None` for any number.
    /// 1 is what asks for durable acknowledgements.
    pub flush_messages: Option<u64>,
    /// `flush.ms`: records may wait this long for stable storage; `None` for ever.
    pub flush_after: Option<Millis>,
    /// `headwater.recovery.bytes`, a setting of the broker: after so many bytes of a segment recovery gets another place to
    /// begin at; `None` for the front of the segment alone.
    pub recovery_bytes: Option<u32>,
    /// `producer.id.expiration.ms`, a setting of the broker.
    pub producer_expiration: Millis,
    /// `headwater.producer.ids.max`, a setting of the broker.
    pub producer_ids_max: u32,
}

impl LogConfig {
    /// The limits of the indexes.
    pub fn index_limits(&self) -> IndexLimits {
        IndexLimits { bytes_max: self.roll.index_bytes, interval_bytes: self.index_interval_bytes }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        let week = Millis(7 * 24 * 3600 * 1000);
        Self {
            append: AppendRules::default(),
            roll: RollRules { segment_bytes: 1 << 30, segment_age_max: week, index_bytes: 10 << 20 },
            segment_jitter_max: Millis(0),
            index_interval_bytes: 4096,
            retention: RetentionRules { delete: true, time: Some(week), bytes: None },
            compaction: CompactionRules::default(),
            file_delete_delay: Millis(60_000),
            flush_messages: None,
            flush_after: None,
            recovery_bytes: Some(64 << 20),
            producer_expiration: Millis(24 * 3600 * 1000),
            producer_ids_max: PRODUCER_IDS_MAX,
        }
    }
}
