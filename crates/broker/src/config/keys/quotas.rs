//! Keys of quotas.

use super::NO_JAVA;
use crate::config::key::{Key, Type, int};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    int("alter.log.dirs.replication.quota.window.num", "11").at_least(1).low().since("1.1")
        .doc("Number of samples kept to measure the throttle of moves between log directories."),
    int("alter.log.dirs.replication.quota.window.size.seconds", "1").at_least(1).low().since("1.1")
        .doc("Length of one sample of the throttle of moves between log directories."),
    Key::unset(Type::Class, "client.quota.callback.class").low().since("2.0").without_effect(NO_JAVA)
        .doc("Java class that decides client quotas."),
    int("controller.quota.window.num", "11").at_least(1).low().since("2.7")
        .doc("Number of samples kept to measure the quota on topic creation and deletion."),
    int("controller.quota.window.size.seconds", "1").at_least(1).low().since("2.7")
        .doc("Length of one sample of the quota on topic creation and deletion."),
    Key::unset(Type::Long, "follower.replication.throttled.rate").at_least(0).cluster_wide().internal().since("0.10.1")
        .doc("Most bytes a second that this broker fetches for throttled replicas."),
    Key::unset(Type::Long, "leader.replication.throttled.rate").at_least(0).cluster_wide().internal().since("0.10.1")
        .doc("Most bytes a second that this broker serves to throttled replicas of others."),
    int("quota.window.num", "11").at_least(1).low().since("0.9.0")
        .doc("Number of samples kept to measure client quotas."),
    int("quota.window.size.seconds", "1").at_least(1).low().since("0.9.0")
        .doc("Length of one sample of client quotas."),
    Key::unset(Type::Long, "replica.alter.log.dirs.io.max.bytes.per.second").at_least(0).cluster_wide().internal().since("1.1").honoured()
        .doc("Most bytes a second that moves between log directories may take."),
    int("replication.quota.window.num", "11").at_least(1).low().since("0.10.1")
        .doc("Number of samples kept to measure the replication throttle."),
    int("replication.quota.window.size.seconds", "1").at_least(1).low().since("0.10.1")
        .doc("Length of one sample of the replication throttle."),
];
