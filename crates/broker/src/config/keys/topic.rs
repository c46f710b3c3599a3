//! Keys of topics, and the broker keys that stand behind them.

use crate::config::key::{Allowed, Key, Type, boolean, double, int, list, long, string};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    list("cleanup.policy", "delete").allow(Allowed::List { of: &["compact", "delete"], empty: true }).since("0.8.1").honoured()
        .doc("What happens to old records: delete by age and size, compact to the last of each key, both, or, as an empty list, nothing."),
    int("compression.gzip.level", "-1").allow(Allowed::GzipLevel).since("3.8").honoured()
        .doc("Level of gzip: 1 (fast) to 9 (small), -1 for the codec's own."),
    int("compression.lz4.level", "9").between(1, 17).since("3.8").without_effect("the LZ4 here has one level")
        .doc("Level of LZ4: 1 (fast) to 17 (small)."),
    string("compression.type", "producer").one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]).since("0.8.2").honoured()
        .doc("How batches are stored: producer keeps them as they came, any other value recompresses."),
    int("compression.zstd.level", "3").between(-131_072, 22).since("3.8").honoured()
        .doc("Level of Zstandard, up to 22; negative levels trade size for speed."),
    long("delete.retention.ms", "86400000").at_least(0).since("0.8.1").honoured()
        .doc("How long a tombstone survives compaction, so that readers can see it."),
    boolean("errors.deadletterqueue.group.enable", "false").since("4.4")
        .doc("Whether the topic takes dead letters of share groups."),
    long("file.delete.delay.ms", "60000").at_least(0).since("0.8.1").honoured()
        .doc("How long a removed segment keeps its bytes under another name."),
    long("flush.messages", "9223372036854775807").at_least(1).since("0.8.1").honoured()
        .doc("Records after which they are put on stable storage. With 1, none is acknowledged before it is there."),
    long("flush.ms", "9223372036854775807").at_least(0).since("0.8.1").honoured()
        .doc("Longest time records stay off stable storage."),
    list("follower.replication.throttled.replicas", "").allow(Allowed::ThrottledReplicas).since("0.10.1")
        .doc("Followers whose fetching is throttled, as partition:broker pairs, or * for all."),
    int("index.interval.bytes", "4096").at_least(0).since("0.8.1").honoured()
        .doc("Bytes of records between two entries of the offset index."),
    Key::unset(Type::Int, "internal.segment.bytes").internal().since("4.1").honoured()
        .doc("Segment size below the usual minimum, for tests."),
    list("leader.replication.throttled.replicas", "").allow(Allowed::ThrottledReplicas).since("0.10.1")
        .doc("Leaders whose serving of followers is throttled, as partition:broker pairs, or * for all."),
    long("local.retention.bytes", "-2").at_least(-2).since("3.0")
        .doc("Bytes of a partition that stay on local disks once copied to remote storage; -2 means as many as retention.bytes."),
    long("local.retention.ms", "-2").at_least(-2).since("3.0")
        .doc("How long records stay on local disks once copied to remote storage; -2 means as long as retention.ms."),
    long("max.compaction.lag.ms", "9223372036854775807").at_least(1).since("2.3").honoured()
        .doc("Longest time a record stays out of compaction's reach. It also bounds the age of a segment."),
    int("max.decompressed.message.bytes", "2147483639").between(1, 2_147_483_639).since("4.4").honoured()
        .doc("Largest record that may come out of a compressed batch."),
    int("max.message.bytes", "1048588").at_least(0).since("0.8.1").honoured()
        .doc("Largest batch that is accepted, after compression."),
    long("message.timestamp.after.max.ms", "3600000").at_least(0).since("3.6").honoured()
        .doc("How far a record's timestamp may lie in the future."),
    long("message.timestamp.before.max.ms", "9223372036854775807").at_least(0).since("3.6").honoured()
        .doc("How far a record's timestamp may lie in the past."),
    string("message.timestamp.type", "CreateTime").one_of(&["CreateTime", "LogAppendTime"]).since("0.10.0").honoured()
        .doc("Whether records bear the producer's time (CreateTime) or the broker's (LogAppendTime)."),
    double("min.cleanable.dirty.ratio", "0.5").allow(Allowed::Fraction(1.0)).since("0.8.1").honoured()
        .doc("Share of uncompacted bytes from which the log is compacted."),
    long("min.compaction.lag.ms", "0").at_least(0).since("0.10.1").honoured()
        .doc("Shortest time a record stays uncompacted."),
    int("min.insync.replicas", "1").at_least(1).since("0.8.2").honoured()
        .doc("Replicas that must have a record before acks=all is answered."),
    boolean("preallocate", "false").since("0.9.0")
        .doc("Whether new segments get their full size on disk at once."),
    long("remote.copy.lag.bytes", "-1").at_least(-1).since("4.4")
        .doc("Bytes that may wait before they are copied to remote storage; -1 ties it to local retention."),
    long("remote.copy.lag.ms", "0").at_least(-1).since("4.4")
        .doc("How long records may wait before they are copied to remote storage; -1 ties it to local retention."),
    boolean("remote.log.copy.disable", "false").since("3.9")
        .doc("Stops copying to remote storage; what is there stays readable."),
    boolean("remote.log.delete.on.disable", "false").since("3.9")
        .doc("Whether turning remote storage off deletes what is there."),
    boolean("remote.storage.enable", "false").since("3.0")
        .doc("Whether old segments go to remote storage."),
    long("retention.bytes", "-1").since("0.8.1").honoured()
        .doc("Bytes that one partition keeps before its oldest segments go; -1 for no bound."),
    long("retention.ms", "604800000").at_least(-1).since("0.8.1").honoured()
        .doc("How long records are kept; -1 forever."),
    int("segment.bytes", "1073741824").at_least(1048576).since("0.8.1").honoured()
        .doc("Size at which a new segment begins."),
    int("segment.index.bytes", "10485760").at_least(4).since("0.8.1").honoured()
        .doc("Largest offset index of a segment."),
    long("segment.jitter.ms", "0").at_least(0).since("0.8.2").honoured()
        .doc("Random part taken off the age of segments, so that not all roll at once."),
    long("segment.ms", "604800000").at_least(1).since("0.8.1").honoured()
        .doc("Age at which a new segment begins, even if the old one is not full."),
    boolean("unclean.leader.election.enable", "false").since("0.8.2")
        .doc("Whether a replica that lacks records may become leader when no other lives, which loses them."),
];

/// The broker's names for each topic key, the finest unit first, with the factor that turns the broker's
/// unit into the topic's. Keys that are not here exist on topics only.
#[rustfmt::skip]
const BROKER_NAMES: &[(&str, &[(&str, i64)])] = &[
    ("cleanup.policy", &[("log.cleanup.policy", 1)]),
    ("compression.gzip.level", &[("compression.gzip.level", 1)]),
    ("compression.lz4.level", &[("compression.lz4.level", 1)]),
    ("compression.type", &[("compression.type", 1)]),
    ("compression.zstd.level", &[("compression.zstd.level", 1)]),
    ("delete.retention.ms", &[("log.cleaner.delete.retention.ms", 1)]),
    ("file.delete.delay.ms", &[("log.segment.delete.delay.ms", 1)]),
    ("flush.messages", &[("log.flush.interval.messages", 1)]),
    ("flush.ms", &[("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)]),
    ("index.interval.bytes", &[("log.index.interval.bytes", 1)]),
    ("local.retention.bytes", &[("log.local.retention.bytes", 1)]),
    ("local.retention.ms", &[("log.local.retention.ms", 1)]),
    ("max.compaction.lag.ms", &[("log.cleaner.max.compaction.lag.ms", 1)]),
    ("max.decompressed.message.bytes", &[("max.decompressed.message.bytes", 1)]),
    ("max.message.bytes", &[("message.max.bytes", 1)]),
    ("message.timestamp.after.max.ms", &[("log.message.timestamp.after.max.ms", 1)]),
    ("message.timestamp.before.max.ms", &[("log.message.timestamp.before.max.ms", 1)]),
    ("message.timestamp.type", &[("log.message.timestamp.type", 1)]),
    ("min.cleanable.dirty.ratio", &[("log.cleaner.min.cleanable.ratio", 1)]),
    ("min.compaction.lag.ms", &[("log.cleaner.min.compaction.lag.ms", 1)]),
    ("min.insync.replicas", &[("min.insync.replicas", 1)]),
    ("preallocate", &[("log.preallocate", 1)]),
    ("remote.copy.lag.bytes", &[("log.remote.copy.lag.bytes", 1)]),
    ("remote.copy.lag.ms", &[("log.remote.copy.lag.ms", 1)]),
    ("retention.bytes", &[("log.retention.bytes", 1)]),
    ("retention.ms", &[("log.retention.ms", 1), ("log.retention.minutes", 60_000), ("log.retention.hours", 3_600_000)]),
    ("segment.bytes", &[("log.segment.bytes", 1)]),
    ("segment.index.bytes", &[("log.index.size.max.bytes", 1)]),
    ("segment.jitter.ms", &[("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", 3_600_000)]),
    ("segment.ms", &[("log.roll.ms", 1), ("log.roll.hours", 3_600_000)]),
    ("unclean.leader.election.enable", &[("unclean.leader.election.enable", 1)]),
];

/// The broker's names for a topic key; empty for a key that exists on topics only.
pub fn broker_names(topic_key: &str) -> &'static [(&'static str, i64)] {
    BROKER_NAMES.iter().find(|(name, _)| *name == topic_key).map_or(&[], |(_, names)| names)
}
