//! Keys of tiered storage (KIP-405).

use super::NO_JAVA;
use crate::config::key::{Allowed, Key, Type, boolean, double, int, long, string};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    boolean("follower.fetch.last.tiered.offset.enable", "false").cluster_wide().since("4.3")
        .doc("Whether a new follower starts at the first offset that is not in remote storage yet."),
    long("log.local.retention.bytes", "-2").at_least(-2).cluster_wide().since("3.6")
        .doc("Bytes of a tiered partition that stay on local disks; -2 means as many as log.retention.bytes."),
    long("log.local.retention.ms", "-2").at_least(-2).cluster_wide().since("3.6")
        .doc("How long records of a tiered partition stay on local disks; -2 means as long as log.retention.ms."),
    long("log.remote.copy.lag.bytes", "-1").at_least(-1).cluster_wide().since("4.4")
        .doc("Bytes that may wait before they are copied to remote storage; -1 ties it to local retention."),
    long("log.remote.copy.lag.ms", "0").at_least(-1).cluster_wide().since("4.4")
        .doc("How long records may wait before they are copied to remote storage; -1 ties it to local retention."),
    int("remote.fetch.max.wait.ms", "500").at_least(1).cluster_wide().since("3.8")
        .doc("Longest wait for data from remote storage in a fetch."),
    long("remote.list.offsets.request.timeout.ms", "30000").at_least(1).cluster_wide().since("4.0")
        .doc("Longest wait for remote storage when offsets are looked up."),
    long("remote.log.index.file.cache.total.size.bytes", "1073741824").at_least(1).low().cluster_wide().since("3.0")
        .doc("Bytes of remote segments' indexes kept on local disk."),
    long("remote.log.index.file.cache.ttl.ms", "900000").at_least(-1).low().internal().since("4.3")
        .doc("How long an unused index of a remote segment is kept on local disk."),
    int("remote.log.manager.copier.thread.pool.size", "10").at_least(1).cluster_wide().since("3.8")
        .doc("Threads that copy segments to remote storage."),
    long("remote.log.manager.copy.max.bytes.per.second", "9223372036854775807").at_least(1).cluster_wide().since("3.8")
        .doc("Most bytes a second copied to remote storage."),
    int("remote.log.manager.copy.quota.window.num", "11").at_least(1).since("3.8")
        .doc("Number of samples kept to measure copying to remote storage."),
    int("remote.log.manager.copy.quota.window.size.seconds", "1").at_least(1).since("3.8")
        .doc("Length of one sample of copying to remote storage."),
    int("remote.log.manager.expiration.thread.pool.size", "10").at_least(1).cluster_wide().since("3.8")
        .doc("Threads that remove expired segments from remote storage."),
    long("remote.log.manager.fetch.max.bytes.per.second", "9223372036854775807").at_least(1).cluster_wide().since("3.8")
        .doc("Most bytes a second read from remote storage."),
    int("remote.log.manager.fetch.quota.window.num", "11").at_least(1).since("3.8")
        .doc("Number of samples kept to measure reading from remote storage."),
    int("remote.log.manager.fetch.quota.window.size.seconds", "1").at_least(1).since("3.8")
        .doc("Length of one sample of reading from remote storage."),
    int("remote.log.manager.follower.thread.pool.size", "2").at_least(1).cluster_wide().since("4.2")
        .doc("Threads of followers that keep up with what is in remote storage."),
    long("remote.log.manager.task.interval.ms", "30000").at_least(1).low().since("3.0")
        .doc("How often copying to and expiring from remote storage is looked at."),
    long("remote.log.manager.task.retry.backoff.max.ms", "30000").at_least(1).low().internal().since("3.0")
        .doc("Longest pause before a failed copy to remote storage is tried again."),
    long("remote.log.manager.task.retry.backoff.ms", "500").at_least(1).low().internal().since("3.0")
        .doc("First pause before a failed copy to remote storage is tried again."),
    double("remote.log.manager.task.retry.jitter", "0.2").allow(Allowed::Fraction(0.5)).low().internal().since("3.0")
        .doc("Random part of that pause."),
    int("remote.log.manager.thread.pool.size", "2").at_least(1).since("3.0")
        .doc("Threads that plan the work on remote storage."),
    int("remote.log.metadata.custom.metadata.max.bytes", "128").at_least(0).low().since("3.6")
        .doc("Most bytes that a storage plug-in may note about one segment."),
    string("remote.log.metadata.manager.class.name", "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager").allow(Allowed::NonEmpty).since("3.0")
        .doc("Implementation that keeps the list of remote segments."),
    Key::unset(Type::String, "remote.log.metadata.manager.class.path").since("3.0").without_effect(NO_JAVA)
        .doc("Class path of that implementation."),
    string("remote.log.metadata.manager.impl.prefix", "rlmm.config.").allow(Allowed::NonEmpty).since("3.0")
        .doc("Prefix of the settings meant for that implementation."),
    Key::unset(Type::String, "remote.log.metadata.manager.listener.name").allow(Allowed::NonEmpty).since("3.0")
        .doc("Listener through which that implementation reaches the brokers."),
    int("remote.log.reader.max.pending.tasks", "100").at_least(1).since("3.0")
        .doc("Most reads of remote storage that may wait."),
    int("remote.log.reader.threads", "10").at_least(1).cluster_wide().since("3.0")
        .doc("Threads that read from remote storage."),
    Key::unset(Type::String, "remote.log.storage.manager.class.name").allow(Allowed::NonEmpty).since("3.0")
        .doc("Implementation that stores segments remotely."),
    Key::unset(Type::String, "remote.log.storage.manager.class.path").since("3.0").without_effect(NO_JAVA)
        .doc("Class path of that implementation."),
    string("remote.log.storage.manager.impl.prefix", "rsm.config.").allow(Allowed::NonEmpty).since("3.0")
        .doc("Prefix of the settings meant for that implementation."),
    boolean("remote.log.storage.system.enable", "false").since("3.0")
        .doc("Whether topics may keep old segments in remote storage."),
];
