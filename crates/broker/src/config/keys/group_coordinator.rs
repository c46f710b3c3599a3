//! Keys of the group coordinator and of committed offsets.

use super::{ASSIGNED_AT_ONCE, NO_POOL};
use crate::config::key::{Allowed, Key, boolean, int, list, long, short, string};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    int("group.consumer.assignment.interval.ms", "1000").at_least(0).cluster_wide().since("4.3").honoured()
        .doc("Shortest time between two assignments of a consumer group."),
    boolean("group.consumer.assignor.offload.enable", "true").cluster_wide().internal().since("4.4").without_effect(ASSIGNED_AT_ONCE)
        .doc("Whether assignments of consumer groups are computed away from the coordinator's own task."),
    list("group.consumer.assignors", "uniform,range").filled_list().since("3.5").honoured()
        .doc("Server-side assignors of consumer groups; the first is the default."),
    int("group.consumer.heartbeat.interval.ms", "5000").at_least(1).since("3.5").honoured()
        .doc("How often members of a consumer group report."),
    int("group.consumer.max.assignment.interval.ms", "15000").at_least(0).since("4.3").honoured()
        .doc("Largest consumer.assignment.interval.ms that a group may set."),
    int("group.consumer.max.heartbeat.interval.ms", "15000").at_least(1).since("3.5").honoured()
        .doc("Largest consumer.heartbeat.interval.ms that a group may set."),
    int("group.consumer.max.session.timeout.ms", "60000").at_least(1).since("3.5").honoured()
        .doc("Largest consumer.session.timeout.ms that a group may set."),
    int("group.consumer.max.size", "2147483647").at_least(1).since("3.5").honoured()
        .doc("Most members of one consumer group."),
    string("group.consumer.migration.policy", "bidirectional").allow(Allowed::OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"])).since("3.8").honoured()
        .doc("Which way a group may change between the classic and the consumer protocol while it is in use."),
    int("group.consumer.min.assignment.interval.ms", "0").at_least(0).since("4.3").honoured()
        .doc("Smallest consumer.assignment.interval.ms that a group may set."),
    int("group.consumer.min.heartbeat.interval.ms", "5000").at_least(1).since("3.5").honoured()
        .doc("Smallest consumer.heartbeat.interval.ms that a group may set."),
    int("group.consumer.min.session.timeout.ms", "45000").at_least(1).since("3.5").honoured()
        .doc("Smallest consumer.session.timeout.ms that a group may set."),
    int("group.consumer.regex.refresh.interval.ms", "600000").at_least(10000).internal().since("4.1").honoured()
        .doc("How often regular expressions of subscriptions are matched against new topics."),
    int("group.consumer.session.timeout.ms", "45000").at_least(1).since("3.5").honoured()
        .doc("A member of a consumer group that is silent for this long is removed."),
    int("group.coordinator.append.linger.ms", "-1").at_least(-1).since("3.8").without_effect("a decision is written when it is taken; none waits for others")
        .doc("How long the group coordinator gathers records before it writes; -1 adapts to the load."),
    int("group.coordinator.background.threads", "2").at_least(1).high().since("4.3").without_effect(NO_POOL)
        .doc("Threads for the coordinator's background work."),
    int("group.coordinator.cached.buffer.max.bytes", "1048588").at_least(524288).cluster_wide().since("4.3")
        .doc("Largest write buffer that the group coordinator keeps for reuse."),
    list("group.coordinator.rebalance.protocols", "classic,consumer,streams").allow(Allowed::List { of: &["consumer", "classic", "share", "streams"], empty: false }).since("3.7").honoured()
        .doc("Kinds of groups that are served: classic, consumer, share, streams."),
    int("group.coordinator.threads", "4").at_least(1).high().since("3.5").without_effect(NO_POOL)
        .doc("Threads of the group coordinator."),
    int("group.initial.rebalance.delay.ms", "3000").since("0.11.0").honoured()
        .doc("How long the first rebalance of an empty classic group waits for more members."),
    int("group.max.session.timeout.ms", "1800000").since("0.9.0").honoured()
        .doc("Longest session timeout a classic member may ask for."),
    int("group.max.size", "2147483647").at_least(1).since("2.2").honoured()
        .doc("Most members of one classic group."),
    int("group.min.session.timeout.ms", "6000").since("0.9.0").honoured()
        .doc("Shortest session timeout a classic member may ask for."),
    int("offset.metadata.max.bytes", "4096").high().since("0.8.1").honoured()
        .doc("Largest note that may go with a committed offset."),
    int("offsets.commit.timeout.ms", "5000").at_least(1).high().since("0.8.2").honoured()
        .doc("How long committing an offset may wait for the replicas of the offsets topic."),
    int("offsets.load.buffer.size", "5242880").at_least(1).high().since("0.8.2").honoured()
        .doc("Bytes read at a time when committed offsets are loaded."),
    long("offsets.retention.check.interval.ms", "600000").at_least(1).high().since("0.8.2").honoured()
        .doc("How often expired offsets are swept out."),
    int("offsets.retention.minutes", "10080").at_least(1).high().since("0.8.2").honoured()
        .doc("How long the offsets of an empty group are remembered."),
    int("offsets.topic.compression.codec", "0").high().since("0.8.2").honoured()
        .doc("Codec of the offsets topic, by its number: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."),
    int("offsets.topic.num.partitions", "50").at_least(1).high().since("0.8.2").honoured()
        .doc("Partitions of the offsets topic. Not to be changed once it exists."),
    short("offsets.topic.replication.factor", "3").at_least(1).high().since("0.8.2").honoured()
        .doc("Replicas of the offsets topic."),
    int("offsets.topic.segment.bytes", "104857600").at_least(1).high().since("0.8.2").honoured()
        .doc("Segment size of the offsets topic. Small segments load faster."),
];
