//! Keys of logs: directories, segments, retention, flushing, compaction, compression.

use crate::config::key::{Allowed, Key, Type, boolean, double, int, list, long, string};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    int("compression.gzip.level", "-1").allow(Allowed::GzipLevel).cluster_wide().since("3.8").honoured()
        .doc("Level for topics with compression.type=gzip: 1 (fast) to 9 (small), -1 for the codec's own."),
    int("compression.lz4.level", "9").between(1, 17).cluster_wide().since("3.8").without_effect("the LZ4 here has one level")
        .doc("Level for topics with compression.type=lz4: 1 (fast) to 17 (small)."),
    string("compression.type", "producer").one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]).high().cluster_wide().since("0.8.2").honoured()
        .doc("How batches are stored: producer keeps them as they came, any other value recompresses."),
    int("compression.zstd.level", "3").between(-131_072, 22).cluster_wide().since("3.8").honoured()
        .doc("Level for topics with compression.type=zstd, up to 22; negative levels trade size for speed."),
    list("cordoned.log.dirs", "").list().per_broker().since("4.3").honoured()
        .doc("Log directories that take no new partitions; * for all."),
    long("log.cleaner.backoff.ms", "15000").at_least(0).cluster_wide().since("0.8.1").honoured()
        .doc("How long compaction rests when there is nothing to compact."),
    long("log.cleaner.dedupe.buffer.size", "134217728").cluster_wide().since("0.8.1").honoured()
        .doc("Memory for the key maps of all compaction threads together."),
    long("log.cleaner.delete.retention.ms", "86400000").at_least(0).cluster_wide().since("0.8.1").honoured()
        .doc("How long tombstones survive compaction; topics set delete.retention.ms."),
    boolean("log.cleaner.enable", "true").since("0.8.1").honoured()
        .doc("Whether logs are compacted. Without it compacted topics, group offsets among them, grow without end."),
    double("log.cleaner.io.buffer.load.factor", "0.9").cluster_wide().since("0.8.1").honoured()
        .doc("How full a key map of compaction may get."),
    int("log.cleaner.io.buffer.size", "524288").at_least(0).cluster_wide().since("0.8.1").honoured()
        .doc("Memory for the read and write buffers of all compaction threads together."),
    double("log.cleaner.io.max.bytes.per.second", "1.7976931348623157E308").cluster_wide().since("0.8.1").honoured()
        .doc("Most bytes a second that compaction reads and writes."),
    long("log.cleaner.max.compaction.lag.ms", "9223372036854775807").at_least(1).cluster_wide().since("2.3").honoured()
        .doc("Longest time a record stays out of compaction's reach; topics set max.compaction.lag.ms."),
    double("log.cleaner.min.cleanable.ratio", "0.5").allow(Allowed::Fraction(1.0)).cluster_wide().since("0.8.1").honoured()
        .doc("Share of uncompacted bytes from which a log is compacted; topics set min.cleanable.dirty.ratio."),
    long("log.cleaner.min.compaction.lag.ms", "0").at_least(0).cluster_wide().since("0.10.1").honoured()
        .doc("Shortest time a record stays uncompacted; topics set min.compaction.lag.ms."),
    int("log.cleaner.threads", "1").at_least(0).cluster_wide().since("0.8.1").honoured()
        .doc("Threads that compact logs."),
    list("log.cleanup.policy", "delete").allow(Allowed::List { of: &["compact", "delete"], empty: true }).cluster_wide().since("0.8.1").honoured()
        .doc("What happens to old records: delete, compact, both, or, as an empty list, nothing; topics set cleanup.policy."),
    list("log.dir", "/tmp/kafka-logs").filled_list().high().since("0.8.0").honoured()
        .doc("Where logs are kept, when log.dirs is not set."),
    long("log.dir.failure.timeout.ms", "30000").at_least(1).low().since("3.8")
        .doc("How long a broker may fail to report a broken log directory before it stops."),
    Key::unset(Type::List, "log.dirs").filled_list().high().since("0.8.0").honoured()
        .doc("Directories where logs are kept, usually one per disk. New partitions go to the one with the fewest."),
    long("log.flush.interval.messages", "9223372036854775807").at_least(1).high().cluster_wide().since("0.8.0").honoured()
        .doc("Records of a partition after which they are put on stable storage; topics set flush.messages."),
    Key::unset(Type::Long, "log.flush.interval.ms").high().cluster_wide().since("0.8.0").honoured()
        .doc("Longest time records stay off stable storage; topics set flush.ms."),
    int("log.flush.offset.checkpoint.interval.ms", "60000").at_least(0).high().since("0.8.1").honoured()
        .doc("How often the point from which recovery reads is written down."),
    long("log.flush.scheduler.interval.ms", "9223372036854775807").high().since("0.8.0").honoured()
        .doc("How often it is checked whether a log is due for stable storage, and the value of log.flush.interval.ms if that is not set."),
    int("log.flush.start.offset.checkpoint.interval.ms", "60000").at_least(0).high().since("0.11.0").honoured()
        .doc("How often the first offset of each log is written down."),
    int("log.index.interval.bytes", "4096").at_least(0).cluster_wide().since("0.8.0").honoured()
        .doc("Bytes of records between two entries of an offset index; topics set index.interval.bytes."),
    int("log.index.size.max.bytes", "10485760").at_least(4).cluster_wide().since("0.8.0").honoured()
        .doc("Largest offset index of a segment; topics set segment.index.bytes."),
    long("log.initial.task.delay.ms", "30000").at_least(0).low().internal().since("3.8").honoured()
        .doc("How long after start the first round of retention, flushing and checkpoints comes."),
    long("log.message.timestamp.after.max.ms", "3600000").at_least(0).cluster_wide().since("3.6").honoured()
        .doc("How far a record's timestamp may lie in the future; topics set message.timestamp.after.max.ms."),
    long("log.message.timestamp.before.max.ms", "9223372036854775807").at_least(0).cluster_wide().since("3.6").honoured()
        .doc("How far a record's timestamp may lie in the past; topics set message.timestamp.before.max.ms."),
    string("log.message.timestamp.type", "CreateTime").one_of(&["CreateTime", "LogAppendTime"]).cluster_wide().since("0.10.0").honoured()
        .doc("Whether records bear the producer's time (CreateTime) or the broker's (LogAppendTime); topics set message.timestamp.type."),
    boolean("log.preallocate", "false").cluster_wide().since("0.9.0")
        .doc("Whether new segments get their full size on disk at once; topics set preallocate."),
    long("log.retention.bytes", "-1").high().cluster_wide().since("0.8.0").honoured()
        .doc("Bytes that a partition keeps before its oldest segments go; -1 for no bound. Topics set retention.bytes."),
    long("log.retention.check.interval.ms", "300000").at_least(1).since("0.8.1").honoured()
        .doc("How often logs are checked for segments that may go."),
    int("log.retention.hours", "168").high().since("0.8.0").honoured()
        .doc("How long records are kept, in hours. log.retention.minutes and log.retention.ms come before it."),
    Key::unset(Type::Int, "log.retention.minutes").high().since("0.8.1").honoured()
        .doc("How long records are kept, in minutes. log.retention.ms comes before it."),
    Key::unset(Type::Long, "log.retention.ms").high().cluster_wide().since("0.8.2").honoured()
        .doc("How long records are kept; -1 forever. Topics set retention.ms."),
    int("log.roll.hours", "168").at_least(1).high().since("0.8.0").honoured()
        .doc("Age at which a new segment begins, in hours. log.roll.ms comes before it."),
    int("log.roll.jitter.hours", "0").at_least(0).high().since("0.8.2").honoured()
        .doc("Random part taken off the age of segments, in hours. log.roll.jitter.ms comes before it."),
    Key::unset(Type::Long, "log.roll.jitter.ms").high().cluster_wide().since("0.8.2").honoured()
        .doc("Random part taken off the age of segments, so that not all roll at once; topics set segment.jitter.ms."),
    Key::unset(Type::Long, "log.roll.ms").high().cluster_wide().since("0.8.2").honoured()
        .doc("Age at which a new segment begins, even if the old one is not full; topics set segment.ms."),
    int("log.segment.bytes", "1073741824").at_least(1048576).high().cluster_wide().since("0.8.0").honoured()
        .doc("Size at which a new segment begins; topics set segment.bytes."),
    long("log.segment.delete.delay.ms", "60000").at_least(0).high().cluster_wide().since("0.8.1").honoured()
        .doc("How long a removed file keeps its bytes under another name; topics set file.delete.delay.ms."),
    int("max.decompressed.message.bytes", "2147483639").between(1, 2_147_483_639).cluster_wide().since("4.4").honoured()
        .doc("Largest record that may come out of a compressed batch; topics set max.decompressed.message.bytes."),
    int("message.max.bytes", "1048588").at_least(0).high().cluster_wide().since("0.8.0").honoured()
        .doc("Largest batch that is accepted; topics set max.message.bytes."),
    int("min.insync.replicas", "1").at_least(1).high().cluster_wide().since("0.8.2").honoured()
        .doc("Replicas that must have a record before acks=all is answered; topics set min.insync.replicas."),
    int("num.recovery.threads.per.data.dir", "2").at_least(1).high().cluster_wide().since("0.8.2").honoured()
        .doc("Threads per log directory that check logs after a crash and close them at shutdown."),
    int("producer.id.expiration.check.interval.ms", "600000").at_least(1).low().internal().since("3.4").honoured()
        .doc("How often idle producers are swept out."),
    int("producer.id.expiration.ms", "86400000").at_least(1).low().cluster_wide().since("3.4").honoured()
        .doc("How long a partition remembers an idempotent producer that writes nothing."),
    boolean("unclean.leader.election.enable", "false").high().cluster_wide().since("0.8.2")
        .doc("Whether a replica that lacks records may become leader when no other lives, which loses them; topics set unclean.leader.election.enable."),
    long("unclean.leader.election.interval.ms", "300000").at_least(1).internal().since("3.9")
        .doc("How often partitions without a leader are checked for an unclean election."),
];
