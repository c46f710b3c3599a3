//! What quorum nodes say to each other, without wire details: the driver translates to and from Kafka's messages.

use protocol::id::{LeaderEpoch, NodeId};
use protocol::offset::Offset;

use crate::log::OffsetAndEpoch;
use crate::voters::ReplicaKey;

/// A request this node sent. Its response or failure comes back under the same number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RequestId(pub u64);

/// A request or proposal that waits for an answer of this node. The driver chooses the number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ticket(pub u64);

/// A request of the quorum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// `Vote`: asks for a vote, or whether there would be one (KIP-996).
    Vote {
        /// The candidate's epoch; for a pre-vote the epoch it is in and would leave.
        epoch: LeaderEpoch,
        /// Who asks.
        candidate: ReplicaKey,
        /// Who is asked.
        voter: ReplicaKey,
        /// The end of the candidate's log.
        last: OffsetAndEpoch,
        /// Whether this only probes.
        pre_vote: bool,
    },
    /// `BeginQuorumEpoch`: a leader makes itself known.
    BeginQuorumEpoch {
        /// The leader's epoch.
        epoch: LeaderEpoch,
        /// The leader.
        leader: NodeId,
    },
    /// `EndQuorumEpoch`: a leader steps down.
    EndQuorumEpoch {
        /// The epoch it led.
        epoch: LeaderEpoch,
        /// The leader.
        leader: NodeId,
        /// Voters in the order of how much of the log they have.
        preferred: Vec<NodeId>,
    },
    /// `Fetch` of the metadata log.
    Fetch {
        /// The fetcher's epoch.
        epoch: LeaderEpoch,
        /// The fetcher.
        replica: ReplicaKey,
        /// The end of its log, with the epoch of its last record.
        from: OffsetAndEpoch,
    },
    /// `FetchSnapshot`: a piece of a snapshot.
    FetchSnapshot {
        /// The fetcher's epoch.
        epoch: LeaderEpoch,
        /// The fetcher.
        replica: ReplicaKey,
        /// Which snapshot.
        snapshot: OffsetAndEpoch,
        /// From which byte.
        position: u64,
    },
}

/// Why a quorum request was turned down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestError {
    /// The sender's epoch is over (`FENCED_LEADER_EPOCH`).
    FencedLeaderEpoch,
    /// The sender's epoch is not known here yet (`UNKNOWN_LEADER_EPOCH`).
    UnknownLeaderEpoch,
    /// Only the leader answers this (`NOT_LEADER_OR_FOLLOWER`).
    NotLeader,
    /// The request is for a voter with another id or directory (`INVALID_VOTER_KEY`).
    InvalidVoterKey,
    /// The request contradicts what is known of its epoch (`INVALID_REQUEST`).
    InvalidRequest,
    /// The snapshot asked for is not there (`SNAPSHOT_NOT_FOUND`).
    SnapshotNotFound,
}

/// A run of records of one epoch inside a fetch answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchSpan {
    /// The epoch its records were appended in.
    pub epoch: LeaderEpoch,
    /// The offset of its first record.
    pub base: Offset,
    /// How many records.
    pub records: u32,
}

/// What a leader found at the fetcher's position.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FetchOutcome {
    /// The records from there, none if there are no newer ones. From the leader's machine only their bound is
    /// known (`spans` empty, `upto` set); the driver reads the bytes, and the fetcher's driver fills in the spans.
    Records {
        /// The batches that came.
        spans: Vec<BatchSpan>,
        /// Up to where the leader lets the fetcher read.
        upto: Offset,
    },
    /// The logs part: the fetcher's epoch ends here in the leader's log.
    Diverging(OffsetAndEpoch),
    /// The position is gone: fetch this snapshot first.
    Snapshot(OffsetAndEpoch),
}

/// An answer of the quorum. All carry the answerer's epoch and the leader it knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The answerer's epoch.
    pub epoch: LeaderEpoch,
    /// The leader of that epoch, if the answerer knows it.
    pub leader: Option<NodeId>,
    /// What is answered.
    pub body: ResponseBody,
}

/// What is answered, by API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ResponseBody {
    /// The request was turned down.
    Error(RequestError),
    /// To `Vote`: whether the vote was given.
    Vote {
        /// Yes or no.
        granted: bool,
    },
    /// To `BeginQuorumEpoch` and `EndQuorumEpoch`: understood.
    Acknowledged,
    /// To `Fetch`.
    Fetch {
        /// The leader's high watermark, if it has one.
        high_watermark: Option<Offset>,
        /// What is at the position.
        outcome: FetchOutcome,
    },
    /// To `FetchSnapshot`: a piece; its bytes are with the driver.
    SnapshotPiece {
        /// Which snapshot.
        snapshot: OffsetAndEpoch,
        /// From which byte.
        position: u64,
        /// How many bytes came, 0 where the leader's driver fills it in.
        length: u64,
        /// The size of the whole, 0 where the leader's driver fills it in.
        size: u64,
    },
}
