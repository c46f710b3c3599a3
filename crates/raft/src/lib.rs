//! KRaft as a pure machine: Kafka's consensus over the metadata log (KIP-595, KIP-630, KIP-853, KIP-996).
//!
//! [`Raft::step`] takes the time and one [`Input`] and adds to a list of [`Effect`]s; whoever drives it carries
//! them out in order, and so a quorum state is on disk before the answer that rests on it leaves.
//!
//! Invariant: nothing here reads a clock, draws randomness, opens a file or a socket; times, the seed and every
//! completion are arguments. Invariant: record bytes never pass through this crate, only their epochs and
//! offsets. Invariant: it never knows what the records mean, except for its own voters.

mod effect;
mod election;
mod follower;
mod input;
mod leader;
mod log;
mod machine;
mod message;
mod quorum_state;
mod role;
mod status;
mod voters;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use effect::{Effect, HaltReason, ProposalRefusal};
pub use input::Input;
pub use log::{AppendId, LogModel, OffsetAndEpoch};
pub use machine::{Config, Raft};
pub use message::{
    BatchSpan, FetchOutcome, Request, RequestError, RequestId, Response, ResponseBody, Ticket,
};
pub use quorum_state::QuorumState;
pub use role::RoleName;
pub use status::{ReplicaStatus, Status};
pub use voters::{Endpoint, ReplicaKey, Voter, VoterSet};
