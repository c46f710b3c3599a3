//! From where to where a reader may read, and where a follower's log parts from this one (KIP-98, KIP-320, KIP-595).

use protocol::error_code::ErrorCode;
use protocol::id::LeaderEpoch;
use protocol::offset::Offset;
use thiserror::Error;

use crate::leader_epochs::EpochEnd;
use crate::replica::Partition;
use crate::watermarks::Role;

/// How far a reader sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Isolation {
    /// A follower: all there is.
    LogEnd,
    /// A consumer that reads uncommitted data: what is on all in-sync replicas.
    HighWatermark,
    /// A consumer that reads committed data: what is decided.
    LastStableOffset,
}

/// Where a read begins and what the reader knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchFrom {
    /// The first offset wanted.
    pub offset: Offset,
    /// The leader epoch the reader believes in; `LeaderEpoch::NONE` where it names none.
    pub current_leader_epoch: LeaderEpoch,
    /// The epoch of the last record it has; `LeaderEpoch::NONE` where it names none.
    pub last_fetched_epoch: LeaderEpoch,
    /// How far it sees.
    pub isolation: Isolation,
}

/// What a reader is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchBounds {
    /// Reads end before this offset. Not above `offset` where there is nothing to read yet.
    pub upper: Offset,
    /// The log start.
    pub log_start: Offset,
    /// The high watermark.
    pub high_watermark: Offset,
    /// The last stable offset.
    pub last_stable_offset: Offset,
    /// The reader's log is not a prefix of this one: it must cut, and gets no records.
    pub diverging: Option<EpochEnd>,
}

/// Why a reader gets nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum FetchRefusal {
    /// Before the log start or behind the end.
    #[error("offset {offset} is not within the log, which goes from {log_start} to {log_end}")]
    OffsetOutOfRange {
        /// The offset asked for.
        offset: Offset,
        /// The log start.
        log_start: Offset,
        /// The end that the reader may see.
        log_end: Offset,
    },
    /// The reader believes in an older leader.
    #[error("the reader's leader epoch {epoch} is older than the current epoch {current}")]
    FencedLeaderEpoch {
        /// The reader's.
        epoch: LeaderEpoch,
        /// The one in force.
        current: LeaderEpoch,
    },
    /// The reader knows of a leader that this replica has not heard of.
    #[error("the reader's leader epoch {epoch} is newer than the epoch {current} known here")]
    UnknownLeaderEpoch {
        /// The reader's.
        epoch: LeaderEpoch,
        /// The one known here.
        current: LeaderEpoch,
    },
    /// This replica does not lead.
    #[error("this replica does not lead the partition")]
    NotLeader,
}

impl Partition {
    /// The epoch in force; `LeaderEpoch::NONE` before any is known.
    pub fn current_leader_epoch(&self) -> LeaderEpoch {
        match self.role() {
            Role::Leader(leadership) => leadership.leader_epoch,
            Role::Follower { leader_epoch } => *leader_epoch,
            Role::Unknown => LeaderEpoch::NONE,
        }
    }

    /// Whether a request that names `epoch` means the leader in force; `LeaderEpoch::NONE` names none and passes.
    pub fn check_leader_epoch(&self, epoch: LeaderEpoch) -> Result<(), FetchRefusal> {
        let current = self.current_leader_epoch();
        match epoch {
            LeaderEpoch::NONE => Ok(()),
            _ if epoch < current => Err(FetchRefusal::FencedLeaderEpoch { epoch, current }),
            _ if epoch > current => Err(FetchRefusal::UnknownLeaderEpoch { epoch, current }),
            _ => Ok(()),
        }
    }

    /// Whether a request to the leader that names `epoch` has come to the right place.
    pub fn check_leader(&self, epoch: LeaderEpoch) -> Result<(), FetchRefusal> {
        self.check_leader_epoch(epoch)?;
        match self.role() {
            Role::Leader(_) => Ok(()),
            Role::Follower { .. } | Role::Unknown => Err(FetchRefusal::NotLeader),
        }
    }

    /// From where to where the leader lets a reader read.
    pub fn fetch_bounds(&self, from: FetchFrom) -> Result<FetchBounds, FetchRefusal> {
        self.check_leader(from.current_leader_epoch)?;
        let marks = self.watermarks();
        let last_stable_offset = self.last_stable_offset();
        let upper = match from.isolation {
            Isolation::LogEnd => marks.log_end,
            Isolation::HighWatermark => marks.high_watermark,
            Isolation::LastStableOffset => last_stable_offset,
        };
        let out_of_range = FetchRefusal::OffsetOutOfRange {
            offset: from.offset,
            log_start: marks.log_start,
            log_end: marks.log_end,
        };
        // Before the log start a reader is lost whatever its epochs say; behind the end it may be diverging. Between
        // its bound and the end it has nothing to read yet.
        if from.offset < marks.log_start {
            return Err(out_of_range);
        }
        let diverging = if from.last_fetched_epoch == LeaderEpoch::NONE {
            None
        } else {
            let end = self.leader_epochs().end_offset_for(from.last_fetched_epoch, marks.log_end);
            let end = end.ok_or(out_of_range)?;
            (end.epoch < from.last_fetched_epoch || end.end_offset < from.offset).then_some(end)
        };
        if diverging.is_none() && from.offset > marks.log_end {
            return Err(out_of_range);
        }
        Ok(FetchBounds {
            upper: if diverging.is_some() { from.offset } else { upper },
            log_start: marks.log_start,
            high_watermark: marks.high_watermark,
            last_stable_offset,
            diverging,
        })
    }

    /// Where the leader says an epoch ended (OffsetForLeaderEpoch); `None` where nothing can be said.
    pub fn end_offset_for_epoch(
        &self,
        current_leader_epoch: LeaderEpoch,
        requested: LeaderEpoch,
    ) -> Result<Option<EpochEnd>, FetchRefusal> {
        self.check_leader(current_leader_epoch)?;
        Ok(self.leader_epochs().end_offset_for(requested, self.watermarks().log_end))
    }
}

impl From<FetchRefusal> for ErrorCode {
    fn from(refusal: FetchRefusal) -> Self {
        match refusal {
            FetchRefusal::OffsetOutOfRange { .. } => Self::OffsetOutOfRange,
            FetchRefusal::FencedLeaderEpoch { .. } => Self::FencedLeaderEpoch,
            FetchRefusal::UnknownLeaderEpoch { .. } => Self::UnknownLeaderEpoch,
            FetchRefusal::NotLeader => Self::NotLeaderOrFollower,
        }
    }
}

#[cfg(test)]
mod tests;
