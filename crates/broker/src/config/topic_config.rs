//! [`TopicConfig`]: the typed settings of one topic.
//!
//! A topic's own settings beat the broker's, which beat the defaults; among the broker's names for one
//! thing the finest unit wins (`log.retention.ms`, then `.minutes`, then `.hours`). A setting of
//! a topic is never refused here: [`check`] and [`check_together`] do that before it is recorded, and a bad
//! one that another controller recorded is passed over in favour of the broker's.

mod checks;

use super::key::Key;
use super::keys::{self, topic::broker_names};
use super::settings::{ConfigError, Settings, Texts};
use super::value::Value;

pub use checks::{check, check_together};

/// What happens to old records (`cleanup.policy`). Neither: they stay forever (since 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Of records with one key the last is kept.
    pub compact: bool,
    /// Records go by age and size.
    pub delete: bool,
}

/// How the broker compresses batches (`compression.type`), with the level where the codec has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicCompression {
    /// As the producer sent them.
    Producer,
    /// Not at all.
    Uncompressed,
    /// Gzip, 1 to 9, or -1 for its default.
    Gzip(i32),
    /// Snappy.
    Snappy,
    /// LZ4, 1 to 17.
    Lz4(i32),
    /// Zstandard, up to 22.
    Zstd(i32),
}

/// Whose time a record bears (`message.timestamp.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's at append.
    LogAppendTime,
}

/// The settings of one topic.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    /// `cleanup.policy`.
    pub cleanup: CleanupPolicy,
    /// `retention.ms`; `None` keeps records forever.
    pub retention_ms: Option<i64>,
    /// `retention.bytes` of one partition; `None` for no bound.
    pub retention_bytes: Option<i64>,
    /// `segment.bytes`, or `internal.segment.bytes` where tests set it.
    pub segment_bytes: i32,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// `segment.jitter.ms`.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`.
    pub segment_index_bytes: i32,
    /// `index.interval.bytes`.
    pub index_interval_bytes: i32,
    /// `flush.messages`: fsync after this many records; `i64::MAX` for never.
    pub flush_messages: i64,
    /// `flush.ms`: fsync after this long; `i64::MAX` for never.
    pub flush_ms: i64,
    /// `max.message.bytes`: the largest batch.
    pub max_message_bytes: i32,
    /// `max.decompressed.message.bytes`: the largest record a compressed batch may hold.
    pub max_decompressed_message_bytes: i32,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far a record may lie in the past.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far a record may lie in the future.
    pub timestamp_after_max_ms: i64,
    /// `compression.type` with `compression.gzip.level` or `compression.zstd.level`.
    pub compression: TopicCompression,
    /// `min.insync.replicas`.
    pub min_insync_replicas: i32,
    /// `unclean.leader.election.enable`.
    pub unclean_leader_election: bool,
    /// `preallocate`.
    pub preallocate: bool,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: i64,
    /// `delete.retention.ms`: how long compaction keeps tombstones.
    pub delete_retention_ms: i64,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: i64,
    /// `min.cleanable.dirty.ratio`.
    pub min_cleanable_dirty_ratio: f64,
    /// `leader.replication.throttled.replicas`.
    pub leader_throttled_replicas: Vec<String>,
    /// `follower.replication.throttled.replicas`.
    pub follower_throttled_replicas: Vec<String>,
    /// `remote.storage.enable`.
    pub remote_storage: bool,
    /// `remote.log.copy.disable`.
    pub remote_copy_disabled: bool,
    /// `remote.log.delete.on.disable`.
    pub remote_delete_on_disable: bool,
    /// `local.retention.ms`; -2 for as long as `retention.ms`.
    pub local_retention_ms: i64,
    /// `local.retention.bytes`; -2 for as much as `retention.bytes`.
    pub local_retention_bytes: i64,
    /// `remote.copy.lag.ms`.
    pub remote_copy_lag_ms: i64,
    /// `remote.copy.lag.bytes`.
    pub remote_copy_lag_bytes: i64,
    /// `errors.deadletterqueue.group.enable`.
    pub dead_letter_queue: bool,
}

/// One look-up of a topic key: the parsed value, of the declared type.
struct Values<'a>(&'a dyn Fn(&Key) -> Value);

impl Values<'_> {
    fn get(&self, name: &str) -> Value {
        let key = keys::topic(name).expect("the topic keys named in this file are declared");
        (self.0)(key)
    }

    fn long(&self, name: &str) -> i64 {
        if let Value::Integer(number) = self.get(name) { number } else { 0 }
    }

    fn int(&self, name: &str) -> i32 {
        i32::try_from(self.long(name)).unwrap_or(i32::MAX)
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name) == Value::Boolean(true)
    }

    fn ratio(&self, name: &str) -> f64 {
        if let Value::Double(ratio) = self.get(name) { ratio } else { 0.0 }
    }

    fn word(&self, name: &str) -> String {
        if let Value::Text(word) = self.get(name) { word } else { String::new() }
    }

    fn list(&self, name: &str) -> Vec<String> {
        if let Value::List(entries) = self.get(name) { entries } else { Vec::new() }
    }
}

impl TopicConfig {
    /// What a topic has that sets nothing itself.
    ///
    /// # Errors
    /// [`ConfigError`] when a broker setting cannot be read.
    pub fn broker_defaults(settings: &Settings) -> Result<TopicConfig, ConfigError> {
        for key in keys::topic_keys() {
            from_broker(settings, key)?;
        }
        Ok(TopicConfig::effective(settings, &Texts::new()))
    }

    /// The settings of a topic that sets `own` itself, on a broker with `settings`.
    pub fn effective(settings: &Settings, own: &Texts) -> TopicConfig {
        let look_up = |key: &Key| {
            let own_value = own.get(key.name).and_then(|text| key.check(text).ok());
            let value = own_value.or_else(|| from_broker(settings, key).ok().flatten());
            value.unwrap_or_else(|| default_of(key))
        };
        TopicConfig::from_values(&Values(&look_up))
    }

    fn from_values(values: &Values<'_>) -> TopicConfig {
        let unless_negative = |number: i64| Some(number).filter(|number| *number >= 0);
        let policy = values.list("cleanup.policy");
        let internal_segment_bytes = values.int("internal.segment.bytes");
        TopicConfig {
            cleanup: CleanupPolicy {
                compact: policy.iter().any(|word| word == "compact"),
                delete: policy.iter().any(|word| word == "delete"),
            },
            retention_ms: unless_negative(values.long("retention.ms")),
            retention_bytes: unless_negative(values.long("retention.bytes")),
            segment_bytes: if internal_segment_bytes > 0 {
                internal_segment_bytes
            } else {
                values.int("segment.bytes")
            },
            segment_ms: values.long("segment.ms"),
            segment_jitter_ms: values.long("segment.jitter.ms"),
            segment_index_bytes: values.int("segment.index.bytes"),
            index_interval_bytes: values.int("index.interval.bytes"),
            flush_messages: values.long("flush.messages"),
            flush_ms: values.long("flush.ms"),
            max_message_bytes: values.int("max.message.bytes"),
            max_decompressed_message_bytes: values.int("max.decompressed.message.bytes"),
            timestamp_type: match values.word("message.timestamp.type").as_str() {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_before_max_ms: values.long("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: values.long("message.timestamp.after.max.ms"),
            compression: compression(values),
            min_insync_replicas: values.int("min.insync.replicas"),
            unclean_leader_election: values.flag("unclean.leader.election.enable"),
            preallocate: values.flag("preallocate"),
            file_delete_delay_ms: values.long("file.delete.delay.ms"),
            delete_retention_ms: values.long("delete.retention.ms"),
            min_compaction_lag_ms: values.long("min.compaction.lag.ms"),
            max_compaction_lag_ms: values.long("max.compaction.lag.ms"),
            min_cleanable_dirty_ratio: values.ratio("min.cleanable.dirty.ratio"),
            leader_throttled_replicas: values.list("leader.replication.throttled.replicas"),
            follower_throttled_replicas: values.list("follower.replication.throttled.replicas"),
            remote_storage: values.flag("remote.storage.enable"),
            remote_copy_disabled: values.flag("remote.log.copy.disable"),
            remote_delete_on_disable: values.flag("remote.log.delete.on.disable"),
            local_retention_ms: values.long("local.retention.ms"),
            local_retention_bytes: values.long("local.retention.bytes"),
            remote_copy_lag_ms: values.long("remote.copy.lag.ms"),
            remote_copy_lag_bytes: values.long("remote.copy.lag.bytes"),
            dead_letter_queue: values.flag("errors.deadletterqueue.group.enable"),
        }
    }

    /// The age at which a segment is closed: with compaction no later than `max.compaction.lag.ms`, so
    /// that records do not wait behind an open segment.
    pub fn segment_age_max_ms(&self) -> i64 {
        if self.cleanup.compact && self.max_compaction_lag_ms > 0 {
            self.segment_ms.min(self.max_compaction_lag_ms)
        } else {
            self.segment_ms
        }
    }
}

fn compression(values: &Values<'_>) -> TopicCompression {
    match values.word("compression.type").as_str() {
        "uncompressed" => TopicCompression::Uncompressed,
        "gzip" => TopicCompression::Gzip(values.int("compression.gzip.level")),
        "snappy" => TopicCompression::Snappy,
        "lz4" => TopicCompression::Lz4(values.int("compression.lz4.level")),
        "zstd" => TopicCompression::Zstd(values.int("compression.zstd.level")),
        _ => TopicCompression::Producer,
    }
}

fn default_of(key: &Key) -> Value {
    let parsed = key.default_text().and_then(|text| key.check(text).ok());
    parsed.unwrap_or(Value::Integer(0))
}

/// The broker's value for a topic key, from the first of its names that has one, in the topic's unit.
fn from_broker(settings: &Settings, key: &Key) -> Result<Option<Value>, ConfigError> {
    for (name, factor) in broker_names(key.name) {
        if let Some(value) = settings.value(name)? {
            return Ok(Some(match value {
                Value::Integer(number) if *factor != 1 => Value::Integer(number.saturating_mul(*factor)),
                // Any negative age means forever, and forever is written -1.
                Value::Integer(number) if key.name == "retention.ms" => Value::Integer(number.max(-1)),
                other => other,
            }));
        }
    }
    Ok(None)
}

/// The value a topic key has from the broker, in the topic's unit; `None` for a key of topics only.
pub(super) fn broker_value(settings: &Settings, key: &Key) -> Option<Value> {
    from_broker(settings, key).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Settings by name.
    pub(super) fn texts(pairs: &[(&str, &str)]) -> Texts {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    /// What a broker was given.
    pub(super) fn broker(pairs: &[(&str, &str)]) -> Settings {
        Settings::load(texts(pairs)).unwrap().0
    }

    #[test]
    fn kafkas_defaults() {
        let topic = TopicConfig::broker_defaults(&broker(&[])).unwrap();
        assert_eq!(topic.retention_ms, Some(7 * 24 * 3600 * 1000));
        assert_eq!(topic.retention_bytes, None);
        assert_eq!((topic.segment_bytes, topic.segment_ms), (1 << 30, 7 * 24 * 3600 * 1000));
        assert_eq!((topic.flush_messages, topic.flush_ms), (i64::MAX, i64::MAX));
        assert_eq!(topic.max_message_bytes, 1_048_588);
        assert_eq!(topic.cleanup, CleanupPolicy { compact: false, delete: true });
        assert_eq!(topic.compression, TopicCompression::Producer);
        assert_eq!(topic.timestamp_after_max_ms, 3_600_000);
        assert!((topic.min_cleanable_dirty_ratio - 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn the_finest_unit_wins_and_the_topic_beats_the_broker() {
        let hours = broker(&[("log.retention.hours", "1")]);
        assert_eq!(TopicConfig::effective(&hours, &texts(&[])).retention_ms, Some(3_600_000));
        let all = broker(&[
            ("log.retention.hours", "1"),
            ("log.retention.minutes", "2"),
            ("log.retention.ms", "3"),
        ]);
        assert_eq!(TopicConfig::effective(&all, &texts(&[])).retention_ms, Some(3));
        assert_eq!(TopicConfig::effective(&all, &texts(&[("retention.ms", "4")])).retention_ms, Some(4));
        assert_eq!(TopicConfig::effective(&all, &texts(&[("retention.ms", "-1")])).retention_ms, None);
        let forever = broker(&[("log.retention.minutes", "-5")]);
        assert_eq!(TopicConfig::effective(&forever, &texts(&[])).retention_ms, None);
        let flush = broker(&[("log.flush.scheduler.interval.ms", "9")]);
        assert_eq!(TopicConfig::effective(&flush, &texts(&[])).flush_ms, 9);
    }

    #[test]
    fn a_recorded_value_that_cannot_be_read_gives_way_to_the_brokers() {
        let topic = TopicConfig::effective(
            &broker(&[("log.segment.bytes", "2000000")]),
            &texts(&[("segment.bytes", "x")]),
        );
        assert_eq!(topic.segment_bytes, 2_000_000);
    }

    #[test]
    fn cleanup_policies() {
        let of =
            |text: &str| TopicConfig::effective(&broker(&[]), &texts(&[("cleanup.policy", text)])).cleanup;
        assert_eq!(of("compact"), CleanupPolicy { compact: true, delete: false });
        assert_eq!(of("delete, compact"), CleanupPolicy { compact: true, delete: true });
        assert_eq!(of(""), CleanupPolicy { compact: false, delete: false });
    }

    #[test]
    fn compaction_bounds_the_age_of_a_segment() {
        let own =
            texts(&[("cleanup.policy", "compact"), ("max.compaction.lag.ms", "10"), ("segment.ms", "99")]);
        assert_eq!(TopicConfig::effective(&broker(&[]), &own).segment_age_max_ms(), 10);
        let own = texts(&[("max.compaction.lag.ms", "10"), ("segment.ms", "99")]);
        assert_eq!(TopicConfig::effective(&broker(&[]), &own).segment_age_max_ms(), 99);
    }
}
