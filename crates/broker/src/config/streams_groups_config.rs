//! The settings of streams groups (KIP-1071), with the bounds that groups may move theirs in.

use std::sync::Arc;

use coordinator::group::Millis;
use coordinator::group::config::PerGroup;
use coordinator::group::streams::StreamsConfig;

use super::settings::{ConfigError, Settings};

/// The only assignor there is.
const STICKY: &str = "sticky";
/// What Kafka has it in.
const STICKY_CLASS: &str = "org.apache.kafka.coordinator.group.streams.assignor.StickyTaskAssignor";

/// What holds for streams groups.
///
/// # Errors
/// Settings that contradict each other.
pub fn read(settings: &Settings) -> Result<StreamsConfig, ConfigError> {
    let number = |name: &str| settings.integer(name);
    let small = |name: &str| Ok::<_, ConfigError>(i32::try_from(number(name)?).unwrap_or(i32::MAX));
    let session_timeout = per_group(settings, "group.streams.session.timeout.ms", true)?;
    let heartbeat_interval = per_group(settings, "group.streams.heartbeat.interval.ms", true)?;
    if session_timeout.default <= heartbeat_interval.default {
        return Err(ConfigError::conflict(format!(
            "group.streams.session.timeout.ms is {}: it must be more than group.streams.heartbeat.interval.ms, which is {}",
            session_timeout.default.0, heartbeat_interval.default.0
        )));
    }
    let (standby_replicas, standby_replicas_max) =
        (small("group.streams.num.standby.replicas")?, small("group.streams.max.standby.replicas")?);
    if standby_replicas > standby_replicas_max {
        return Err(ConfigError::conflict(format!(
            "group.streams.num.standby.replicas is {standby_replicas}: it can be at most group.streams.max.standby.replicas, which is {standby_replicas_max}"
        )));
    }
    let assignors = settings.list("group.streams.assignors")?;
    if let Some(name) = assignors.iter().find(|name| **name != STICKY && **name != STICKY_CLASS) {
        return Err(ConfigError::conflict(format!(
            "group.streams.assignors has \"{name}\": the only assignor there is is {STICKY}"
        )));
    }
    let protocols = settings.list("group.coordinator.rebalance.protocols")?;
    let tags = settings.list("group.streams.rack.aware.assignment.tags")?;
    Ok(StreamsConfig {
        enabled: protocols.iter().any(|protocol| protocol == "streams"),
        members_max: usize::try_from(number("group.streams.max.size")?).unwrap_or(usize::MAX),
        session_timeout,
        heartbeat_interval,
        assignment_interval: per_group(settings, "group.streams.assignment.interval.ms", true)?,
        task_offset_interval: per_group(settings, "group.streams.task.offset.interval.ms", false)?,
        initial_delay: Millis(number("group.streams.initial.rebalance.delay.ms")?),
        acceptable_recovery_lag: number("group.streams.acceptable.recovery.lag")?,
        standby_replicas,
        standby_replicas_max,
        rack_aware_tags: tags.iter().map(|tag| Arc::from(tag.as_str())).collect(),
    })
}

/// A setting that groups may have their own value of, with its bounds.
fn per_group(settings: &Settings, name: &str, has_most: bool) -> Result<PerGroup, ConfigError> {
    let what = name.trim_start_matches("group.streams.");
    let (min, max) = (format!("group.streams.min.{what}"), format!("group.streams.max.{what}"));
    let millis = |name: &str| settings.integer(name).map(Millis);
    let (default, least) = (millis(name)?, millis(&min)?);
    let most = if has_most { millis(&max)? } else { Millis(i64::MAX) };
    if default < least || default > most {
        let upper = if has_most { format!(", and {max}, which is {}", most.0) } else { String::new() };
        return Err(ConfigError::conflict(format!(
            "{name} is {}: it must lie within its bounds: {min}, which is {}{upper}",
            default.0, least.0
        )));
    }
    Ok(PerGroup { default, least, most })
}
