//! What every kind of coordinator tells of its work, under the names of Kafka's coordinator runtime.
//!
//! Kafka's event queue is here whoever waits for a shard. Its rates are counts from which Prometheus takes rates; maxima
//! and averages are since the start of the broker, not of the last half minute.

use super::histogram::Histogram;
use super::text::{Kind, Text};
use crate::runtime::coordinators::Figures;

/// Parts of all times, by the names of Kafka's metrics.
const PARTS: [(&str, f64); 4] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)];

/// Adds them, their names behind `prefix`.
pub(super) fn text(figures: &Figures, prefix: &str, text: &mut Text) {
    let loads = &figures.loads;
    let average = if loads.count() == 0 { 0.0 } else { loads.total_ms() / loads.count() as f64 };
    for (name, help, value) in [
        ("partition_load_time_max", "Longest load of a partition, in milliseconds.", loads.max_ms()),
        ("partition_load_time_avg", "Average load of a partition, in milliseconds.", average),
    ] {
        let name = format!("{prefix}{name}");
        text.metric(&name, Kind::Gauge, help);
        text.sample(&name, &[], value);
    }
    let name = format!("{prefix}event_queue_size");
    text.metric(&name, Kind::Gauge, "Requests that wait for a shard.");
    text.sample(&name, &[], figures.waiting());
    for (what, help, times) in [
        ("event_queue_time_ms", "How long requests waited for a shard", &figures.queued),
        (
            "event_processing_time_ms",
            "How long requests had a shard, and those that waited for nothing were under way",
            &figures.processed,
        ),
        ("batch_flush_time_ms", "How long writing records took", &figures.flushed),
    ] {
        quantiles(&format!("{prefix}{what}"), help, times, text);
    }
}

fn quantiles(name: &str, help: &str, times: &Histogram, text: &mut Text) {
    let longest = ("max", times.max_ms());
    let parts = PARTS.map(|(part, share)| (part, times.quantile_ms(share)));
    for (part, value) in [longest].into_iter().chain(parts) {
        let name = format!("{name}_{part}");
        text.metric(&name, Kind::Gauge, &format!("{help}, {part}."));
        text.sample(&name, &[], value);
    }
}
