//! The settings of streams groups: the broker's, and what a group has of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use metadata::Image;

use crate::group::Millis;
use crate::group::config::{OwnSettings, PerGroup};

/// The broker's settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamsConfig {
    /// Whether `group.coordinator.rebalance.protocols` has "streams".
    pub enabled: bool,
    /// `group.streams.max.size`.
    pub members_max: usize,
    /// `group.streams.session.timeout.ms` and the bounds of `streams.session.timeout.ms`.
    pub session_timeout: PerGroup,
    /// `group.streams.heartbeat.interval.ms` and the bounds of `streams.heartbeat.interval.ms`.
    pub heartbeat_interval: PerGroup,
    /// `group.streams.assignment.interval.ms` and the bounds of `streams.assignment.interval.ms`.
    pub assignment_interval: PerGroup,
    /// `group.streams.task.offset.interval.ms` and the least `streams.task.offset.interval.ms`.
    pub task_offset_interval: PerGroup,
    /// `group.streams.initial.rebalance.delay.ms`.
    pub initial_delay: Millis,
    /// `group.streams.acceptable.recovery.lag`.
    pub acceptable_recovery_lag: i64,
    /// `group.streams.num.standby.replicas`.
    pub standby_replicas: i32,
    /// `group.streams.max.standby.replicas`.
    pub standby_replicas_max: i32,
    /// `group.streams.rack.aware.assignment.tags`.
    pub rack_aware_tags: Vec<Arc<str>>,
}

impl Default for StreamsConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            enabled: true,
            members_max: i32::MAX as usize,
            session_timeout: PerGroup::new(45_000, 45_000, 60_000),
            heartbeat_interval: PerGroup::new(5_000, 5_000, 15_000),
            assignment_interval: PerGroup::new(1_000, 0, 15_000),
            task_offset_interval: PerGroup::new(60_000, 15_000, i64::MAX),
            initial_delay: Millis(3_000),
            acceptable_recovery_lag: 10_000,
            standby_replicas: 0,
            standby_replicas_max: 2,
            rack_aware_tags: Vec::new(),
        }
    }
}

/// What holds for one group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamsSettings {
    /// How long a member may be silent.
    pub session_timeout: Millis,
    /// How often members are to be heard of.
    pub heartbeat_interval: Millis,
    /// How much time has to pass between two assignments.
    pub assignment_interval: Millis,
    /// How often members are to tell how far their state is.
    pub task_offset_interval: Millis,
    /// How long a group that was empty waits for more members before it assigns.
    pub initial_delay: Millis,
    /// How far behind a copy of state may be to count as whole.
    pub acceptable_recovery_lag: i64,
    /// How many copies of each task's state there are to be.
    pub standby_replicas: i32,
    /// Tags over which copies would be spread.
    pub rack_aware_tags: Vec<Arc<str>>,
}

impl StreamsConfig {
    /// What holds for a group.
    pub fn of_group(&self, image: &Image, group: &str) -> StreamsSettings {
        let own = OwnSettings::of(image, group);
        let standby = own
            .number("streams.num.standby.replicas")
            .and_then(|count| i32::try_from(count).ok())
            .map_or(self.standby_replicas, |count| count.min(self.standby_replicas_max));
        let tags = own.text("streams.rack.aware.assignment.tags").map(|tags| {
            tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(Arc::from).collect()
        });
        StreamsSettings {
            session_timeout: own.bounded("streams.session.timeout.ms", self.session_timeout),
            heartbeat_interval: own.bounded("streams.heartbeat.interval.ms", self.heartbeat_interval),
            assignment_interval: own.bounded("streams.assignment.interval.ms", self.assignment_interval),
            task_offset_interval: own.bounded("streams.task.offset.interval.ms", self.task_offset_interval),
            initial_delay: own
                .number("streams.initial.rebalance.delay.ms")
                .map_or(self.initial_delay, Millis),
            acceptable_recovery_lag: own
                .number("streams.acceptable.recovery.lag")
                .unwrap_or(self.acceptable_recovery_lag),
            standby_replicas: standby,
            rack_aware_tags: tags.unwrap_or_else(|| self.rack_aware_tags.clone()),
        }
    }
}

impl StreamsSettings {
    /// What assignments rest on, as it is recorded: when it changes the group assigns anew.
    pub(super) fn assignment_configs(&self) -> BTreeMap<Arc<str>, Arc<str>> {
        let standby = Arc::from(self.standby_replicas.to_string());
        let mut configs: BTreeMap<Arc<str>, Arc<str>> = [(Arc::from("num.standby.replicas"), standby)].into();
        if !self.rack_aware_tags.is_empty() {
            configs
                .insert(Arc::from("rack.aware.assignment.tags"), Arc::from(self.rack_aware_tags.join(",")));
        }
        configs
    }
}
