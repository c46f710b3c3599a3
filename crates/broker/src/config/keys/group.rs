//! Keys of the config resource GROUP.

use super::{ASSIGNED_AT_ONCE, NO_WARMUPS};
use crate::config::key::{Allowed, Key, Type, boolean, int, list, long, string};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    int("consumer.assignment.interval.ms", "1000").at_least(0).since("4.3").honoured()
        .doc("Shortest time between two assignments of the group."),
    boolean("consumer.assignor.offload.enable", "true").internal().since("4.4").without_effect(ASSIGNED_AT_ONCE)
        .doc("Whether assignments are computed away from the coordinator's own task."),
    int("consumer.heartbeat.interval.ms", "5000").at_least(1).since("4.0").honoured()
        .doc("How often members report."),
    int("consumer.session.timeout.ms", "45000").at_least(1).since("4.0").honoured()
        .doc("A member that is silent for this long is removed."),
    boolean("errors.deadletterqueue.copy.record.enable", "false").since("4.4")
        .doc("Whether a dead letter holds the record itself, or only where it lies."),
    string("errors.deadletterqueue.topic.name", "").since("4.4")
        .doc("Topic for records that could not be delivered; empty for none."),
    int("share.assignment.interval.ms", "1000").at_least(0).since("4.3")
        .doc("Shortest time between two assignments of the group."),
    boolean("share.assignor.offload.enable", "true").internal().since("4.4")
        .doc("Whether assignments are computed away from the coordinator's own task."),
    string("share.auto.offset.reset", "latest").allow(Allowed::AutoOffsetReset).since("4.0")
        .doc("Where a new group starts: latest, earliest, or by_duration: and an ISO-8601 duration back from now."),
    int("share.delivery.count.limit", "5").at_least(2).since("4.3")
        .doc("How often a record is handed out before it counts as undeliverable."),
    int("share.heartbeat.interval.ms", "5000").at_least(1).since("4.0")
        .doc("How often members report."),
    string("share.isolation.level", "read_uncommitted").one_of(&["read_committed", "read_uncommitted"]).since("4.1")
        .doc("Whether records of open and aborted transactions are handed out: read_uncommitted, read_committed."),
    int("share.partition.max.record.locks", "2000").at_least(100).since("4.3")
        .doc("Most records of one partition that may be out for delivery at once."),
    int("share.record.lock.duration.ms", "30000").at_least(1000).since("4.0")
        .doc("How long a consumer may hold a record before it is handed to another."),
    boolean("share.renew.acknowledge.enable", "true").since("4.3")
        .doc("Whether a consumer may ask for more time with a record."),
    int("share.session.timeout.ms", "45000").at_least(1).since("4.0")
        .doc("A member that is silent for this long is removed."),
    long("streams.acceptable.recovery.lag", "10000").at_least(0).internal().since("4.4").honoured()
        .doc("How far a state store may lag and still count as caught up."),
    int("streams.assignment.interval.ms", "1000").at_least(0).since("4.3").honoured()
        .doc("Shortest time between two assignments of the group."),
    Key::unset(Type::String, "streams.assignor.name").since("4.4").without_effect("there is one assignor, sticky")
        .doc("Assignor of the group, one of the broker's group.streams.assignors."),
    boolean("streams.assignor.offload.enable", "true").internal().since("4.4").without_effect(ASSIGNED_AT_ONCE)
        .doc("Whether assignments are computed away from the coordinator's own task."),
    int("streams.heartbeat.interval.ms", "5000").at_least(1).since("4.1").honoured()
        .doc("How often members report."),
    int("streams.initial.rebalance.delay.ms", "3000").at_least(0).since("4.2").honoured()
        .doc("How long the first assignment of an empty group waits for more members."),
    int("streams.num.standby.replicas", "0").at_least(0).since("4.1").honoured()
        .doc("Standby copies of each stateful task."),
    int("streams.num.warmup.replicas", "2").at_least(0).internal().since("4.4").without_effect(NO_WARMUPS)
        .doc("Extra copies that warm up at a time before a task moves."),
    list("streams.rack.aware.assignment.tags", "").list().low().since("4.4").honoured()
        .doc("Client tags over which standby tasks are spread."),
    int("streams.session.timeout.ms", "45000").at_least(1).since("4.1").honoured()
        .doc("A member that is silent for this long is removed."),
    int("streams.task.offset.interval.ms", "60000").at_least(1).internal().since("4.4").honoured()
        .doc("How often members report the offsets of their tasks."),
];
