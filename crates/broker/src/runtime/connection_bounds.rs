//! The bounds on connections as the configuration has them, at start and after each dynamic change.
//!
//! Called when a node starts and by the thread that applies metadata, which must not wait: a bound for a host name
//! is looked up by a thread of its own. Connections over a lowered bound stay; only new ones are refused.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use crate::config::NodeConfig;
use crate::net::limits::{ConnectionBounds, ConnectionCounts};

/// The bounds of a configuration.
///
/// # Errors
/// A sentence about a host that has no address.
pub fn bounds(config: &NodeConfig) -> Result<ConnectionBounds, String> {
    let network = &config.network;
    let mut per_address_overrides = HashMap::new();
    for (host, most) in &network.connections_per_ip_overrides {
        if let Ok(address) = host.parse::<IpAddr>() {
            per_address_overrides.insert(address.to_canonical(), *most);
            continue;
        }
        let resolved = (host.as_str(), 0).to_socket_addrs().map_err(|error| {
            format!("max.connections.per.ip.overrides names {host}, which has no address: {error}")
        })?;
        per_address_overrides.extend(resolved.map(|address| (address.ip().to_canonical(), *most)));
    }
    let listeners = config.listeners.broker.iter().chain(&config.listeners.controller);
    let of_listener =
        |name: &str| network.connections_max_by_listener.get(name).copied().unwrap_or(usize::MAX);
    Ok(ConnectionBounds {
        total: network.connections_max,
        per_address: network.connections_per_ip_max,
        per_address_overrides,
        by_listener: listeners
            .map(|endpoint| (endpoint.listener.as_str().into(), of_listener(&endpoint.listener)))
            .collect(),
    })
}

/// Puts the bounds of another configuration in force.
pub fn change(counts: &Arc<ConnectionCounts>, config: &Arc<NodeConfig>) {
    let named =
        config.network.connections_per_ip_overrides.keys().any(|host| host.parse::<IpAddr>().is_err());
    let (counts, config) = (Arc::clone(counts), Arc::clone(config));
    let put = move || match bounds(&config) {
        Ok(bounds) => counts.set_bounds(bounds),
        Err(reason) => tracing::error!(reason, "the bounds on connections stay as they were"),
    };
    if !named {
        return put();
    }
    if let Err(error) = std::thread::Builder::new().name("host-names".to_owned()).spawn(put) {
        tracing::error!(%error, "the bounds on connections stay as they were: no thread to look hosts up");
    }
}
