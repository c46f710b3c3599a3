//! What a voter must not forget: the content of the `quorum-state` file.

use protocol::id::{LeaderEpoch, NodeId};

use crate::voters::ReplicaKey;

/// Epoch, leader and vote. On stable storage before any answer that rests on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct QuorumState {
    /// The newest epoch this node knows.
    pub epoch: LeaderEpoch,
    /// The leader of that epoch, once known.
    pub leader: Option<NodeId>,
    /// Whom this node voted for in that epoch.
    pub voted: Option<ReplicaKey>,
}
