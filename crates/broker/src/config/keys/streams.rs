//! Keys of streams groups (KIP-1071).

use super::{ASSIGNED_AT_ONCE, NO_JAVA, NO_WARMUPS};
use crate::config::key::{Key, Type, boolean, int, list, long};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    long("group.streams.acceptable.recovery.lag", "10000").at_least(0).internal().since("4.4").honoured()
        .doc("How far a state store may lag and still count as caught up."),
    int("group.streams.assignment.interval.ms", "1000").at_least(0).cluster_wide().since("4.3").honoured()
        .doc("Shortest time between two assignments of a streams group."),
    boolean("group.streams.assignor.offload.enable", "true").cluster_wide().internal().since("4.4").without_effect(ASSIGNED_AT_ONCE)
        .doc("Whether assignments of streams groups are computed away from the coordinator's own task."),
    list("group.streams.assignors", "sticky").filled_list().since("4.4").without_effect("there is one assignor, sticky")
        .doc("Server-side assignors of streams groups; the first is the default."),
    int("group.streams.heartbeat.interval.ms", "5000").at_least(1).since("4.1").honoured()
        .doc("How often members of a streams group report."),
    int("group.streams.initial.rebalance.delay.ms", "3000").at_least(0).since("4.2").honoured()
        .doc("How long the first assignment of an empty streams group waits for more members."),
    int("group.streams.max.assignment.interval.ms", "15000").at_least(0).since("4.3").honoured()
        .doc("Largest streams.assignment.interval.ms that a group may set."),
    int("group.streams.max.heartbeat.interval.ms", "15000").at_least(1).since("4.1").honoured()
        .doc("Largest streams.heartbeat.interval.ms that a group may set."),
    int("group.streams.max.session.timeout.ms", "60000").at_least(1).since("4.1").honoured()
        .doc("Largest streams.session.timeout.ms that a group may set."),
    int("group.streams.max.size", "2147483647").at_least(1).since("4.1").honoured()
        .doc("Most members of one streams group."),
    int("group.streams.max.standby.replicas", "2").at_least(0).since("4.1").honoured()
        .doc("Largest streams.num.standby.replicas that a group may set."),
    int("group.streams.max.warmup.replicas", "20").at_least(0).internal().since("4.4").without_effect(NO_WARMUPS)
        .doc("Largest streams.num.warmup.replicas that a group may set."),
    int("group.streams.min.assignment.interval.ms", "0").at_least(0).since("4.3").honoured()
        .doc("Smallest streams.assignment.interval.ms that a group may set."),
    int("group.streams.min.heartbeat.interval.ms", "5000").at_least(1).since("4.1").honoured()
        .doc("Smallest streams.heartbeat.interval.ms that a group may set."),
    int("group.streams.min.session.timeout.ms", "45000").at_least(1).since("4.1").honoured()
        .doc("Smallest streams.session.timeout.ms that a group may set."),
    int("group.streams.min.task.offset.interval.ms", "15000").at_least(1).internal().since("4.4").honoured()
        .doc("Smallest streams.task.offset.interval.ms that a group may set."),
    int("group.streams.num.standby.replicas", "0").at_least(0).since("4.1").honoured()
        .doc("Standby copies of each stateful task."),
    int("group.streams.num.warmup.replicas", "2").at_least(0).internal().since("4.4").without_effect(NO_WARMUPS)
        .doc("Extra copies that warm up at a time before a task moves."),
    list("group.streams.rack.aware.assignment.tags", "").list().low().since("4.4").honoured()
        .doc("Client tags over which standby tasks are spread."),
    int("group.streams.session.timeout.ms", "45000").at_least(1).since("4.1").honoured()
        .doc("A member of a streams group that is silent for this long is removed."),
    int("group.streams.task.offset.interval.ms", "60000").at_least(1).internal().since("4.4").honoured()
        .doc("How often members report the offsets of their tasks."),
    Key::unset(Type::Class, "group.streams.topology.description.plugin.class").since("4.4").without_effect(NO_JAVA)
        .doc("Java class that stores descriptions of topologies."),
];
