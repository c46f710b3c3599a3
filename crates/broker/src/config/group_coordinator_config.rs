//! The settings of the group coordinator and of the topic it writes.

use std::sync::Arc;
use std::time::Duration;

use coordinator::group::assignor::Assignor;
use coordinator::group::config::PerGroup;
use coordinator::group::{ConsumerConfig, GroupConfig, MigrationPolicy, Millis};
use protocol::records::compression::{Codec, Compression};

use super::numbers::millis;
use super::settings::{ConfigError, Settings};
use super::streams_groups_config;

/// What the configuration says of groups and offsets.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupCoordinatorConfig {
    /// What decisions rest on.
    pub decisions: Arc<GroupConfig>,
    /// `offsets.topic.num.partitions`.
    pub partitions: i32,
    /// `offsets.topic.replication.factor`.
    pub replication_factor: i16,
    /// `offsets.topic.segment.bytes`.
    pub segment_bytes: i64,
    /// `offsets.topic.compression.codec`.
    pub compression: Compression,
    /// `offsets.load.buffer.size`.
    pub load_bytes: u32,
    /// `offsets.commit.timeout.ms`.
    pub commit_timeout: Duration,
}

impl GroupCoordinatorConfig {
    /// Reads the settings.
    ///
    /// # Errors
    /// A value that the coordinator cannot work with.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let number = |name| settings.integer(name);
        let small = |name| Ok::<_, ConfigError>(i32::try_from(settings.integer(name)?).unwrap_or(i32::MAX));
        let codec = number("offsets.topic.compression.codec")?;
        let known = u8::try_from(codec).ok().and_then(Codec::from_id);
        let codec = known.ok_or_else(|| {
            ConfigError::conflict(format!(
                "offsets.topic.compression.codec is {codec}: it must be 0 (none), 1 (gzip), 2 (snappy), 3 (lz4) or 4 (zstd)"
            ))
        })?;
        let factor = number("offsets.topic.replication.factor")?;
        Ok(Self {
            decisions: Arc::new(GroupConfig {
                session_min: Millis(number("group.min.session.timeout.ms")?),
                session_max: Millis(number("group.max.session.timeout.ms")?),
                initial_delay: Millis(number("group.initial.rebalance.delay.ms")?),
                members_max: usize::try_from(number("group.max.size")?).unwrap_or(usize::MAX),
                consumer: consumer(settings)?,
                streams: streams_groups_config::read(settings)?,
                offset_metadata_max: usize::try_from(number("offset.metadata.max.bytes")?).unwrap_or(0),
                offsets_retention: Millis(number("offsets.retention.minutes")?.saturating_mul(60_000)),
                offsets_check_interval: Millis(number("offsets.retention.check.interval.ms")?),
            }),
            partitions: small("offsets.topic.num.partitions")?,
            replication_factor: i16::try_from(factor).unwrap_or(i16::MAX),
            segment_bytes: number("offsets.topic.segment.bytes")?,
            compression: codec.into(),
            load_bytes: u32::try_from(number("offsets.load.buffer.size")?).unwrap_or(u32::MAX),
            commit_timeout: millis(settings, "offsets.commit.timeout.ms")?,
        })
    }
}

/// What holds for consumer groups.
fn consumer(settings: &Settings) -> Result<ConsumerConfig, ConfigError> {
    let millis = |name: String| settings.integer(&name).map(Millis);
    let per_group = |name: &str| {
        let what = name.trim_start_matches("group.consumer.");
        let (default, least, most) = (
            millis(name.to_owned())?,
            millis(format!("group.consumer.min.{what}"))?,
            millis(format!("group.consumer.max.{what}"))?,
        );
        if default < least || default > most {
            return Err(ConfigError::conflict(format!(
                "{name} is {}: it must lie between group.consumer.min.{what}, which is {}, and \
                 group.consumer.max.{what}, which is {}",
                default.0, least.0, most.0
            )));
        }
        Ok(PerGroup { default, least, most })
    };
    let session_timeout = per_group("group.consumer.session.timeout.ms")?;
    let heartbeat_interval = per_group("group.consumer.heartbeat.interval.ms")?;
    if session_timeout.default <= heartbeat_interval.default {
        return Err(ConfigError::conflict(format!(
            "group.consumer.session.timeout.ms is {}: it must be more than group.consumer.heartbeat.interval.ms, which is {}",
            session_timeout.default.0, heartbeat_interval.default.0
        )));
    }
    let policy = settings.text("group.consumer.migration.policy")?;
    let protocols = settings.list("group.coordinator.rebalance.protocols")?;
    Ok(ConsumerConfig {
        enabled: protocols.iter().any(|protocol| protocol == "consumer"),
        session_timeout,
        heartbeat_interval,
        assignment_interval: per_group("group.consumer.assignment.interval.ms")?,
        members_max: usize::try_from(settings.integer("group.consumer.max.size")?).unwrap_or(usize::MAX),
        assignors: assignors(&settings.list("group.consumer.assignors")?)?,
        migration: policy.as_deref().and_then(MigrationPolicy::of_name).unwrap_or_default(),
        regex_refresh_interval: millis("group.consumer.regex.refresh.interval.ms".to_owned())?,
        gather: millis("headwater.group.consumer.gather.ms".to_owned())?,
    })
}

/// Assignors by their names, or by the names of the classes that Kafka has them in.
fn assignors(names: &[String]) -> Result<Vec<Assignor>, ConfigError> {
    let known = |name: &String| {
        let class = "org.apache.kafka.coordinator.group.assignor.";
        let short = match name.strip_prefix(class) {
            Some("UniformAssignor") => "uniform",
            Some("RangeAssignor") => "range",
            _ => name,
        };
        Assignor::of_name(short).ok_or_else(|| {
            ConfigError::conflict(format!(
                "group.consumer.assignors has \"{name}\": the assignors that there are are uniform and range"
            ))
        })
    };
    let assignors: Vec<Assignor> = names.iter().map(known).collect::<Result<_, _>>()?;
    match assignors.iter().enumerate().find(|(at, assignor)| assignors[..*at].contains(assignor)) {
        Some((_, twice)) => {
            let name = twice.name();
            Err(ConfigError::conflict(format!("group.consumer.assignors has {name} twice: name it once")))
        }
        None => Ok(assignors),
    }
}
