//! What the active controller decides. A decision reads an image and names records; it changes nothing.
//!
//! Driven by the broker's quorum runtime: decide, append, replay, answer once committed. Handlers translate the
//! results into Kafka's responses.

pub mod bootstrap;
pub mod brokers;
pub mod configs;
pub mod directories;
pub mod elections;
pub mod features;
mod partition_change;
pub mod partitions;
pub mod placement;
pub mod producer_ids;
pub mod reassignments;
mod refusal;
#[cfg(test)]
mod tests;
pub mod topics;

use protocol::id::Timestamp;

pub use refusal::Refusal;

use crate::record::MetadataRecord;

/// What was decided: the records that make it so, and what to answer once they are committed.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<R> {
    /// The records to append, together or not at all.
    pub records: Vec<MetadataRecord<'static>>,
    /// The answer.
    pub response: R,
    /// When the controller has to look again by itself.
    pub wake_at: Option<Timestamp>,
}

impl<R> Decision<R> {
    /// A decision with these records and this answer.
    pub fn new(records: Vec<MetadataRecord<'static>>, response: R) -> Self {
        Self { records, response, wake_at: None }
    }

    /// The same records for somebody who needs no answer but that they are committed.
    pub fn without_response(self) -> Decision<()> {
        Decision { records: self.records, response: (), wake_at: self.wake_at }
    }

    /// A decision that changes nothing.
    pub fn answer(response: R) -> Self {
        Self::new(Vec::new(), response)
    }
}
