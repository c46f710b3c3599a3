//! What a node tells of itself: its role, the leader it knows, and how far the replicas are.
//!
//! Made anew from the machine's state whenever `DescribeQuorum` or a metric asks; it never changes that state.

use protocol::id::{LeaderEpoch, NodeId, Timestamp};
use protocol::offset::Offset;

use crate::machine::Raft;
use crate::role::{Role, RoleName};
use crate::voters::ReplicaKey;

/// What `DescribeQuorum` tells of one replica.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplicaStatus {
    /// The replica.
    pub key: ReplicaKey,
    /// The end of its log, if known.
    pub end: Option<Offset>,
    /// When it last fetched.
    pub last_fetch: Option<Timestamp>,
    /// When it last had everything.
    pub last_caught_up: Option<Timestamp>,
}

/// What `DescribeQuorum` tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The role of this node.
    pub role: RoleName,
    /// Its epoch.
    pub epoch: LeaderEpoch,
    /// The leader it knows.
    pub leader: Option<NodeId>,
    /// What is committed, as far as this node knows.
    pub high_watermark: Option<Offset>,
    /// The voters' progress; only the leader knows more than its own.
    pub voters: Vec<ReplicaStatus>,
    /// The observers' progress, known to the leader only.
    pub observers: Vec<ReplicaStatus>,
}

impl Raft {
    /// The state for `DescribeQuorum` and metrics.
    pub fn status(&self) -> Status {
        let end = Some(self.log.end());
        let known = |key: ReplicaKey| match &self.role {
            // A voter of the configuration is shown without a directory, as Kafka does.
            _ if key.id == self.me.id => ReplicaStatus { key, end, last_fetch: None, last_caught_up: None },
            Role::Leader(leadership) => leadership.progress.get(&key.id).map_or(
                ReplicaStatus { key, end: None, last_fetch: None, last_caught_up: None },
                |progress| progress.status(),
            ),
            _ => ReplicaStatus { key, end: None, last_fetch: None, last_caught_up: None },
        };
        let observers = match &self.role {
            Role::Leader(leadership) => leadership
                .progress
                .values()
                .filter(|progress| !self.voters.contains(progress.key))
                .map(|progress| progress.status())
                .collect(),
            _ => Vec::new(),
        };
        Status {
            role: self.role_name(),
            epoch: self.hard.epoch,
            leader: self.hard.leader,
            high_watermark: self.high_watermark,
            voters: self.voters.iter().map(|voter| known(voter.key)).collect(),
            observers,
        }
    }

    pub(crate) fn role_name(&self) -> RoleName {
        match self.role {
            Role::Unattached { .. } if self.hard.voted.is_some() => RoleName::Voted,
            Role::Unattached { .. } => RoleName::Unattached,
            Role::Prospective { .. } => RoleName::Prospective,
            Role::Candidate { .. } => RoleName::Candidate,
            Role::Leader(_) => RoleName::Leader,
            Role::Follower(_) => RoleName::Follower,
            Role::Resigned { .. } => RoleName::Resigned,
        }
    }
}
