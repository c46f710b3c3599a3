//! A fetch in the lists of its partitions, and one that stays in them between the requests of its session (KIP-227).
//!
//! ```text
//!   nothing came, all was told   the fetch is answered; its place in the lists is left with the session
//!   the session asks again       nothing touched it: wait on, and no partition is looked at
//!                                something did: leave the lists, look at the partitions as ever
//! ```
//! So a reader of a hundred thousand partitions at rest costs what one of a single partition does. It holds no partition:
//! what is deleted goes, whoever still hangs in its lists. Nothing here reads a log.

use std::fmt;
use std::sync::{Arc, Weak};

use partition::fetch::Isolation;

use super::delayed::{Place, Waiter};
use super::partitions::Replica;

/// A fetch in the lists of its partitions; taken out when dropped.
pub struct Waiting {
    waiter: Arc<Waiter>,
    places: Vec<(Weak<Replica>, Place)>,
}

/// What a request must be like to wait on where another one did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How far its reader sees.
    pub isolation: Isolation,
    /// How many bytes it lacks.
    pub lacking: i64,
    /// Its version, which says what is told.
    pub version: i16,
}

/// A session that was told all there was, and has asked for nothing else since.
#[derive(Debug)]
pub struct Rest {
    /// Its place in the lists.
    pub waiting: Waiting,
    /// What it was told by.
    pub terms: Terms,
    /// The epoch of the request that may go on with it.
    pub epoch: i32,
}

impl Waiting {
    /// Hangs a fetch that may read so far, and lacks so many bytes, in the lists of these.
    pub fn new(isolation: Isolation, lacking: i64, replicas: impl Iterator<Item = Arc<Replica>>) -> Self {
        let waiter = Waiter::new(isolation, lacking);
        let hang = |replica: Arc<Replica>| {
            let place = replica.waiters.add(waiter.clone());
            (Arc::downgrade(&replica), place)
        };
        let places = replicas.map(hang).collect();
        Self { waiter, places }
    }

    /// What wakes it.
    pub fn waiter(&self) -> &Waiter {
        &self.waiter
    }

    /// In how many lists it hangs.
    pub fn lists(&self) -> usize {
        self.places.len()
    }

    /// Whether one of its partitions is gone from here.
    pub fn is_bereft(&self) -> bool {
        let ended = |replica: Arc<Replica>| replica.waiters.have_ended();
        self.places.iter().any(|(replica, _)| replica.upgrade().is_none_or(ended))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        for (replica, place) in &self.places {
            if let Some(replica) = replica.upgrade() {
                replica.waiters.remove(*place);
            }
        }
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("waiter", &self.waiter).field("lists", &self.lists()).finish()
    }
}
