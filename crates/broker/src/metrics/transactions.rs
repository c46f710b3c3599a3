//! What is counted of transactions, under the names of Kafka's `AddPartitionsToTxnManager`,
//! `TransactionMarkerChannelManager` and `transaction-coordinator-metrics`; and what these do not tell, how many transactions have
//! run out of time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use coordinator::transaction::{TransactionShard, TransactionState};
use protocol::id::PartitionIndex;

use super::Counter;
use super::text::{Kind, Text};
use crate::Broker;

/// Counts of the transaction coordinator and of who asks it.
#[derive(Debug, Default)]
pub struct TransactionMetrics {
    /// How often the coordinator was asked whether a transaction includes partitions.
    pub verifications: Counter,
    /// How long that took in all.
    pub verification_micros: Counter,
    /// The partitions of which it did not say so.
    pub verification_failures: Counter,
    /// What was last seen of each shard: one that somebody has in hand is not waited for.
    seen: Mutex<BTreeMap<PartitionIndex, [usize; TransactionState::ALL.len()]>>,
}

/// Adds the metrics of transactions.
pub fn text(broker: &Broker, text: &mut Text) {
    let asked = &broker.metrics.transactions;
    let prefix = "kafka_server_addpartitionstotxnmanager_verification";
    let name = format!("{prefix}timems_count");
    text.metric(&name, Kind::Counter, "Questions to transaction coordinators.");
    text.sample(&name, &[], asked.verifications.get());
    let name = format!("{prefix}timems_sum");
    text.metric(&name, Kind::Counter, "How long they took, in milliseconds.");
    text.sample(&name, &[], asked.verification_micros.get() / 1000);
    let name = format!("{prefix}failure_total");
    text.metric(&name, Kind::Counter, "Partitions that were not confirmed.");
    text.sample(&name, &[], asked.verification_failures.get());

    let census = broker.coordinators.transactions.census(TransactionShard::counts);
    let led = census.active.len();
    let mut known = asked.seen.lock().unwrap_or_else(PoisonError::into_inner);
    let mut before = std::mem::take(&mut *known);
    let active = census.active.into_iter();
    *known =
        active.filter_map(|(index, seen)| Some((index, seen.or_else(|| before.remove(&index))?))).collect();
    let shards: Vec<_> = known.values().copied().collect();
    drop(known);
    let name = "kafka_server_transaction_coordinator_metrics_transactional_id_count";
    text.metric(name, Kind::Gauge, "Transactional ids coordinated here, by the state of their transaction.");
    for (at, state) in TransactionState::ALL.iter().enumerate() {
        let count: usize = shards.iter().map(|counts| counts[at]).sum();
        text.sample(name, &[("state", state.name())], count);
    }
    let name = "kafka_server_transaction_coordinator_metrics_num_partitions";
    text.metric(name, Kind::Gauge, "Partitions of the transaction topic that are led here.");
    let counts = [("active", led), ("loading", census.loading), ("failed", census.failed)];
    for (state, count) in counts {
        text.sample(name, &[("state", state)], count);
    }
    let figures = broker.coordinators.transactions.figures();
    let name = "headwater_transactions_timed_out_total";
    text.metric(
        name,
        Kind::Counter,
        "Transactions aborted for want of time: their producers are told that they are fenced, though nobody came after them.",
    );
    text.sample(name, &[], figures.transactions_timed_out.get());
    super::coordinators::text(figures, "kafka_server_transaction_coordinator_metrics_", text);
    let name = "kafka_coordinator_transaction_transactionmarkerchannelmanager_logappendretryqueuesize";
    text.metric(
        name,
        Kind::Gauge,
        "Transactions whose end is not written everywhere yet and is tried again.",
    );
    text.sample(name, &[], broker.coordinators.endings_left());
}
