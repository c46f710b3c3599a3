//! How many connections there may be: in all, for a listener, for an address.
//!
//! As in Kafka, a listener at its bound or at the bound of the broker serves no further connection until one ends: one
//! is accepted and waits, the others wait in the backlog. The listener for brokers, where it is one of several, and those
//! for controllers, which Kafka counts apart, are not held to the bound of the broker, though they count. A connection
//! over the bound of its address is closed at once.

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
    /// Whether `max.connections` is not for it: what keeps the cluster together must not wait for clients to go.
    pub exempt: bool,
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

    /// Gives a place to a connection from `address`, once the listener may have one more.
    ///
    /// # Errors
    /// If the address has all it may have.
    pub async fn place(
        self: &Arc<Self>,
        bound: &ListenerBound,
        address: IpAddr,
    ) -> Result<Slot, AddressFull> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Some(placed) = self.try_place(bound, address) {
                return placed;
            }
            freed.await;
        }
    }

    /// Waits until any connection ends.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Gives a place to a connection from `address`; `None` if the listener may have no further one for now.
    fn try_place(
        self: &Arc<Self>,
        ListenerBound { listener, connections_max, exempt }: &ListenerBound,
        address: IpAddr,
    ) -> Option<Result<Slot, AddressFull>> {
        let mut counts = self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let of_listener = counts.by_listener.get(listener).copied().unwrap_or(0);
        let of_listener_max = counts.bounds.by_listener.get(listener).copied().unwrap_or(*connections_max);
        if of_listener >= of_listener_max || (counts.total >= counts.bounds.total && !exempt) {
            return None;
        }
        let connections_max =
            counts.bounds.per_address_overrides.get(&address).copied().unwrap_or(counts.bounds.per_address);
        let of_address = counts.by_address.entry(address).or_default();
        if *of_address >= connections_max {
            if *of_address == 0 {
                counts.by_address.remove(&address);
            }
            return Some(Err(AddressFull { address, connections_max }));
        }
        *of_address += 1;
        counts.total += 1;
        *counts.by_listener.entry(listener.clone()).or_default() += 1;
        drop(counts);
        Some(Ok(Slot { counts: self.clone(), listener: listener.clone(), address }))
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

    fn bound(listener: &str, connections_max: usize) -> ListenerBound {
        ListenerBound { listener: listener.into(), connections_max, exempt: false }
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
        let listener = bound("PLAINTEXT", 9);
        let place = |last| counts.try_place(&listener, address(last)).unwrap();
        let first = place(1).unwrap();
        assert_eq!(place(1).unwrap_err(), AddressFull { address: address(1), connections_max: 1 });
        assert!(place(2).is_err());
        let _three = (place(3).unwrap(), place(3).unwrap());
        assert_eq!((counts.total(), counts.of_listener("PLAINTEXT")), (3, 3));
        drop(first);
        assert_eq!(counts.total(), 2);
        assert!(place(1).is_ok());
    }

    #[test]
    fn a_listener_waits_at_its_own_bound_and_at_the_brokers() {
        let counts = counts(ConnectionBounds { total: 2, ..ConnectionBounds::default() });
        let (one, other) = (bound("PLAINTEXT", 1), bound("OTHER", 9));
        let first = counts.try_place(&one, address(1)).unwrap();
        assert!(counts.try_place(&one, address(1)).is_none());
        let _second = counts.try_place(&other, address(1)).unwrap();
        assert!(counts.try_place(&other, address(1)).is_none(), "a place is taken as it is found");
        drop(first);
        assert!(counts.try_place(&other, address(1)).is_some());
    }

    #[test]
    fn a_listener_that_is_exempt_keeps_its_own_bound_only() {
        let counts = counts(ConnectionBounds { total: 1, ..ConnectionBounds::default() });
        let brokers = ListenerBound { exempt: true, ..bound("BROKERS", 2) };
        let _client = counts.try_place(&bound("CLIENTS", 9), address(1)).unwrap();
        let _kept = [counts.try_place(&brokers, address(1)), counts.try_place(&brokers, address(1))];
        assert_eq!(counts.total(), 3);
        assert!(counts.try_place(&brokers, address(1)).is_none());
        assert!(counts.try_place(&bound("CLIENTS", 9), address(1)).is_none());
    }

    #[test]
    fn other_bounds_hold_for_the_next_connection() {
        let counts = counts(ConnectionBounds::default());
        let listener = bound("PLAINTEXT", 9);
        let _first = counts.try_place(&listener, address(1)).unwrap();
        counts.set_bounds(ConnectionBounds {
            per_address: 1,
            by_listener: HashMap::from([("PLAINTEXT".into(), 2)]),
            ..ConnectionBounds::default()
        });
        assert!(counts.try_place(&listener, address(1)).unwrap().is_err());
        let _second = counts.try_place(&listener, address(2)).unwrap();
        assert!(counts.try_place(&listener, address(3)).is_none());
        counts.set_bounds(ConnectionBounds::default());
        assert!(counts.try_place(&listener, address(1)).unwrap().is_ok());
    }

    #[test]
    fn who_has_no_connection_takes_no_room() {
        let overrides = HashMap::from([(address(2), 0)]);
        let counts =
            counts(ConnectionBounds { per_address_overrides: overrides, ..ConnectionBounds::default() });
        let listener = bound("PLAINTEXT", 9);
        let placed: Vec<_> = [1, 1, 3].map(|last| counts.try_place(&listener, address(last))).into();
        assert!(counts.try_place(&listener, address(2)).unwrap().is_err());
        let addresses = || counts.counts.lock().unwrap().by_address.len();
        assert_eq!(addresses(), 2, "one was refused");
        drop(placed);
        assert_eq!(addresses(), 0);
    }

    #[tokio::test]
    async fn who_waits_for_a_place_gets_one_when_the_bound_is_raised() {
        let counts = counts(ConnectionBounds { total: 0, ..ConnectionBounds::default() });
        let listener = bound("PLAINTEXT", 9);
        let mut waiting = std::pin::pin!(counts.place(&listener, address(1)));
        assert!(by_now(waiting.as_mut()).await.is_none());
        counts.set_bounds(ConnectionBounds::default());
        assert!(by_now(waiting).await.unwrap().is_ok());
    }

    /// What a future has by now.
    async fn by_now<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|context| match future.as_mut().poll(context) {
            std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }
}
