//! The batches of a segment that is being cleaned, whole and checked: what is broken must not be written anew with a
//! checksum that says it is sound.
//!
//! Uncompressed messages of formats v0 and v1 come several at a time. A batch for each, as Kafka makes them, may take more
//! than twice the bytes, and a segment then would outgrow what a segment may be.

use protocol::records::batch::{MAGIC_V2, TimestampType};
use protocol::records::compression::Codec;
use protocol::records::legacy::Messages;

use crate::disk::Disk;
use crate::fault::Fault;
use crate::log::Source;
use crate::recovery::{Next, WholeBatches, verify};
use crate::scan::BatchSpan;

/// The most bytes of messages that become one batch.
const JOINED_BYTES: u32 = 16 << 10;

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

    /// The next batch, and where it lies; `None` at the end. Of messages of an older format, as many as may become one batch.
    pub fn next_batch(&mut self) -> Result<Option<(u32, &[u8])>, Fault> {
        let position = self.batches.position();
        let corrupt = |reason: String| Fault::corrupt(&self.source.path, u64::from(position), reason);
        let (first, joins) = match self.batches.next_whole()? {
            Next::End => return Ok(None),
            Next::Torn(reason) => return Err(corrupt(reason)),
            Next::Batch(span, bytes) => {
                verify(&span, bytes).map_err(corrupt)?;
                debug_assert!((0..=MAGIC_V2).contains(&span.magic));
                (span, is_plain(&span, bytes))
            }
        };
        if joins {
            self.join(&first);
        }
        Ok(Some((position, self.batches.since(position))))
    }

    /// Takes along the plain messages behind one, as far as they have been read already. What is wrong with one of them is
    /// told when it comes first.
    fn join(&mut self, first: &BatchSpan) {
        let mut last = first.last_offset;
        while let Some((span, bytes)) = self.batches.peek_held() {
            let follows = span.magic == first.magic
                && span.base_offset.0 > last.0
                && span.base_offset.0 - first.base_offset.0 <= i64::from(i32::MAX)
                && span.end() - first.position <= JOINED_BYTES;
            if !follows || !is_plain(&span, bytes) || verify(&span, bytes).is_err() {
                return;
            }
            last = span.last_offset;
            self.batches.pass(&span);
        }
    }
}

/// Whether this is a message of an older format, uncompressed and with its producer's own timestamp.
fn is_plain(span: &BatchSpan, bytes: &[u8]) -> bool {
    if span.magic == MAGIC_V2 {
        return false;
    }
    let message = Messages::new(bytes).next_message();
    message.is_ok_and(|message| {
        message.is_some_and(|message| {
            message.codec() == Ok(Codec::None) && message.timestamp_type() == TimestampType::CreateTime
        })
    })
}
