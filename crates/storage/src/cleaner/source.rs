//! The batches of a segment that is being cleaned, whole and checked: what is broken must not be written anew with a
//! checksum that says it is sound.

use protocol::records::batch::MAGIC_V2;

use crate::disk::Disk;
use crate::fault::Fault;
use crate::log::Source;
use crate::recovery::{Next, WholeBatches, verify};

/// A walk over the batches of a source.
pub struct SourceBatches<'a, D: Disk> {
    source: &'a Source<D>,
    batches: WholeBatches<'a, D>,
}

impl<'a, D: Disk> SourceBatches<'a, D> {
    /// Walks from the source's start, through a buffer of this size.
    pub fn new(disk: &'a D, source: &'a Source<D>, buffer_bytes: usize) -> Self {
        let batches = WholeBatches::new(disk, &source.file, &source.path, source.start, source.size);
        Self { source, batches: batches.in_blocks_of(buffer_bytes) }
    }

    /// The next batch, or message of an older format, and where it lies; `None` at the end.
    pub fn next_batch(&mut self) -> Result<Option<(u32, &[u8])>, Fault> {
        let position = self.batches.position();
        let corrupt = |reason: String| Fault::corrupt(&self.source.path, u64::from(position), reason);
        match self.batches.next_whole()? {
            Next::End => Ok(None),
            Next::Torn(reason) => Err(corrupt(reason)),
            Next::Batch(span, bytes) => {
                verify(&span, bytes).map_err(corrupt)?;
                debug_assert!((0..=MAGIC_V2).contains(&span.magic));
                Ok(Some((position, bytes)))
            }
        }
    }
}
