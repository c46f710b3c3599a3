//! What is counted of groups and offsets, under the names of Kafka's `GroupMetadataManager` and
//! `group-coordinator-metrics`.

use std::collections::BTreeMap;

use super::Counter;
use super::text::{Kind, Text};
use crate::Broker;

/// Counts of the group coordinator.
#[derive(Debug, Default)]
pub struct GroupMetrics {
    /// Offsets committed, those of transactions included.
    pub offset_commits: Counter,
}

/// The states of classic groups, each with the name of its gauge.
const STATES: [(&str, &str); 5] = [
    ("PreparingRebalance", "numgroupspreparingrebalance"),
    ("CompletingRebalance", "numgroupscompletingrebalance"),
    ("Stable", "numgroupsstable"),
    ("Dead", "numgroupsdead"),
    ("Empty", "numgroupsempty"),
];

/// Adds the metrics of groups.
pub fn text(broker: &Broker, text: &mut Text) {
    let census = broker.coordinators.groups.census(|shard| {
        let mut counted: BTreeMap<(&'static str, &'static str), usize> = BTreeMap::new();
        for group in shard.list() {
            *counted.entry((group.kind, group.state)).or_default() += 1;
        }
        (counted, shard.offsets().len())
    });
    let mut groups: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut offsets = 0;
    for (counted, kept) in &census.active {
        offsets += kept;
        for (group, count) in counted {
            *groups.entry(*group).or_default() += count;
        }
    }
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
    let name = "kafka_server_group_coordinator_metrics_num_partitions";
    text.metric(name, Kind::Gauge, "Partitions of the offsets topic that are led here.");
    for (state, count) in
        [("active", census.active.len()), ("loading", census.loading), ("failed", census.failed)]
    {
        text.sample(name, &[("state", state)], count);
    }
    let name = "kafka_server_group_coordinator_metrics_offset_commit_count";
    text.metric(name, Kind::Counter, "Offsets committed.");
    text.sample(name, &[], broker.metrics.groups.offset_commits.get());
}

fn gauge(text: &mut Text, name: &str, help: &str, labels: &[(&str, &str)], value: usize) {
    text.metric(name, Kind::Gauge, help);
    text.sample(name, labels, value);
}
