//! The records of versions 0 to 2: message sets of formats v0 and v1 become the batch that the log stores (KIP-31,
//! KIP-32).
//!
//! Compressed sets pass through in steps, and what comes of them is bounded by the topic's `max.message.bytes`, so that
//! a small request cannot grow. As in Kafka, these versions may carry a batch of v2 too, which is taken as it is.

use partition::validate::LONG_ANEW_BYTES;
use partition::{AppendRefusal, CompressionTarget, Origin};
use protocol::records::batch::{BatchError, BatchHeader, MAGIC_V2, magic};
use protocol::records::compression::Compressors;
use protocol::records::legacy::{LegacyScratch, UpConversion, convert_to_v2};
use storage::log::AppendError;

use crate::runtime::long_work;
use crate::runtime::partitions::Replica;

/// The first version that carries nothing but batches of v2.
pub const BATCHES_SINCE: i16 = 3;

/// Memory that conversions reuse.
#[derive(Default)]
pub struct SetMemory {
    scratch: LegacyScratch,
    compressors: Compressors,
    batch: Vec<u8>,
}

/// What the records of an old version are.
pub enum Records<'m> {
    /// Nothing, or nothing whole.
    None,
    /// A batch already.
    Batch,
    /// A message set: the batch made of it, and what its append is to be told.
    Converted(&'m mut [u8], Origin),
}

/// A batch larger than this is not kept for the next one's memory.
const KEPT_BYTES_MAX: usize = 1 << 20;

impl SetMemory {
    /// What the records are, as a log may take them.
    ///
    /// # Errors
    /// Why the set is refused.
    pub fn convert(&mut self, replica: &Replica, records: &[u8]) -> Result<Records<'_>, AppendError> {
        if magic(records) == Some(MAGIC_V2) {
            let torn = matches!(BatchHeader::parse(records), Err(BatchError::Truncated { .. }));
            return Ok(if torn { Records::None } else { Records::Batch });
        }
        let rules = replica.log()?.config().append;
        let compression = match rules.compression {
            CompressionTarget::Producer => None,
            CompressionTarget::Codec(compression) => Some(compression),
        };
        let conversion = UpConversion {
            compression,
            message_bytes_max: rules.max_message_bytes,
            decompressed_bytes_max: rules.decompressed_batch_bytes_max,
        };
        if self.batch.capacity() > KEPT_BYTES_MAX {
            self.batch = Vec::new();
        }
        self.batch.clear();
        let Self { scratch, compressors, batch } = self;
        let mut convert = || convert_to_v2(records, &conversion, scratch, compressors, batch);
        let converted =
            if records.len() < LONG_ANEW_BYTES { convert() } else { long_work::run(|_| convert()) };
        let converted = converted.map_err(AppendRefusal::MessageSet)?;
        Ok(converted
            .map_or(Records::None, |converted| Records::Converted(batch, Origin::Converted(converted))))
    }
}
