//! The part a node plays in its epoch.
//!
//! ```text
//!   Unattached / Voted --timeout--> Prospective --majority--> Candidate --majority--> Leader
//!        ^      ^                      |  lost                   | lost                 | superseded, asked to
//!        |      +----------------------+-------------------------+                      v
//!        +------- a newer epoch, from any role                              Unattached or Resigned
//!   any role --leader known--> Follower --fetch timeout--> Prospective
//! ```

use std::collections::{BTreeMap, BTreeSet};

use protocol::id::{LeaderEpoch, NodeId, Timestamp};
use protocol::offset::Offset;

use crate::log::OffsetAndEpoch;
use crate::message::Ticket;
use crate::voters::ReplicaKey;

/// A role's name, as `DescribeQuorum` and logs say it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoleName {
    /// No leader is known and no vote was given in this epoch.
    Unattached,
    /// No leader is known; this node gave its vote in this epoch.
    Voted,
    /// Asks whether an election could be won, without a new epoch.
    Prospective,
    /// Stands for election in an epoch of its own.
    Candidate,
    /// Leads.
    Leader,
    /// Fetches from the leader.
    Follower,
    /// Led this epoch and will not lead it again.
    Resigned,
}

#[derive(Clone, Debug)]
pub(crate) enum Role {
    Unattached { election_at: Timestamp },
    Prospective { ballot: Ballot, election_at: Timestamp },
    Candidate { ballot: Ballot, election_at: Timestamp },
    Leader(Leadership),
    Follower(Following),
    Resigned { election_at: Timestamp },
}

/// The votes of one election, the own one included.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ballot {
    pub granted: BTreeSet<NodeId>,
    pub rejected: BTreeSet<NodeId>,
}

#[derive(Clone, Debug)]
pub(crate) struct Leadership {
    pub epoch: LeaderEpoch,
    pub epoch_start: Offset,
    /// Whether the leader-change record is committed and `BecameLeader` was said.
    pub announced: bool,
    pub since: Timestamp,
    pub progress: BTreeMap<NodeId, Progress>,
    /// Fetches that found nothing new, at most one a replica.
    pub parked: Vec<ParkedFetch>,
}

/// What the leader knows of another replica.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub key: ReplicaKey,
    pub end: Option<Offset>,
    pub last_fetch: Option<Timestamp>,
    pub last_caught_up: Option<Timestamp>,
    pub begin_at: Timestamp,
}

#[derive(Clone, Debug)]
pub(crate) struct ParkedFetch {
    pub ticket: Ticket,
    pub replica: NodeId,
    pub from: Offset,
    pub high_watermark: Option<Offset>,
    pub until: Timestamp,
}

#[derive(Clone, Debug)]
pub(crate) struct Following {
    pub leader: NodeId,
    /// When the leader counts as lost.
    pub fetch_by: Timestamp,
    pub fetched: bool,
    pub snapshot: Option<SnapshotFetch>,
}

#[derive(Clone, Debug)]
pub(crate) struct SnapshotFetch {
    pub id: OffsetAndEpoch,
    pub position: u64,
    pub installing: bool,
}
