//! A member of a classic group.

use std::sync::Arc;

use protocol::id::Timestamp;

use super::super::Millis;
use crate::shard::Token;

/// What a member can do, the best first, each with what it wants to tell the leader.
pub type Protocols = Arc<[(Arc<str>, Arc<[u8]>)]>;

/// A member. What a heartbeat looks at comes first: it mostly lies in memory that nobody has touched lately.
#[derive(Clone, Debug, PartialEq)]
#[repr(C)]
pub struct Member {
    /// When it is taken for dead.
    pub deadline: Option<Timestamp>,
    /// How long it may be silent.
    pub session_timeout: Millis,
    /// The static member's own name (KIP-345).
    pub instance: Option<Arc<str>>,
    /// What the client calls itself.
    pub client_id: Arc<str>,
    /// Where it connects from, as Kafka writes it: with a slash in front.
    pub client_host: Arc<str>,
    /// How long it may take to join again.
    pub rebalance_timeout: Millis,
    /// What it can do, the best first, each with what it wants to tell the leader.
    pub protocols: Protocols,
    /// Its part.
    pub assignment: Arc<[u8]>,
    /// Whether it has never been told its member id, so that it cannot send heartbeats.
    pub is_new: bool,
    /// Its JoinGroup, if that waits.
    pub joins: Option<Token>,
    /// Its SyncGroup, if that waits.
    pub syncs: Option<Token>,
}

impl Member {
    /// What it tells the leader under a protocol.
    pub fn metadata(&self, protocol: &str) -> Arc<[u8]> {
        let found = self.protocols.iter().find(|(name, _)| **name == *protocol);
        found.map_or_else(|| Arc::from([]), |(_, metadata)| metadata.clone())
    }

    /// Whether it knows a protocol.
    pub fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| **name == *protocol)
    }

    /// It was heard of.
    pub fn heard(&mut self, now: Timestamp) {
        self.deadline = Some(self.session_timeout.after(now));
    }
}
