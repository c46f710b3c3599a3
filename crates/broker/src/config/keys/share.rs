//! Keys of share groups and their coordinator (KIP-932).

use super::{NO_JAVA, NO_POOL, NO_PURGATORY};
use crate::config::key::{Key, boolean, int, list, short, string};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    boolean("errors.deadletterqueue.auto.create.topics.enable", "false").cluster_wide().since("4.4")
        .doc("Whether the dead letter topic of a share group is created when it is first needed."),
    string("errors.deadletterqueue.topic.name.prefix", "dlq.").cluster_wide().since("4.4")
        .doc("What the name of a dead letter topic must start with to be created by itself."),
    int("group.share.assignment.interval.ms", "1000").at_least(0).cluster_wide().since("4.3")
        .doc("Shortest time between two assignments of a share group."),
    boolean("group.share.assignor.offload.enable", "true").cluster_wide().internal().since("4.4")
        .doc("Whether assignments of share groups are computed away from the coordinator's own task."),
    list("group.share.assignors", "simple").filled_list().since("4.1")
        .doc("Server-side assignors of share groups; one only."),
    int("group.share.delivery.count.limit", "5").between(2, 10).since("3.9")
        .doc("How often a record is handed out before it counts as undeliverable."),
    string("group.share.dlq.manager.class.name", "org.apache.kafka.server.share.dlq.DefaultShareGroupDLQManager").internal().since("4.4").without_effect(NO_JAVA)
        .doc("Java class that writes dead letters."),
    int("group.share.heartbeat.interval.ms", "5000").at_least(1).since("3.9")
        .doc("How often members of a share group report."),
    int("group.share.initialize.retry.interval.ms", "30000").at_least(1).low().internal().since("4.2")
        .doc("How often initialising the state of a share partition is tried again."),
    int("group.share.max.assignment.interval.ms", "15000").at_least(0).since("4.3")
        .doc("Largest share.assignment.interval.ms that a group may set."),
    int("group.share.max.delivery.count.limit", "10").between(5, 25).since("4.3")
        .doc("Largest share.delivery.count.limit that a group may set."),
    int("group.share.max.heartbeat.interval.ms", "15000").at_least(1).since("3.9")
        .doc("Largest share.heartbeat.interval.ms that a group may set."),
    int("group.share.max.partition.max.record.locks", "4000").between(2_000, 10_000).since("4.3")
        .doc("Largest share.partition.max.record.locks that a group may set."),
    int("group.share.max.record.lock.duration.ms", "60000").between(30_000, 3_600_000).since("3.9")
        .doc("Largest share.record.lock.duration.ms that a group may set."),
    int("group.share.max.session.timeout.ms", "60000").at_least(1).since("3.9")
        .doc("Largest share.session.timeout.ms that a group may set."),
    int("group.share.max.share.sessions", "2000").at_least(1).since("4.1")
        .doc("Most share sessions that a broker keeps."),
    int("group.share.max.size", "200").between(1, 1_000).since("3.9")
        .doc("Most members of one share group."),
    int("group.share.min.assignment.interval.ms", "0").at_least(0).since("4.3")
        .doc("Smallest share.assignment.interval.ms that a group may set."),
    int("group.share.min.delivery.count.limit", "2").between(2, 5).since("4.3")
        .doc("Smallest share.delivery.count.limit that a group may set."),
    int("group.share.min.heartbeat.interval.ms", "5000").at_least(1).since("3.9")
        .doc("Smallest share.heartbeat.interval.ms that a group may set."),
    int("group.share.min.partition.max.record.locks", "100").between(100, 2_000).since("4.3")
        .doc("Smallest share.partition.max.record.locks that a group may set."),
    int("group.share.min.record.lock.duration.ms", "15000").between(1_000, 30_000).since("3.9")
        .doc("Smallest share.record.lock.duration.ms that a group may set."),
    int("group.share.min.session.timeout.ms", "45000").at_least(1).since("3.9")
        .doc("Smallest share.session.timeout.ms that a group may set."),
    int("group.share.partition.max.record.locks", "2000").between(100, 10_000).since("3.9")
        .doc("Most records of one share partition that may be out for delivery at once."),
    string("group.share.persister.class.name", "org.apache.kafka.server.share.persister.DefaultStatePersister").internal().since("4.0").without_effect(NO_JAVA)
        .doc("Java class that keeps the state of share groups."),
    int("group.share.record.lock.duration.ms", "30000").between(1_000, 3_600_000).since("3.9")
        .doc("How long a consumer may hold a record of a share group before it is handed to another."),
    int("group.share.session.timeout.ms", "45000").at_least(1).since("3.9")
        .doc("A member of a share group that is silent for this long is removed."),
    int("share.coordinator.append.linger.ms", "-1").at_least(-1).since("4.0")
        .doc("How long the share coordinator gathers records before it writes; -1 adapts to the load."),
    int("share.coordinator.cached.buffer.max.bytes", "1048588").at_least(524288).cluster_wide().since("4.3")
        .doc("Largest write buffer that the share coordinator keeps for reuse."),
    int("share.coordinator.cold.partition.snapshot.interval.ms", "300000").at_least(1).low().internal().since("4.1")
        .doc("How often the state of quiet share partitions is written anew, so that old records can go."),
    int("share.coordinator.load.buffer.size", "5242880").at_least(1).high().since("4.0")
        .doc("Bytes read at a time when the state of share groups is loaded."),
    int("share.coordinator.snapshot.update.records.per.snapshot", "500").between(0, 500).since("4.0")
        .doc("Updates of a share partition's state between two full copies."),
    int("share.coordinator.state.topic.compression.codec", "0").high().since("4.0")
        .doc("Codec of the share state topic, by its number: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."),
    short("share.coordinator.state.topic.min.isr", "2").at_least(1).high().since("4.0")
        .doc("min.insync.replicas of the share state topic."),
    int("share.coordinator.state.topic.num.partitions", "50").at_least(1).high().since("4.0")
        .doc("Partitions of the share state topic. Not to be changed once it exists."),
    int("share.coordinator.state.topic.prune.interval.ms", "300000").at_least(1).low().internal().since("4.0")
        .doc("How often records that are no longer needed are cut from the share state topic."),
    short("share.coordinator.state.topic.replication.factor", "3").at_least(1).high().since("4.0")
        .doc("Replicas of the share state topic."),
    int("share.coordinator.state.topic.segment.bytes", "104857600").at_least(1).high().since("4.0")
        .doc("Segment size of the share state topic."),
    int("share.coordinator.threads", "1").at_least(1).since("4.0").without_effect(NO_POOL)
        .doc("Threads of the share coordinator."),
    int("share.coordinator.write.timeout.ms", "5000").at_least(1).high().since("4.0")
        .doc("How long writing the state of a share group may take."),
    int("share.fetch.purgatory.purge.interval.requests", "1000").since("4.0").without_effect(NO_PURGATORY)
        .doc("When Kafka cleans up waiting share fetches."),
];
