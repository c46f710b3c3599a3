//! Keys of a client metrics subscription (KIP-714).

use crate::config::key::{Key, int, list};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    int("interval.ms", "300000").since("3.7")
        .doc("How often clients push metrics, between 100 ms and one hour."),
    list("match", "").list().since("3.7")
        .doc("Which clients push, as name=pattern entries; empty for all."),
    list("metrics", "").list().since("3.7")
        .doc("Prefixes of the metrics to push; * for all, empty for none."),
];
