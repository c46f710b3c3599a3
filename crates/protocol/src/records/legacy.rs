//! Message sets of formats v0 and v1, which came before batches: read, built, and converted to v2 (KIP-31, KIP-32,
//! KIP-57).
//!
//! A set is messages one after another. A compressed one is a single wrapper message whose value is a set again; the
//! offsets inside are absolute in v0 and count from 0 in v1, where the wrapper has the last one's. One level of wrapping
//! is all there is: a wrapper inside a wrapper is refused. The whole inner set is decompressed into the caller's
//! buffer, under the caller's cap, for offsets can only be told from its end.

mod build;
mod convert;
mod message;

use thiserror::Error;

use super::compression::{Codec, CompressionError, Decompressors, HeaderChecksum};
use crate::id::Timestamp;
use crate::offset::Offset;

pub use build::{LegacyBuilder, LegacyOptions};
pub use convert::convert_to_v2;
pub use message::{Message, Messages};

use super::batch::TimestampType;

/// Why bytes are not a message set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum LegacyError {
    /// A message is too short for its own fields.
    #[error("a message has length {length}, too little for its own fields")]
    Length {
        /// The length read.
        length: i32,
    },
    /// Another format than v0 or v1, or not that of the first message or the wrapper.
    #[error("a message has format v{magic} where another is due")]
    Magic {
        /// The format's number.
        magic: i8,
    },
    /// The checksum does not match the bytes.
    #[error("a message carries CRC {stored:#010x}, and its bytes have {computed:#010x}")]
    Crc {
        /// The checksum in the message.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// Key and value take more or fewer bytes than the message has.
    #[error("the key and the value of a message do not fill it")]
    Fields,
    /// A codec that these formats do not have.
    #[error("a message names codec {id}, which its format does not have")]
    Codec {
        /// The codec's number.
        id: u8,
    },
    /// A wrapper without a value, with an empty set in it, inside another wrapper, or beside other messages.
    #[error("a compressed message holds no message set, is itself inside of one, or is not alone")]
    Wrapper,
    /// The bytes end inside a message of a wrapper.
    #[error("a compressed message set ends inside a message")]
    Truncated,
    /// The compressed stream cannot be read.
    #[error(transparent)]
    Compression(#[from] CompressionError),
}

/// One record of a set, wrapped or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LegacyRecord<'a> {
    /// Its absolute offset.
    pub offset: Offset,
    /// `Timestamp::NONE` in v0.
    pub timestamp: Timestamp,
    /// Whose clock the timestamp comes from.
    pub timestamp_type: TimestampType,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: Option<&'a [u8]>,
}

/// What reading a set reuses from set to set.
#[derive(Default)]
pub struct LegacyScratch {
    decompressors: Decompressors,
    inner: Vec<u8>,
}

/// Shows every record of the set in `bytes`, wrapped ones too, checksums verified. A message that is cut off at the
/// end of `bytes` is left out, as at the end of a fetch. Inner sets of more than `cap` bytes are refused.
pub fn each_record<E: From<LegacyError>>(
    bytes: &[u8],
    scratch: &mut LegacyScratch,
    cap: u64,
    mut see: impl FnMut(LegacyRecord<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut messages = Messages::new(bytes);
    while let Some(message) = messages.next_message()? {
        message.verify_crc()?;
        match message.codec()? {
            Codec::None => see(message.record(message.offset, &message))?,
            codec => {
                scratch.unwrap(&message, codec, cap)?;
                see_inner(&scratch.inner, &message, &mut see)?;
            }
        }
    }
    Ok(())
}

fn see_inner<E: From<LegacyError>>(
    inner: &[u8],
    wrapper: &Message<'_>,
    see: &mut impl FnMut(LegacyRecord<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let base = inner_base(inner, wrapper)?;
    let mut messages = Messages::new(inner);
    while let Some(message) = messages.next_message()? {
        if message.magic != wrapper.magic {
            return Err(LegacyError::Magic { magic: message.magic }.into());
        }
        if message.codec()? != Codec::None {
            return Err(LegacyError::Wrapper.into());
        }
        message.verify_crc()?;
        let offset = Offset(message.offset.0.wrapping_add(base));
        see(message.record(offset, wrapper))?;
    }
    Ok(())
}

/// What is to be added to the offsets inside a wrapper. Walks the whole set, which must be there to the last byte.
fn inner_base(inner: &[u8], wrapper: &Message<'_>) -> Result<i64, LegacyError> {
    let mut messages = Messages::new(inner);
    let mut last = None;
    while let Some(message) = messages.next_message()? {
        last = Some(message.offset);
    }
    if messages.position() != inner.len() {
        return Err(LegacyError::Truncated);
    }
    let last = last.ok_or(LegacyError::Wrapper)?;
    // Some old producers wrote absolute offsets or none at all in v1 too; the wrapper's word then is what counts.
    Ok(if wrapper.magic == 0 { 0 } else { wrapper.offset.0.wrapping_sub(last.0) })
}

impl LegacyScratch {
    fn unwrap(&mut self, wrapper: &Message<'_>, codec: Codec, cap: u64) -> Result<(), LegacyError> {
        let payload = wrapper.value.ok_or(LegacyError::Wrapper)?;
        let checksum = header_checksum(wrapper.magic);
        let mut stream = self.decompressors.start_with_checksum(codec, payload, cap, checksum)?;
        self.inner.clear();
        loop {
            let step = stream.next_step()?;
            if step.is_empty() {
                return Ok(());
            }
            self.inner.extend_from_slice(step);
        }
    }
}

fn header_checksum(magic: i8) -> HeaderChecksum {
    if magic == 0 { HeaderChecksum::WithMagic } else { HeaderChecksum::Descriptor }
}

#[cfg(test)]
mod tests;
