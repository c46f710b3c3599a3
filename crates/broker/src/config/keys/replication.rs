//! Keys of replication and leader balance.

use super::NO_PURGATORY;
use crate::config::key::{Key, Type, boolean, int, long};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    boolean("auto.leader.rebalance.enable", "true").high().since("0.8.1")
        .doc("Whether leadership moves back to the preferred replicas by itself, checked every leader.imbalance.check.interval.seconds."),
    int("delete.records.purgatory.purge.interval.requests", "1").since("0.11.0").without_effect(NO_PURGATORY)
        .doc("When Kafka cleans up waiting DeleteRecords requests."),
    int("fetch.purgatory.purge.interval.requests", "1000").since("0.8.0").without_effect(NO_PURGATORY)
        .doc("When Kafka cleans up waiting fetches."),
    long("leader.imbalance.check.interval.seconds", "300").at_least(1).high().since("0.8.1")
        .doc("How often the balance of leaders is checked."),
    Key::unset(Type::Int, "num.replica.alter.log.dirs.threads").high().since("1.1").honoured()
        .doc("Threads that move replicas between log directories; one for each directory if not set."),
    int("num.replica.fetchers", "1").at_least(1).high().cluster_wide().since("0.8.0")
        .doc("Connections to each other broker from which replicas fetch."),
    int("producer.purgatory.purge.interval.requests", "1000").since("0.8.0").without_effect(NO_PURGATORY)
        .doc("When Kafka cleans up waiting produce requests."),
    int("replica.fetch.backoff.ms", "1000").at_least(0).since("0.9.0")
        .doc("How long a follower rests after a failed fetch."),
    int("replica.fetch.max.bytes", "1048576").at_least(0).since("0.8.0")
        .doc("Bytes that a follower asks for per partition; a larger batch still comes whole."),
    int("replica.fetch.min.bytes", "1").high().since("0.8.0")
        .doc("Bytes a follower waits for, up to replica.fetch.wait.max.ms."),
    int("replica.fetch.response.max.bytes", "10485760").at_least(0).since("0.10.1")
        .doc("Bytes that a follower asks for in one fetch; a larger batch still comes whole."),
    int("replica.fetch.wait.max.ms", "500").high().since("0.8.0")
        .doc("Longest wait of a follower's fetch for new records."),
    long("replica.high.watermark.checkpoint.interval.ms", "5000").high().since("0.8.0").honoured()
        .doc("How often high watermarks are written down."),
    long("replica.lag.time.max.ms", "30000").high().since("0.8.0")
        .doc("A follower that has not caught up for this long leaves the in-sync replicas."),
    Key::unset(Type::String, "replica.selector.class").since("2.4")
        .doc("How a replica is picked for a consumer to read from; without it, the leader."),
    int("replica.socket.receive.buffer.bytes", "65536").high().since("0.8.0")
        .doc("Receive buffer of the sockets that replicas fetch through."),
    int("replica.socket.timeout.ms", "30000").high().since("0.8.0")
        .doc("How long a follower's request may wait on its socket, at least replica.fetch.wait.max.ms."),
];
