//! Keys of the metadata quorum and its log.

use crate::config::key::{Allowed, Key, Type, boolean, int, list, long};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    long("controller.performance.always.log.threshold.ms", "2000").at_least(0).internal().since("3.6")
        .doc("A controller event that takes longer than this is always logged."),
    long("controller.performance.sample.period.ms", "60000").at_least(100).internal().since("3.6")
        .doc("How often the controller's event times are summarised in the log."),
    int("controller.quorum.append.linger.ms", "25").at_least(0).since("2.8").without_effect("what comes while an fsync runs shares the next one, without waiting")
        .doc("How long the quorum's leader gathers records before it writes them to disk."),
    boolean("controller.quorum.auto.join.enable", "false").low().since("4.2")
        .doc("Whether a controller that starts joins the voters by itself."),
    list("controller.quorum.bootstrap.servers", "").allow(Allowed::BootstrapServers).high().since("3.9").without_effect("the one voter of a quorum asks nobody who leads")
        .doc("Where to ask which controller leads, as host:port entries. For quorums whose voters are kept in the metadata log."),
    int("controller.quorum.election.backoff.max.ms", "1000").at_least(0).high().since("2.8").honoured()
        .doc("Longest pause after an election without a winner."),
    int("controller.quorum.election.timeout.ms", "1000").at_least(0).high().since("2.8").honoured()
        .doc("How long a candidate waits for votes before it tries again."),
    int("controller.quorum.fetch.max.bytes", "1048576").at_least(1).low().since("4.3")
        .doc("Most bytes of records in one fetch from the quorum's leader."),
    int("controller.quorum.fetch.snapshot.max.bytes", "1048576").at_least(1).low().since("4.3")
        .doc("Most bytes in one piece of a snapshot fetched from the quorum's leader."),
    int("controller.quorum.fetch.timeout.ms", "2000").at_least(0).high().since("2.8").honoured()
        .doc("How long a follower hears nothing from the leader before it stands for election, and how long a leader keeps leading without a majority."),
    int("controller.quorum.request.timeout.ms", "2000").at_least(0).since("2.8").honoured()
        .doc("How long a request within the quorum may take."),
    int("controller.quorum.retry.backoff.ms", "20").at_least(0).low().since("2.8").honoured()
        .doc("Pause before a request within the quorum is tried again."),
    list("controller.quorum.voters", "").allow(Allowed::QuorumVoters).high().since("2.8").honoured()
        .doc("The fixed set of controllers, as id@host:port entries. Leave it empty for a quorum that can grow."),
    int("controller.socket.timeout.ms", "30000").since("0.8.0")
        .doc("How long a broker's request to the controller may wait on its socket."),
    long("internal.metadata.delete.delay.millis", "60000").low().internal().since("4.1")
        .doc("How long deleted files of the metadata log stay on disk."),
    Key::unset(Type::Int, "internal.metadata.log.segment.bytes").low().internal().since("4.1")
        .doc("Segment size of the metadata log in tests, below the usual minimum."),
    int("internal.metadata.max.batch.size.in.bytes", "8388608").low().internal().since("4.1")
        .doc("Largest batch of the metadata log."),
    Key::unset(Type::String, "metadata.log.dir").high().since("2.8").honoured()
        .doc("Directory of the metadata log; by default the first of log.dirs."),
    long("metadata.log.max.record.bytes.between.snapshots", "20971520").at_least(1).high().since("3.0").honoured()
        .doc("Bytes of metadata records after which a snapshot is made."),
    long("metadata.log.max.snapshot.interval.ms", "3600000").at_least(0).high().since("3.4").honoured()
        .doc("Longest time between two snapshots of changed metadata; 0 for no bound."),
    int("metadata.log.segment.bytes", "1073741824").at_least(8388608).high().since("3.0").honoured()
        .doc("Size at which the metadata log begins a new segment."),
    long("metadata.log.segment.ms", "604800000").high().since("3.0").honoured()
        .doc("Age at which the metadata log begins a new segment."),
    int("metadata.max.idle.interval.ms", "500").at_least(0).low().since("3.3").without_effect("a lone voter has no follower whose lag such records would show")
        .doc("How often an idle controller writes a record that does nothing, so that brokers see how fresh they are; 0 for never."),
    long("metadata.max.retention.bytes", "104857600").high().since("3.0").honoured()
        .doc("Bytes of metadata log and snapshots that are kept at most."),
    long("metadata.max.retention.ms", "604800000").high().since("3.0").honoured()
        .doc("Age at which parts of the metadata log before the last snapshot go."),
];
