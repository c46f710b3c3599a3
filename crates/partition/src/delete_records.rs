//! DeleteRecords: moving the log start up on a client's word (KIP-107).

use protocol::error_code::ErrorCode;
use protocol::offset::Offset;
use thiserror::Error;

use crate::replica::Partition;
use crate::watermarks::Role;

/// The offset in a request that stands for the high watermark.
pub const HIGH_WATERMARK: Offset = Offset(-1);

/// Why records are not deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum DeleteRecordsRefusal {
    /// Beyond the high watermark, or negative.
    #[error("records up to offset {offset} cannot be deleted, as the high watermark is {high_watermark}")]
    OffsetOutOfRange {
        /// The offset asked for.
        offset: Offset,
        /// As far as deleting may go.
        high_watermark: Offset,
    },
    /// `cleanup.policy` is compact.
    #[error(
        "the topic's cleanup.policy is compact, so its records cannot be deleted by offset: add delete to it"
    )]
    PolicyViolation,
    /// This replica does not lead.
    #[error("this replica does not lead the partition")]
    NotLeader,
}

impl Partition {
    /// The log start that deleting up to `offset` leads to: never lower than it is. `deletable` says whether
    /// `cleanup.policy` is another than compact alone.
    pub fn decide_delete_records(
        &self,
        offset: Offset,
        deletable: bool,
    ) -> Result<Offset, DeleteRecordsRefusal> {
        let Role::Leader(_) = self.role() else { return Err(DeleteRecordsRefusal::NotLeader) };
        if !deletable {
            return Err(DeleteRecordsRefusal::PolicyViolation);
        }
        let marks = self.watermarks();
        let wanted = if offset == HIGH_WATERMARK { marks.high_watermark } else { offset };
        if wanted < Offset::ZERO || wanted > marks.high_watermark {
            let high_watermark = marks.high_watermark;
            return Err(DeleteRecordsRefusal::OffsetOutOfRange { offset, high_watermark });
        }
        Ok(wanted.max(marks.log_start))
    }
}

impl From<DeleteRecordsRefusal> for ErrorCode {
    fn from(refusal: DeleteRecordsRefusal) -> Self {
        match refusal {
            DeleteRecordsRefusal::OffsetOutOfRange { .. } => Self::OffsetOutOfRange,
            DeleteRecordsRefusal::PolicyViolation => Self::PolicyViolation,
            DeleteRecordsRefusal::NotLeader => Self::NotLeaderOrFollower,
        }
    }
}
