//! Keys of transactions.

use crate::config::key::{Key, boolean, int, short};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    int("add.partitions.to.txn.retry.backoff.max.ms", "100").at_least(0).high().since("4.0").honoured()
        .doc("Longest time the broker keeps retrying, on the client's behalf, to add a partition to a transaction while the previous one is completing."),
    int("add.partitions.to.txn.retry.backoff.ms", "20").at_least(1).high().since("4.0").honoured()
        .doc("Pause between two such retries to add a partition to a transaction."),
    int("transaction.abort.timed.out.transaction.cleanup.interval.ms", "10000").at_least(1).low().since("0.11.0").honoured()
        .doc("How often transactions that ran out of time are aborted."),
    int("transaction.max.timeout.ms", "900000").at_least(1).high().since("0.11.0").honoured()
        .doc("Longest timeout that a transaction may ask for."),
    boolean("transaction.partition.verification.enable", "true").low().cluster_wide().since("3.6").honoured()
        .doc("Whether a partition asks the coordinator if a transaction is open before it takes its first record."),
    int("transaction.remove.expired.transaction.cleanup.interval.ms", "3600000").at_least(1).low().since("0.11.0").honoured()
        .doc("How often unused transactional ids are swept out."),
    int("transaction.state.log.load.buffer.size", "5242880").at_least(1).high().since("0.11.0").honoured()
        .doc("Bytes read at a time when transactions are loaded."),
    int("transaction.state.log.min.isr", "2").at_least(1).high().since("0.11.0").honoured()
        .doc("min.insync.replicas of the transaction topic."),
    int("transaction.state.log.num.partitions", "50").at_least(1).high().since("0.11.0").honoured()
        .doc("Partitions of the transaction topic. Not to be changed once it exists."),
    short("transaction.state.log.replication.factor", "3").at_least(1).high().since("0.11.0").honoured()
        .doc("Replicas of the transaction topic."),
    int("transaction.state.log.segment.bytes", "104857600").at_least(1).high().since("0.11.0").honoured()
        .doc("Segment size of the transaction topic. Small segments load faster."),
    boolean("transaction.two.phase.commit.enable", "false").low().since("4.1").honoured()
        .doc("Whether a transaction may be prepared and left open for an outside coordinator."),
    int("transactional.id.expiration.ms", "604800000").at_least(1).high().since("0.11.0").honoured()
        .doc("How long an unused transactional id is remembered."),
];
