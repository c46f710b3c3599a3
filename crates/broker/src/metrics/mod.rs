//! What the broker counts, and its text form for Prometheus.
//!
//! Names are those that dashboards made for Kafka's JMX exporter ask for (`kafka_<domain>_<type>_<name>`). The
//! hot path only adds to atomics it already holds; everything else is gathered when somebody asks.

pub mod cleaner;
mod coordinators;
pub mod corruption;
pub mod exposition;
pub mod groups;
pub mod histogram;
pub mod request;
pub mod text;
pub mod topic;
pub mod transactions;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::net::Close;
use crate::net::close::KINDS;

pub use cleaner::CleanerMetrics;
pub use corruption::Corruption;
pub use groups::GroupMetrics;
pub use request::RequestMetrics;
pub use topic::{TopicMetrics, Topics};
pub use transactions::TransactionMetrics;

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Everything the broker counts as it goes.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Requests, by API.
    pub requests: RequestMetrics,
    /// Records and bytes, by topic.
    pub topics: Topics,
    /// The connections there are.
    pub connections: Connections,
    /// Connections that this side ended, by reason.
    pub closes: Closes,
    /// Groups and offsets.
    pub groups: GroupMetrics,
    /// Transactions.
    pub transactions: TransactionMetrics,
    /// Compaction.
    pub cleaner: CleanerMetrics,
    /// Batches that were found corrupt.
    pub corruption: Corruption,
}

/// Connections ended, by reason.
#[derive(Debug, Default)]
pub struct Closes([Counter; KINDS.len()]);

impl Closes {
    /// Notes one.
    pub fn note(&self, close: &Close) {
        self.0[close.index()].add(1);
    }

    /// Each reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        KINDS.iter().zip(&self.0).map(|(kind, count)| (*kind, count.get()))
    }
}

/// Open connections by listener, and how many there have been.
#[derive(Debug, Default)]
pub struct Connections {
    accepted: Counter,
    open: Mutex<BTreeMap<Arc<str>, usize>>,
}

impl Connections {
    /// One more through this listener.
    pub fn opened(&self, listener: &Arc<str>) {
        self.accepted.add(1);
        *self.lock().entry(listener.clone()).or_default() += 1;
    }

    /// One less through this listener.
    pub fn ended(&self, listener: &Arc<str>) {
        if let Some(count) = self.lock().get_mut(listener) {
            *count = count.saturating_sub(1);
        }
    }

    /// How many were ever accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.get()
    }

    /// How many are open, by listener.
    pub fn by_listener(&self) -> BTreeMap<Arc<str>, usize> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, usize>> {
        self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
