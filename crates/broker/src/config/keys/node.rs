//! Keys of the node itself: who it is, its roles, and what topics and requests it allows.

use super::{NO_JAVA, NO_POOL};
use crate::config::key::{Allowed, Key, Type, boolean, int, list, long};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    Key::unset(Type::Class, "alter.config.policy.class.name").low().since("0.11.0").without_effect(NO_JAVA)
        .doc("Java class that may veto config changes."),
    boolean("auto.create.topics.enable", "true").high().since("0.8.0").honoured()
        .doc("Whether asking for a topic that does not exist creates it."),
    int("background.threads", "10").at_least(1).high().cluster_wide().since("0.8.1").without_effect(NO_POOL)
        .doc("Threads for background work."),
    int("broker.heartbeat.interval.ms", "2000").since("2.8")
        .doc("How often a broker tells the controller that it lives."),
    int("broker.id", "-1").high().since("0.8.0").honoured()
        .doc("The older name of node.id. Set only one of them, or both to the same number."),
    Key::unset(Type::String, "broker.rack").since("0.10.0").honoured()
        .doc("Rack or availability zone of this broker. Replicas are spread over racks, and consumers may read from their own."),
    int("broker.session.timeout.ms", "9000").since("2.8").honoured()
        .doc("How long after its last heartbeat a broker is taken for dead."),
    list("config.providers", "").list().low().cluster_wide().since("4.2")
        .doc("Names of providers that fill in ${provider:path:key} placeholders of the file."),
    boolean("controlled.shutdown.enable", "true").since("0.8.0")
        .doc("Whether a stopping broker hands over its partitions before it goes."),
    Key::unset(Type::Class, "create.topic.policy.class.name").low().since("0.10.2").without_effect(NO_JAVA)
        .doc("Java class that may veto topic creation."),
    int("default.replication.factor", "1").since("0.8.0").honoured()
        .doc("Replicas of a topic that is created without saying how many."),
    boolean("delete.topic.enable", "true").high().since("0.8.2").honoured()
        .doc("Whether topics can be deleted at all."),
    int("fetch.max.bytes", "57671680").at_least(1024).since("0.10.1").honoured()
        .doc("Most bytes in the answer to one fetch, whatever the client asks for. One batch larger than this still goes out."),
    int("initial.broker.registration.timeout.ms", "60000").since("2.8")
        .doc("How long a starting broker tries to register before it gives up."),
    int("max.incremental.fetch.session.cache.slots", "1000").at_least(0).since("1.1").honoured()
        .doc("Most incremental fetch sessions that the broker remembers."),
    int("max.request.partition.size.limit", "2000").at_least(1).since("3.8").honoured()
        .doc("Most partitions in one answer that describes topics; the rest is asked for with a cursor."),
    Key::required(Type::Int, "node.id").at_least(0).high().since("2.8").honoured()
        .doc("The number of this node in its cluster, from 0 up, different on every node."),
    int("num.io.threads", "8").at_least(1).high().cluster_wide().since("0.8.0").without_effect(NO_POOL)
        .doc("Threads that work on requests in Apache Kafka."),
    int("num.partitions", "1").at_least(1).since("0.8.0").honoured()
        .doc("Partitions of a topic that is created without saying how many."),
    Key::required(Type::List, "process.roles").allow(Allowed::List { of: &["broker", "controller"], empty: false }).high().since("2.8").honoured()
        .doc("What the node is: broker, controller, or both."),
    int("request.timeout.ms", "30000").high().since("0.9.0")
        .doc("How long a node waits for an answer from another."),
    long("server.max.startup.time.ms", "9223372036854775807").at_least(0).internal().since("3.5")
        .doc("Longest time a start may take before the node gives up."),
    boolean("unstable.api.versions.enable", "false").high().internal().since("3.5").honoured()
        .doc("Whether versions of requests that are still in development are offered."),
    boolean("unstable.feature.versions.enable", "false").high().internal().since("3.8")
        .doc("Whether feature levels that are still in development are offered."),
];
