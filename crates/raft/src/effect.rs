//! Everything the machine asks of its driver.

use protocol::id::{LeaderEpoch, NodeId, Timestamp};
use protocol::offset::Offset;

use crate::log::{AppendId, OffsetAndEpoch};
use crate::message::{Request, RequestId, Response, Ticket};
use crate::quorum_state::QuorumState;

/// One thing to do. Effects of a step are carried out in order; an effect that fails stops the node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Write the `quorum-state` file and fsync it before going on.
    PersistQuorumState(QuorumState),
    /// Append a leader-change control record and report `Flushed`.
    AppendLeaderChange {
        /// The append's number.
        append: AppendId,
        /// Where it goes.
        base: Offset,
        /// The epoch it opens.
        epoch: LeaderEpoch,
        /// The voters who gave their vote.
        granting: Vec<NodeId>,
        /// Whether the version of the protocol and the voters follow, as two more control records.
        with_voters: bool,
    },
    /// Append the records of a proposal and report `Flushed`.
    Append {
        /// Which proposal.
        ticket: Ticket,
        /// The append's number.
        append: AppendId,
        /// The offset of its first record.
        base: Offset,
        /// The epoch they are appended in.
        epoch: LeaderEpoch,
    },
    /// This node does not lead: the proposal is turned down and nothing was appended.
    RefuseProposal {
        /// Which proposal.
        ticket: Ticket,
        /// Why.
        refusal: ProposalRefusal,
    },
    /// Append the batches that came with this fetch answer and report `Flushed`.
    AppendFetched {
        /// Whose answer.
        request: RequestId,
        /// The append's number.
        append: AppendId,
    },
    /// Cut the log's tail.
    Truncate {
        /// The log's end afterwards.
        to: Offset,
    },
    /// Write the bytes that came with this answer into the snapshot being fetched.
    WriteSnapshotPiece {
        /// Whose answer.
        request: RequestId,
        /// Which snapshot.
        snapshot: OffsetAndEpoch,
        /// At which byte.
        position: u64,
    },
    /// The snapshot being fetched is complete: make it the node's own, empty the log, report `SnapshotInstalled`.
    InstallSnapshot {
        /// Which snapshot.
        snapshot: OffsetAndEpoch,
    },
    /// Send a request to a node.
    SendRequest {
        /// Its number.
        id: RequestId,
        /// To whom.
        to: NodeId,
        /// What to ask.
        request: Request,
    },
    /// Answer a request.
    Respond {
        /// Which request.
        ticket: Ticket,
        /// The answer; the driver adds the bytes of records and snapshot pieces.
        response: Response,
    },
    /// Every record below this offset is committed.
    CommittedUpTo(Offset),
    /// This node leads and everything before its epoch, and the leader-change record, is committed: decisions
    /// may be made from here on.
    BecameLeader {
        /// The epoch it leads.
        epoch: LeaderEpoch,
    },
    /// This node leads no longer: proposals not committed have an unknown fate.
    ResignedLeadership {
        /// The epoch it led.
        epoch: LeaderEpoch,
    },
    /// Step with `Tick` at this time; `None` if only another input can change anything.
    WakeAt(Option<Timestamp>),
    /// The node must stop: going on could lose what was committed.
    Halt(HaltReason),
}

/// Why a proposal was turned down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProposalRefusal {
    /// Another node leads, or none (`NOT_CONTROLLER`).
    NotLeader,
}

/// What can stop a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HaltReason {
    /// A leader's log parts from ours below what was committed.
    DivergedBelowHighWatermark {
        /// Where the logs part.
        at: Offset,
        /// What was committed.
        high_watermark: Offset,
    },
}
