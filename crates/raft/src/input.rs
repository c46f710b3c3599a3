//! Everything that can happen to the machine.

use crate::log::{AppendId, OffsetAndEpoch};
use crate::message::{Request, RequestId, Response, Ticket};
use crate::voters::VoterSet;

/// One thing that happened. The driver reports each once, in the order in which it happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// The time asked for by `WakeAt` has come; also the first input of a machine's life.
    Tick,
    /// A request of another node came in; it is answered by `Respond` under the same ticket.
    Request {
        /// What to answer under.
        ticket: Ticket,
        /// What was asked.
        request: Request,
    },
    /// An answer to a request of ours.
    Response {
        /// Which request.
        id: RequestId,
        /// The answer.
        response: Response,
    },
    /// A request of ours will have no answer.
    RequestFailed {
        /// Which request.
        id: RequestId,
    },
    /// The controller wants records appended; answered by `Append` or `RefuseProposal`.
    Propose {
        /// What to answer under.
        ticket: Ticket,
        /// How many records.
        records: u32,
    },
    /// An append, and every earlier one, is on stable storage.
    Flushed {
        /// Which append.
        append: AppendId,
    },
    /// A snapshot fetched from the leader is complete on disk and the log was emptied to begin after it.
    SnapshotInstalled {
        /// Which snapshot.
        snapshot: OffsetAndEpoch,
    },
    /// The log was shortened at its front to begin after a snapshot of our own.
    LogStartMoved {
        /// Which snapshot.
        start: OffsetAndEpoch,
    },
    /// The log or a snapshot named other voters.
    VotersChanged {
        /// The voters from here on.
        voters: VoterSet,
    },
    /// The node is about to stop: a leader hands over.
    Resign,
}
