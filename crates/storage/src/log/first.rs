//! The first batch of a log that has no files yet: written beside those of other such logs, and taken from there when
//! the log is made, or found there at a start ([`crate::first_records`]).

use partition::AppendPlan;
use protocol::id::Timestamp;
use protocol::offset::Offset;
use protocol::records::batches::Batches;

use super::machine::Machine;
use super::{Log, Room};
use crate::disk::Disk;
use crate::fault::Fault;
use crate::first_records::{FIRST_RECORDS, FoundRow};
use crate::scan::BatchSpan;
use crate::whole_file::write_all;

impl<D: Disk> Log<D> {
    /// Writes a batch that begins a log without files, if it is one that need not lie in them at once; says whether.
    pub(super) fn write_apart(&mut self, plan: &AppendPlan, bytes: &[u8]) -> Result<bool, Fault> {
        let Some(topic_id) = self.topic_id.filter(|_| !self.made && self.size() == 0) else {
            return Ok(false);
        };
        // What is synced with every append, or read by the cleaner, has its files anyway.
        let plain = self.config.flush_messages.is_none() && !self.config.compaction.compact;
        let begins = plan.base_offset == Offset::ZERO && plan.aborted.is_none();
        if !plain || !begins || plan.max_timestamp < Timestamp(0) {
            return Ok(false);
        }
        let Some(span) = alone(bytes) else { return Ok(false) };
        let Some(place) = self.home.first_records().put(&self.name, topic_id, bytes)? else {
            return Ok(false);
        };
        self.segments.note(&span);
        self.first = Some(place);
        Ok(true)
    }

    /// Puts the batch that lies apart into the log's own file, which was just made.
    pub(super) fn write_out_first(&self) -> Result<(), Fault> {
        let Some(place) = self.first else { return Ok(()) };
        let bytes = self.home.first_records().read(place)?;
        let Some(segment) = self.segments.iter().next() else { return Ok(()) };
        let file = segment.file()?;
        write_all(self.home.disk(), &file, &bytes, 0)
            .map_err(|error| Fault::io("write", &segment.path(), error))
    }

    /// The batch that lies apart counts no more: the log has its files, or goes.
    pub(crate) fn forget_first(&mut self) -> Result<(), Fault> {
        if let Some(place) = self.first {
            self.home.first_records().forget(place)?;
            self.first = None;
        }
        Ok(())
    }

    /// Makes the files of a log that has a record but no files: somebody wants to read them.
    pub(super) fn make_if_written(&mut self) -> Result<(), Fault> {
        if self.first.is_some() { self.make(Room::Reserve) } else { Ok(()) }
    }

    /// Takes a first batch found at a start into this log, which has no files, or has them without any record. `false`
    /// where the log has gone its own way since.
    ///
    /// # Errors
    /// If the log lacks the batch and cannot take it.
    pub(crate) fn take_first(&mut self, found: &FoundRow) -> Result<bool, Fault> {
        let marks = self.partition.watermarks();
        let begins = marks.log_end == Offset::ZERO && self.size() == 0 && self.segment_count() == 1;
        let same = self.topic_id == Some(found.topic_id);
        if !same || !begins || self.first.is_some() {
            return Ok(false);
        }
        let wrong = |reason: String| {
            let path = self.home.path().join(FIRST_RECORDS);
            let reason = format!("the first record of {} cannot be given back to it: {reason}", self.name);
            Fault::Mismatch { path, reason }
        };
        let batch = Batches::new(&found.batch).next_batch().map_err(|error| wrong(error.to_string()))?;
        let (Some(batch), Some(span)) = (batch, alone(&found.batch)) else {
            return Err(wrong("it is not one batch".to_owned()));
        };
        batch.verify_crc().map_err(|error| wrong(error.to_string()))?;
        let mut partition = self.partition().clone();
        partition.reload(&batch).map_err(|refusal| wrong(refusal.to_string()))?;
        if self.made {
            self.segments.append(&found.batch)?;
        } else {
            self.segments.note(&span);
            self.first = Some(found.place);
        }
        self.partition = Machine::new(partition, &self.home);
        self.epochs_due = true;
        Ok(true)
    }
}

/// The one batch that `bytes` are.
fn alone(bytes: &[u8]) -> Option<BatchSpan> {
    BatchSpan::parse(bytes, 0).ok().filter(|span| span.size as usize == bytes.len())
}
