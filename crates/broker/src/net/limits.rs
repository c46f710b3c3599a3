//! How many connections there may be: in all, for a listener, for an address.
//!
//! As in Kafka, a listener at its bound or at the bound of the broker stops accepting until one ends (the others
//! wait in the backlog), while a connection over the bound of its address is closed at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

/// The bounds, from the configuration.
#[derive(Debug, Clone)]
pub struct ConnectionBounds {
    /// `max.connections`.
    pub total: usize,
    /// `max.connections.per.ip`.
    pub per_address: usize,
    /// `max.connections.per.ip.overrides`, host names resolved.
    pub per_address_overrides: HashMap<IpAddr, usize>,
    /// `listener.name.<name>.max.connections`; a listener that is not here keeps the bound it was started with.
    pub by_listener: HashMap<Arc<str>, usize>,
}

impl Default for ConnectionBounds {
    fn default() -> Self {
        Self {
            total: usize::MAX,
            per_address: usize::MAX,
            per_address_overrides: HashMap::new(),
            by_listener: HashMap::new(),
        }
    }
}

/// The connections there are.
#[derive(Debug)]
pub struct ConnectionCounts {
    counts: Mutex<Counts>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    bounds: ConnectionBounds,
    total: usize,
    by_address: HashMap<IpAddr, usize>,
    by_listener: HashMap<Arc<str>, usize>,
}

/// A listener's part of the bounds.
#[derive(Debug, Clone)]
pub struct ListenerBound {
    /// The listener's name.
    pub listener: Arc<str>,
    /// `listener.name.<name>.max.connections`.
    pub connections_max: usize,
}

/// The place of one connection; given back when dropped.
#[derive(Debug)]
pub struct Slot {
    counts: Arc<ConnectionCounts>,
    listener: Arc<str>,
    address: IpAddr,
}

/// An address that has all the connections it may have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{address} has {connections_max} connections, all that max.connections.per.ip allows it")]
pub struct AddressFull {
    /// The address.
    pub address: IpAddr,
    /// Its bound.
    pub connections_max: usize,
}

impl ConnectionCounts {
    /// No connections yet.
    pub fn new(bounds: ConnectionBounds) -> Self {
        Self { counts: Mutex::new(Counts { bounds, ..Counts::default() }), freed: Notify::new() }
    }

    /// Puts other bounds in force. Connections that are over them stay.
    pub fn set_bounds(&self, bounds: ConnectionBounds) {
        self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).bounds = bounds;
        self.freed.notify_waiters();
    }

    /// Waits until the listener may have one more connection.
    pub async fn room(&self, bound: &ListenerBound) {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.has_room(bound) {
                return;
            }
            freed.await;
        }
    }

    /// Waits until any connection ends.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    fn has_room(&self, bound: &ListenerBound) -> bool {
        let counts = self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let of_listener = counts.by_listener.get(&bound.listener).copied().unwrap_or(0);
        let of_listener_max =
            counts.bounds.by_listener.get(&bound.listener).copied().unwrap_or(bound.connections_max);
        counts.total < counts.bounds.total && of_listener < of_listener_max
    }

    /// Gives a place to a connection from `address`.
    pub fn admit(self: &Arc<Self>, listener: &Arc<str>, address: IpAddr) -> Result<Slot, AddressFull> {
        let mut counts = self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let connections_max =
            counts.bounds.per_address_overrides.get(&address).copied().unwrap_or(counts.bounds.per_address);
        let of_address = counts.by_address.entry(address).or_default();
        if *of_address >= connections_max {
            if *of_address == 0 {
                counts.by_address.remove(&address);
            }
            return Err(AddressFull { address, connections_max });
        }
        *of_address += 1;
        counts.total += 1;
        *counts.by_listener.entry(listener.clone()).or_default() += 1;
        drop(counts);
        Ok(Slot { counts: self.clone(), listener: listener.clone(), address })
    }

    /// How many connections there are.
    pub fn total(&self) -> usize {
        self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).total
    }

    /// How many connections a listener has.
    pub fn of_listener(&self, listener: &str) -> usize {
        let counts = self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        counts.by_listener.get(listener).copied().unwrap_or(0)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.counts.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        counts.total -= 1;
        if let Some(of_listener) = counts.by_listener.get_mut(&self.listener) {
            *of_listener -= 1;
        }
        if let Some(of_address) = counts.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                counts.by_address.remove(&self.address);
            }
        }
        drop(counts);
        self.counts.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(bounds: ConnectionBounds) -> Arc<ConnectionCounts> {
        Arc::new(ConnectionCounts::new(bounds))
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn an_address_has_its_bound_or_its_override() {
        let overrides = HashMap::from([(address(2), 0), (address(3), 2)]);
        let counts = counts(ConnectionBounds {
            total: 10,
            per_address: 1,
            per_address_overrides: overrides,
            ..ConnectionBounds::default()
        });
        let listener: Arc<str> = "PLAINTEXT".into();
        let first = counts.admit(&listener, address(1)).unwrap();
        assert_eq!(
            counts.admit(&listener, address(1)).unwrap_err(),
            AddressFull { address: address(1), connections_max: 1 }
        );
        assert!(counts.admit(&listener, address(2)).is_err());
        let _three =
            (counts.admit(&listener, address(3)).unwrap(), counts.admit(&listener, address(3)).unwrap());
        assert_eq!((counts.total(), counts.of_listener("PLAINTEXT")), (3, 3));
        drop(first);
        assert_eq!(counts.total(), 2);
        assert!(counts.admit(&listener, address(1)).is_ok());
    }

    #[test]
    fn a_listener_waits_at_its_own_bound_and_at_the_brokers() {
        let counts = counts(ConnectionBounds { total: 2, ..ConnectionBounds::default() });
        let listener: Arc<str> = "PLAINTEXT".into();
        let bound = ListenerBound { listener: listener.clone(), connections_max: 1 };
        let other = ListenerBound { listener: "OTHER".into(), connections_max: 9 };
        assert!(counts.has_room(&bound));
        let first = counts.admit(&listener, address(1)).unwrap();
        assert!(!counts.has_room(&bound));
        assert!(counts.has_room(&other));
        let _second = counts.admit(&other.listener, address(1)).unwrap();
        assert!(!counts.has_room(&other));
        drop(first);
        assert!(counts.has_room(&bound) && counts.has_room(&other));
    }

    #[test]
    fn other_bounds_hold_for_the_next_connection() {
        let counts = counts(ConnectionBounds::default());
        let listener: Arc<str> = "PLAINTEXT".into();
        let bound = ListenerBound { listener: listener.clone(), connections_max: 9 };
        let _first = counts.admit(&listener, address(1)).unwrap();
        counts.set_bounds(ConnectionBounds {
            per_address: 1,
            by_listener: HashMap::from([(listener.clone(), 2)]),
            ..ConnectionBounds::default()
        });
        assert!(counts.has_room(&bound));
        assert!(counts.admit(&listener, address(1)).is_err());
        let _second = counts.admit(&listener, address(2)).unwrap();
        assert!(!counts.has_room(&bound));
        counts.set_bounds(ConnectionBounds::default());
        assert!(counts.has_room(&bound) && counts.admit(&listener, address(1)).is_ok());
    }
}
