//! Keys of replication and leader balance.

use super::NO_PURGATORY;
use crate::config::key::{Key, Type, boolean, int, long};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    boolean("auto.leader.rebalance.enable", "true").high()
        .doc("Whether leadership moves back to the preferred replicas by itself, checked every leader.imbalance.check.interval.seconds."),
    int("delete.records.purgatory.purge.interval.requests", "1").without_effect(NO_PURGATORY)
        .doc("When Kafka cleans up waiting DeleteRecords requests."),
    int("fetch.purgatory.purge.interval.requests", "1000").without_effect(NO_PURGATORY)
        .doc("When Kafka cleans up waiting fetches."),
    long("leader.imbalance.check.interval.seconds", "300").at_least(1).high()
        .doc("How often the balance of leaders is checked."),
    Key::unset(Type::Int, "num.replica.alter.log.dirs.threads").high()
        .doc("Threads that move replicas between log directories."),
    int("num.replica.fetchers", "1").at_least(1).high().cluster_wide()
        .doc("Connections to each other broker from which replicas fetch."),
    int("producer.purgatory.purge.interval.requests", "1000").without_effect(NO_PURGATORY)
        .doc("When Kafka cleans up waiting produce requests."),
    int("replica.fetch.backoff.ms", "1000").at_least(0)
        .doc("How long a follower rests after a failed fetch."),
    int("replica.fetch.max.bytes", "1048576").at_least(0)
        .doc("Bytes that a follower asks for per partition; a larger batch still comes whole."),
    int("replica.fetch.min.bytes", "1").high()
        .doc("Bytes a follower waits for, up to replica.fetch.wait.max.ms."),
    int("replica.fetch.response.max.bytes", "10485760").at_least(0)
        .doc("Bytes that a follower asks for in one fetch; a larger batch still comes whole."),
    int("replica.fetch.wait.max.ms", "500").high()
        .doc("Longest wait of a follower's fetch for new records."),
    long("replica.high.watermark.checkpoint.interval.ms", "5000").high().honoured()
        .doc("How often high watermarks are written down."),
    long("replica.lag.time.max.ms", "30000").high()
        .doc("A follower that has not caught up for this long leaves the in-sync replicas."),
    Key::unset(Type::String, "replica.selector.class")
        .doc("How a replica is picked for a consumer to read from; without it, the leader."),
    int("replica.socket.receive.buffer.bytes", "65536").high()
        .doc("Receive buffer of the sockets that replicas fetch through."),
    int("replica.socket.timeout.ms", "30000").high()
        .doc("How long a follower's request may wait on its socket, at least replica.fetch.wait.max.ms."),
];
