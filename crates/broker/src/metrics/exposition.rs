//! Everything there is to tell, gathered when Prometheus asks.

use crate::Broker;

/// The text of `/metrics`.
pub fn text(_: &Broker) -> String {
    String::new()
}
