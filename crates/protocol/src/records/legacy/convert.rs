//! Message sets to v2 batches, as a produce of an old version needs it.

use super::{LegacyError, LegacyScratch, Messages, each_record};
use crate::offset::Offset;
use crate::records::batch::TimestampType;
use crate::records::build::{BatchBuilder, BatchOptions};
use crate::records::compression::{Codec, Compression, Compressors};

/// Writes the set in `bytes` as one v2 batch at offset 0 with the codec of its first message, to the end of `out`.
/// Offsets are counted anew, timestamps stay, and those of v0 are none. Nothing is written for an empty set.
pub fn convert_to_v2(
    bytes: &[u8],
    scratch: &mut LegacyScratch,
    compressors: &mut Compressors,
    cap: u64,
    out: &mut Vec<u8>,
) -> Result<(), LegacyError> {
    let Some(first) = Messages::new(bytes).next_message()? else { return Ok(()) };
    let codec = first.codec()?;
    let stamped = first.timestamp_type() == TimestampType::LogAppendTime;
    let (mut messages, mut count, mut compressed) = (Messages::new(bytes), 0_usize, false);
    while let Some(message) = messages.next_message()? {
        if message.magic != first.magic {
            return Err(LegacyError::Magic { magic: message.magic });
        }
        count += 1;
        compressed |= message.codec()? != Codec::None;
    }
    // A compressed set is one wrapper and nothing beside it, so that the cap bounds all there is to unpack.
    if compressed && count > 1 {
        return Err(LegacyError::Wrapper);
    }
    let mut builder = BatchBuilder::new(BatchOptions {
        base_offset: Offset::ZERO,
        compression: Compression::from(codec),
        log_append_time: stamped.then_some(first.timestamp),
        ..BatchOptions::default()
    });
    each_record(bytes, scratch, cap, |record| {
        builder.push(record.timestamp, record.key, record.value, &[]);
        Ok::<_, LegacyError>(())
    })?;
    out.extend_from_slice(&builder.finish(compressors)?);
    Ok(())
}
