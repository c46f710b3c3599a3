//! The batches that lie one after another in a slice, and where they stop making sense.
//!
//! Recovery cuts a log at that place and says why; readers of a fetch, which may end in the middle of a batch, stop
//! there in silence. Checksums are left to the caller: recovery verifies each, a fetch answer none.

use super::batch::{BatchError, BatchHeader};

/// One batch of a slice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Batch<'a> {
    /// Its header.
    pub header: BatchHeader,
    /// All of its bytes, header included.
    pub bytes: &'a [u8],
    /// Where it begins in the slice.
    pub position: usize,
}

impl<'a> Batch<'a> {
    /// Checks the CRC.
    pub fn verify_crc(&self) -> Result<(), BatchError> {
        super::batch::verify_crc(self.bytes, &self.header)
    }

    /// The records, compressed as they lie there.
    pub fn payload(&self) -> &'a [u8] {
        super::batch::payload(self.bytes, &self.header)
    }
}

/// Walks the batches of a slice from its front.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Batches<'a> {
    /// Walks `bytes`, which begin with a batch.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// How many bytes the whole batches met so far take: after the walk has ended, where the torn or invalid tail
    /// begins.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The next batch; `None` at the very end, an error where what follows is no whole batch. An error is met
    /// again by the next call.
    pub fn next_batch(&mut self) -> Result<Option<Batch<'a>>, BatchError> {
        let rest = &self.bytes[self.position..];
        if rest.is_empty() {
            return Ok(None);
        }
        let header = BatchHeader::parse(rest)?;
        let batch = Batch { header, bytes: &rest[..header.size()], position: self.position };
        self.position += header.size();
        Ok(Some(batch))
    }
}

/// The whole batches; a torn or invalid tail ends the walk.
impl<'a> Iterator for Batches<'a> {
    type Item = Batch<'a>;

    fn next(&mut self) -> Option<Batch<'a>> {
        self.next_batch().ok().flatten()
    }
}
