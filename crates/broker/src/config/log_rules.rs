//! What the configuration says to the storage crate: the rules of a topic's logs, and the log directories.
//!
//! Translation only: every number was read and checked before.

use std::time::Duration;

use partition::compaction::CompactionRules;
use partition::retention::RetentionRules;
use partition::segments::RollRules;
use partition::{AppendRules, CompressedValidation, CompressionTarget, Millis};
use protocol::records::batch;
use protocol::records::compression::{Codec, Compression};
use storage::LogConfig;

use super::log_dirs_config::Durability;
use super::request_config;
use super::static_config::NodeConfig;
use super::topic_config::{TimestampType, TopicCompression, TopicConfig};

impl NodeConfig {
    /// The rules for the logs of a topic on this node. With `headwater.durability=fsync` every topic flushes
    /// each record before it is acknowledged, whatever the topic says.
    pub fn log_config(&self, topic: &TopicConfig) -> LogConfig {
        let fsync = self.log_dirs.durability == Durability::Fsync;
        LogConfig {
            append: append_rules(topic, self),
            roll: RollRules {
                segment_bytes: unsigned(topic.segment_bytes),
                segment_age_max: Millis(topic.segment_age_max_ms()),
                index_bytes: unsigned(topic.segment_index_bytes),
            },
            segment_jitter_max: Millis(topic.segment_jitter_ms),
            index_interval_bytes: unsigned(topic.index_interval_bytes),
            retention: RetentionRules {
                delete: topic.cleanup.delete,
                time: topic.retention_ms.map(Millis),
                bytes: topic.retention_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
            },
            compaction: CompactionRules {
                compact: topic.cleanup.compact,
                dirty_ratio_min: topic.min_cleanable_dirty_ratio,
                lag_min: Millis(topic.min_compaction_lag_ms),
                lag_max: Millis(topic.max_compaction_lag_ms),
                delete_retention: Millis(topic.delete_retention_ms),
            },
            file_delete_delay: Millis(topic.file_delete_delay_ms),
            flush_messages: if fsync { Some(1) } else { bounded(topic.flush_messages) },
            flush_after: bounded(topic.flush_ms).map(|_| Millis(topic.flush_ms)),
            recovery_bytes: self.log_dirs.recovery_bytes,
            producer_expiration: millis(self.log_dirs.producer_id_expiration),
            producer_ids_max: self.log_dirs.producer_ids_max,
        }
    }

    /// The log directories of this node.
    pub fn storage_dirs(&self, cluster_id: Option<String>) -> storage::LogDirsConfig {
        storage::LogDirsConfig {
            directories: self.log_dirs.directories.clone(),
            node_id: self.node_id,
            cluster_id,
            open_files_max: self.log_dirs.open_files_max,
            batch_positions_bytes: self.log_dirs.batch_positions_bytes,
            recovery_threads: self.log_dirs.recovery_threads,
            reserve_bytes: self.log_dirs.reserve_bytes,
        }
    }
}

fn append_rules(topic: &TopicConfig, node: &NodeConfig) -> AppendRules {
    AppendRules {
        max_message_bytes: unsigned(topic.max_message_bytes),
        segment_bytes: unsigned(topic.segment_bytes),
        compression: compression(topic.compression),
        compacted: topic.cleanup.compact,
        timestamp_type: match topic.timestamp_type {
            TimestampType::CreateTime => batch::TimestampType::CreateTime,
            TimestampType::LogAppendTime => batch::TimestampType::LogAppendTime,
        },
        timestamp_before_max: Millis(topic.timestamp_before_max_ms),
        timestamp_after_max: Millis(topic.timestamp_after_max_ms),
        decompressed_record_bytes_max: unsigned(topic.max_decompressed_message_bytes),
        decompressed_batch_bytes_max: node.requests.decompressed_batch_bytes_max,
        compressed_validation: match node.requests.compressed_validation {
            request_config::CompressedValidation::Full => CompressedValidation::Full,
            request_config::CompressedValidation::Header => CompressedValidation::Header,
        },
    }
}

fn compression(compression: TopicCompression) -> CompressionTarget {
    let codec = |codec, level| CompressionTarget::Codec(Compression { codec, level });
    match compression {
        TopicCompression::Producer => CompressionTarget::Producer,
        TopicCompression::Uncompressed => codec(Codec::None, None),
        TopicCompression::Gzip(-1) => codec(Codec::Gzip, None),
        TopicCompression::Gzip(level) => codec(Codec::Gzip, Some(level)),
        TopicCompression::Snappy => codec(Codec::Snappy, None),
        TopicCompression::Lz4(level) => codec(Codec::Lz4, Some(level)),
        TopicCompression::Zstd(level) => codec(Codec::Zstd, Some(level)),
    }
}

/// Kafka writes "never" as the largest number.
fn bounded(number: i64) -> Option<u64> {
    u64::try_from(number).ok().filter(|_| number != i64::MAX)
}

/// Sizes are checked to be positive where they are declared.
fn unsigned(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

fn millis(duration: Duration) -> Millis {
    Millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Texts;

    fn rules(broker: &[(&str, &str)], own: &[(&str, &str)]) -> LogConfig {
        let texts = |pairs: &[(&str, &str)]| -> Texts {
            pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        };
        let node = NodeConfig::without_file(&texts(broker)).unwrap();
        node.log_config(&TopicConfig::effective(&node.settings, &texts(own)))
    }

    #[test]
    fn without_settings_the_rules_are_those_of_storage() {
        assert_eq!(rules(&[], &[]), LogConfig::default());
    }

    #[test]
    fn fsync_for_all_beats_what_the_topic_says() {
        assert_eq!(rules(&[], &[("flush.messages", "1")]).flush_messages, Some(1));
        assert_eq!(rules(&[], &[("flush.messages", "500")]).flush_messages, Some(500));
        let fsync = [("headwater.durability", "fsync")];
        assert_eq!(rules(&fsync, &[("flush.messages", "500")]).flush_messages, Some(1));
        assert_eq!(rules(&[("log.flush.interval.ms", "20")], &[]).flush_after, Some(Millis(20)));
    }

    #[test]
    fn levels_go_with_their_codec() {
        let of = |own: &[(&str, &str)]| rules(&[], own).append.compression;
        let codec = |codec, level| CompressionTarget::Codec(Compression { codec, level });
        assert_eq!(of(&[("compression.type", "gzip")]), codec(Codec::Gzip, None));
        let gzip =
            [("compression.type", "gzip"), ("compression.gzip.level", "9"), ("compression.zstd.level", "7")];
        assert_eq!(of(&gzip), codec(Codec::Gzip, Some(9)));
        assert_eq!(of(&[("compression.type", "zstd")]), codec(Codec::Zstd, Some(3)));
        assert_eq!(of(&[("compression.type", "uncompressed")]), codec(Codec::None, None));
    }

    #[test]
    fn retention_and_cleanup() {
        let kept =
            rules(&[], &[("retention.ms", "-1"), ("retention.bytes", "7"), ("cleanup.policy", "compact")]);
        assert_eq!(kept.retention, RetentionRules { delete: false, time: None, bytes: Some(7) });
        assert!(kept.append.compacted && kept.compaction.compact);
        let own = [
            ("cleanup.policy", "compact"),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("min.compaction.lag.ms", "5"),
            ("max.compaction.lag.ms", "70"),
            ("delete.retention.ms", "9"),
        ];
        let expected = CompactionRules {
            compact: true,
            dirty_ratio_min: 0.01,
            lag_min: Millis(5),
            lag_max: Millis(70),
            delete_retention: Millis(9),
        };
        assert_eq!(rules(&[], &own).compaction, expected);
        let broker = [
            ("log.cleaner.min.cleanable.ratio", "0.01"),
            ("log.cleaner.min.compaction.lag.ms", "5"),
            ("log.cleaner.max.compaction.lag.ms", "70"),
            ("log.cleaner.delete.retention.ms", "9"),
        ];
        assert_eq!(rules(&broker, &own[..1]).compaction, expected);
    }
}
