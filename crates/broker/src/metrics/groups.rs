//! What is counted of groups and offsets, under the names of Kafka's `GroupMetadataManager` and
//! `group-coordinator-metrics`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use coordinator::group::GroupShard;
use protocol::id::PartitionIndex;

use super::Counter;
use super::text::{Kind, Text};
use crate::Broker;

/// Counts of the group coordinator.
#[derive(Debug, Default)]
pub struct GroupMetrics {
    /// Offsets committed, those of transactions included.
    pub offset_commits: Counter,
    /// What was last seen of each shard: one that somebody has in hand is not waited for.
    seen: Mutex<BTreeMap<PartitionIndex, Counted>>,
}

/// What there is of groups and offsets in a shard.
#[derive(Debug, Clone, Default)]
struct Counted {
    groups: BTreeMap<(&'static str, &'static str), usize>,
    offsets: usize,
}

impl Counted {
    fn of(shard: &GroupShard) -> Self {
        let mut counted = Self { offsets: shard.offsets().len(), ..Self::default() };
        for group in shard.list() {
            *counted.groups.entry((group.kind, group.state)).or_default() += 1;
        }
        counted
    }
}

/// The states of classic groups, each with the name of its gauge.
const STATES: [(&str, &str); 5] = [
    ("PreparingRebalance", "numgroupspreparingrebalance"),
    ("CompletingRebalance", "numgroupscompletingrebalance"),
    ("Stable", "numgroupsstable"),
    ("Dead", "numgroupsdead"),
    ("Empty", "numgroupsempty"),
];

/// The metrics of each kind of group, and the states it may be in.
const BY_STATE: [(&str, &str, &[&str]); 3] = [
    (
        "kafka_server_group_coordinator_metrics_classic_group_count",
        "classic",
        &["PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Empty"],
    ),
    (
        "kafka_server_group_coordinator_metrics_consumer_group_count",
        "consumer",
        &["Empty", "Assigning", "Reconciling", "Stable", "Dead"],
    ),
    (
        "kafka_server_group_coordinator_metrics_streams_group_count",
        "streams",
        &["Empty", "NotReady", "Assigning", "Reconciling", "Stable", "Dead"],
    ),
];

/// Adds the metrics of groups.
pub fn text(broker: &Broker, text: &mut Text) {
    let census = broker.coordinators.groups.census(Counted::of);
    let led = census.active.len();
    let mut known = broker.metrics.groups.seen.lock().unwrap_or_else(PoisonError::into_inner);
    let mut before = std::mem::take(&mut *known);
    let active = census.active.into_iter();
    *known =
        active.filter_map(|(index, seen)| Some((index, seen.or_else(|| before.remove(&index))?))).collect();
    let mut groups: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut offsets = 0;
    for counted in known.values() {
        offsets += counted.offsets;
        for (group, count) in &counted.groups {
            *groups.entry(*group).or_default() += count;
        }
    }
    drop(known);
    let of = |wanted: &dyn Fn(&(&str, &str)) -> bool| -> usize {
        groups.iter().filter(|(group, _)| wanted(group)).map(|(_, count)| count).sum()
    };
    let prefix = "kafka_coordinator_group_groupmetadatamanager_";
    gauge(text, &format!("{prefix}numgroups"), "Groups coordinated here.", &[], of(&|_| true));
    gauge(text, &format!("{prefix}numoffsets"), "Offsets kept here.", &[], offsets);
    for (state, name) in STATES {
        let count = of(&|(kind, at)| *kind == "classic" && *at == state);
        gauge(text, &format!("{prefix}{name}"), "Classic groups in this state.", &[], count);
    }
    let name = "kafka_server_group_coordinator_metrics_group_count";
    text.metric(name, Kind::Gauge, "Groups, by the protocol of their members.");
    for kind in ["classic", "consumer", "share", "streams"] {
        text.sample(name, &[("protocol", kind)], of(&|(known, _)| *known == kind));
    }
    for (name, kind, states) in BY_STATE {
        text.metric(name, Kind::Gauge, "Groups of this protocol, by their state.");
        for state in states {
            let count = of(&|(known, at)| *known == kind && at == state);
            text.sample(name, &[("state", state)], count);
        }
    }
    let name = "kafka_server_group_coordinator_metrics_num_partitions";
    text.metric(name, Kind::Gauge, "Partitions of the offsets topic that are led here.");
    for (state, count) in [("active", led), ("loading", census.loading), ("failed", census.failed)] {
        text.sample(name, &[("state", state)], count);
    }
    counts(broker, text);
}

/// What happened to groups and offsets since the broker began.
fn counts(broker: &Broker, text: &mut Text) {
    let figures = broker.coordinators.groups.figures();
    let prefix = "kafka_server_group_coordinator_metrics_";
    for (name, help, count) in [
        ("offset_commit_count", "Offsets committed.", &broker.metrics.groups.offset_commits),
        ("offset_expiration_count", "Offsets that were kept for long enough.", &figures.offset_expirations),
        ("offset_deletion_count", "Offsets taken away on request.", &figures.offset_deletions),
        ("group_completed_rebalance_count", "Rebalances of classic groups.", &figures.classic_rebalances),
        ("consumer_group_rebalance_count", "Rebalances of consumer groups.", &figures.consumer_rebalances),
        ("streams_group_rebalance_count", "Rebalances of streams groups.", &figures.streams_rebalances),
    ] {
        let name = format!("{prefix}{name}");
        text.metric(&name, Kind::Counter, help);
        text.sample(&name, &[], count.get());
    }
    super::coordinators::text(figures, prefix, text);
}

fn gauge(text: &mut Text, name: &str, help: &str, labels: &[(&str, &str)], value: usize) {
    text.metric(name, Kind::Gauge, help);
    text.sample(name, labels, value);
}
