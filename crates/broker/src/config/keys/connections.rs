//! Keys of connections: sockets, counts, idle times, request sizes.

use super::NO_POOL;
use crate::config::key::{Key, int, long, string};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    int("connection.failed.authentication.delay.ms", "100").at_least(0).low().since("2.1")
        .doc("How long a refused login waits for its answer, which slows down guessing."),
    long("connections.max.idle.ms", "600000").since("0.8.2").honoured()
        .doc("A connection without traffic for this long is closed. Negative for never."),
    int("max.connection.creation.rate", "2147483647").at_least(0).cluster_wide().since("2.7")
        .doc("Most new connections a second. With a listener prefix it bounds that listener."),
    int("max.connections", "2147483647").at_least(0).cluster_wide().since("2.3").honoured()
        .doc("Most connections of the node. With a listener prefix it bounds that listener."),
    int("max.connections.per.ip", "2147483647").at_least(0).cluster_wide().since("0.8.2").honoured()
        .doc("Most connections from one address. Zero only together with exceptions."),
    string("max.connections.per.ip.overrides", "").cluster_wide().since("0.8.2").honoured()
        .doc("Exceptions to max.connections.per.ip, as host:number entries."),
    int("num.network.threads", "3").at_least(1).high().cluster_wide().since("0.8.0").without_effect(NO_POOL)
        .doc("Threads that read and write sockets in Apache Kafka."),
    long("queued.max.request.bytes", "-1").since("1.0").without_effect("a connection is served one request at a time, there is no queue shared by all")
        .doc("Most bytes of requests that wait for a thread."),
    int("queued.max.requests", "500").at_least(1).high().since("0.8.0").without_effect("a connection is served one request at a time, there is no queue shared by all")
        .doc("Most requests that wait for a thread."),
    long("socket.connection.setup.timeout.max.ms", "30000").since("2.7")
        .doc("Longest wait for a connection to another node, reached by doubling."),
    long("socket.connection.setup.timeout.ms", "10000").since("2.7")
        .doc("First wait for a connection to another node."),
    int("socket.listen.backlog.size", "50").at_least(1).since("3.2").honoured()
        .doc("Connections that the system holds until they are accepted."),
    int("socket.receive.buffer.bytes", "102400").high().since("0.8.0").honoured()
        .doc("Receive buffer of sockets. Unless it is set, or with -1, the system sizes it."),
    int("socket.request.max.bytes", "104857600").at_least(1).high().since("0.8.0").honoured()
        .doc("Largest request. A frame that claims more closes its connection."),
    int("socket.send.buffer.bytes", "102400").high().since("0.8.0").honoured()
        .doc("Send buffer of sockets. Unless it is set, or with -1, the system sizes it."),
];
