//! What a broker's configuration says to the group coordinator.

use std::collections::BTreeMap;

use metadata::Image;
use metadata::image::{ConfigResource, ResourceType};
use protocol::id::Timestamp;

use super::assignor::Assignor;
use super::streams::StreamsConfig;

/// A stretch of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Millis(pub i64);

impl Millis {
    /// The time this long after another.
    pub fn after(self, from: Timestamp) -> Timestamp {
        Timestamp(from.0.saturating_add(self.0))
    }

    /// In 32 bits, as messages have it; the most of those for more.
    pub fn narrow(self) -> i32 {
        i32::try_from(self.0).unwrap_or(i32::MAX)
    }

    /// The shorter of two.
    #[must_use]
    pub fn at_most(self, most: Self) -> Self {
        self.min(most)
    }

    /// What is left when another is taken off; never less than nothing.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }
}

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// `group.min.session.timeout.ms`.
    pub session_min: Millis,
    /// `group.max.session.timeout.ms`.
    pub session_max: Millis,
    /// `group.initial.rebalance.delay.ms`.
    pub initial_delay: Millis,
    /// `group.max.size`.
    pub members_max: usize,
    /// The settings of consumer groups.
    pub consumer: ConsumerConfig,
    /// The settings of streams groups.
    pub streams: StreamsConfig,
    /// `offset.metadata.max.bytes`; Kafka counts UTF-16 units.
    pub offset_metadata_max: usize,
    /// `offsets.retention.minutes`.
    pub offsets_retention: Millis,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_check_interval: Millis,
}

impl Default for GroupConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            session_min: Millis(6_000),
            session_max: Millis(1_800_000),
            initial_delay: Millis(3_000),
            members_max: i32::MAX as usize,
            consumer: ConsumerConfig::default(),
            streams: StreamsConfig::default(),
            offset_metadata_max: 4096,
            offsets_retention: Millis(7 * 24 * 60 * 60 * 1000),
            offsets_check_interval: Millis(600_000),
        }
    }
}

/// Between which protocols a group may change while it has members: `group.consumer.migration.policy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MigrationPolicy {
    /// Both ways.
    #[default]
    Bidirectional,
    /// From the classic to the consumer protocol.
    Upgrade,
    /// From the consumer to the classic protocol.
    Downgrade,
    /// Not at all.
    Disabled,
}

impl MigrationPolicy {
    /// The one that Kafka calls this, in whatever case.
    pub fn of_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "bidirectional" => Some(Self::Bidirectional),
            "upgrade" => Some(Self::Upgrade),
            "downgrade" => Some(Self::Downgrade),
            "disabled" => Some(Self::Disabled),
            _ => None,
        }
    }

    /// Whether a classic group may become a consumer group.
    pub fn upgrades(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Upgrade)
    }

    /// Whether a consumer group may become a classic group.
    pub fn downgrades(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Downgrade)
    }

    /// Whether members of both protocols may be in a group at all.
    pub fn is_allowed(self) -> bool {
        self != Self::Disabled
    }
}

/// A setting that groups may have their own value of, within bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PerGroup {
    /// What holds where a group says nothing.
    pub default: Millis,
    /// The least that a group may ask for.
    pub least: Millis,
    /// The most that a group may ask for.
    pub most: Millis,
}

impl PerGroup {
    /// A default between the least and the most that a group may ask for, in milliseconds.
    pub const fn new(default: i64, least: i64, most: i64) -> Self {
        Self { default: Millis(default), least: Millis(least), most: Millis(most) }
    }
}

/// What a group has of settings of its own.
pub(super) struct OwnSettings<'i>(Option<&'i BTreeMap<String, String>>);

impl<'i> OwnSettings<'i> {
    pub(super) fn of(image: &'i Image, group: &str) -> Self {
        // Of most clusters no group has any, and a heartbeat looks here.
        let own = image.configs.has_any_from(ResourceType::GROUP).then(|| {
            let resource = ConfigResource { kind: ResourceType::GROUP, name: group.to_owned() };
            image.configs.of(&resource)
        });
        Self(own.flatten().map(|own| &**own))
    }

    /// A setting as text.
    pub(super) fn text(&self, name: &str) -> Option<&'i str> {
        self.0?.get(name).map(|value| value.trim())
    }

    /// A setting that is a number.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    /// What holds: a value that is out of bounds by now counts as the bound.
    pub(super) fn bounded(&self, name: &str, known: PerGroup) -> Millis {
        self.number(name).map_or(known.default, |value| Millis(value).max(known.least).min(known.most))
    }
}

/// The settings of consumer groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerConfig {
    /// Whether `group.coordinator.rebalance.protocols` has "consumer".
    pub enabled: bool,
    /// `group.consumer.session.timeout.ms` and the bounds of `consumer.session.timeout.ms`.
    pub session_timeout: PerGroup,
    /// `group.consumer.heartbeat.interval.ms` and the bounds of `consumer.heartbeat.interval.ms`.
    pub heartbeat_interval: PerGroup,
    /// `group.consumer.assignment.interval.ms` and the bounds of `consumer.assignment.interval.ms`.
    pub assignment_interval: PerGroup,
    /// `group.consumer.max.size`.
    pub members_max: usize,
    /// `group.consumer.assignors`, the default first.
    pub assignors: Vec<Assignor>,
    /// `group.consumer.migration.policy`.
    pub migration: MigrationPolicy,
    /// `group.consumer.regex.refresh.interval.ms`.
    pub regex_refresh_interval: Millis,
    /// `headwater.group.consumer.gather.ms`.
    pub gather: Millis,
}

impl Default for ConsumerConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            enabled: true,
            session_timeout: PerGroup::new(45_000, 45_000, 60_000),
            heartbeat_interval: PerGroup::new(5_000, 5_000, 15_000),
            assignment_interval: PerGroup::new(1_000, 0, 15_000),
            members_max: i32::MAX as usize,
            assignors: vec![Assignor::Uniform, Assignor::Range],
            migration: MigrationPolicy::Bidirectional,
            regex_refresh_interval: Millis(600_000),
            // Kafka waits for nobody.
            gather: Millis(0),
        }
    }
}

/// What holds for one consumer group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConsumerSettings {
    /// How long a member may be silent.
    pub session_timeout: Millis,
    /// How often members are to be heard of.
    pub heartbeat_interval: Millis,
    /// How much time has to pass between two assignments.
    pub assignment_interval: Millis,
}

impl ConsumerConfig {
    /// The assignor where members ask for none.
    pub fn default_assignor(&self) -> Assignor {
        self.assignors.first().copied().unwrap_or(Assignor::Uniform)
    }

    /// What holds for a group.
    pub fn of_group(&self, image: &Image, group: &str) -> ConsumerSettings {
        let own = OwnSettings::of(image, group);
        ConsumerSettings {
            session_timeout: own.bounded("consumer.session.timeout.ms", self.session_timeout),
            heartbeat_interval: own.bounded("consumer.heartbeat.interval.ms", self.heartbeat_interval),
            assignment_interval: own.bounded("consumer.assignment.interval.ms", self.assignment_interval),
        }
    }
}
