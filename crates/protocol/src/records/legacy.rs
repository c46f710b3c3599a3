//! Message sets of formats v0 and v1, which came before batches: read, built, and converted to v2 (KIP-31, KIP-32,
//! KIP-57).
//!
//! A set is messages one after another. A compressed one is a single wrapper message whose value is a set again; the
//! offsets inside are absolute in v0 and count from 0 in v1, where the wrapper has the last one's. One level of wrapping
//! is all there is: a wrapper inside a wrapper is refused. What is inside comes out of a stream message by message, under
//! the caller's cap. Offsets in v1 can only be told from the end, so that readers of offsets go through it twice.

mod build;
mod down_conversion;
mod message;
mod up_conversion;
mod wrapped;

use thiserror::Error;

use super::compression::{Codec, CompressedError, CompressionError, Decompressors, HeaderChecksum};
use crate::id::Timestamp;
use crate::offset::Offset;

pub use build::{LegacyBuilder, LegacyOptions};
pub use down_conversion::{DownConversion, DownConversionError, DownRoom, DownScratch};
pub use message::{Message, Messages};
pub use up_conversion::{UpConversion, UpConverted, convert_to_v2};

use super::batch::TimestampType;
use wrapped::{Part, Wrapped};

/// Why bytes are not a message set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum LegacyError {
    /// A message is too short for its own fields, or longer than any can be.
    #[error("a message has length {length}, which none of its format can have")]
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
    /// A message inside a wrapper has another format than that.
    #[error("a message inside a compressed one has format v{magic}, and that has another")]
    WrappedMagic {
        /// The format's number.
        magic: i8,
    },
    /// The wrapper's offset is neither 0 nor one that the last message inside may have (v1).
    #[error("a compressed message has offset {wrapper}, and the last one inside is number {last}")]
    WrapperOffset {
        /// The offset of the wrapper.
        wrapper: Offset,
        /// That of the last message inside.
        last: Offset,
    },
    /// A time before all that there are, which is not that for none either.
    #[error("a message has timestamp {}, and -1 stands for none", timestamp.0)]
    Timestamp {
        /// The timestamp.
        timestamp: Timestamp,
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
    /// Larger than the caller allows a message, or the batch that comes of it, to be.
    #[error("a message or the batch made of the set takes {size} bytes, and {max} are allowed")]
    TooLarge {
        /// Its size, or where counting it was given up.
        size: u64,
        /// The limit.
        max: u32,
    },
    /// The compressed stream cannot be read.
    #[error(transparent)]
    Compression(#[from] CompressionError),
}

impl From<CompressedError> for LegacyError {
    fn from(error: CompressedError) -> Self {
        match error {
            CompressedError::Compression(error) => Self::Compression(error),
            CompressedError::Record(_) => Self::Truncated,
        }
    }
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
    key: Vec<u8>,
    value: Vec<u8>,
}

impl LegacyScratch {
    /// All bytes that ever came out of compressed sets: what a guard counts.
    pub fn decompressed_total(&self) -> u64 {
        self.decompressors.output_total()
    }
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
            Codec::None => see(message.record())?,
            _ => see_wrapped(&message, scratch, cap, &mut see)?,
        }
    }
    Ok(())
}

fn see_wrapped<E: From<LegacyError>>(
    wrapper: &Message<'_>,
    scratch: &mut LegacyScratch,
    cap: u64,
    see: &mut impl FnMut(LegacyRecord<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let base = wrapped_base(wrapper, scratch, cap)?;
    let timestamp_type = wrapper.timestamp_type();
    let LegacyScratch { decompressors, key, value } = scratch;
    let mut wrapped = Wrapped::open(decompressors, wrapper, cap)?;
    loop {
        let (mut head, mut has_value) = (None, false);
        key.clear();
        value.clear();
        let more = wrapped.next_message(|part| {
            match part {
                Part::Head(known) => head = Some(known),
                Part::Key(piece) => key.extend_from_slice(piece),
                Part::Value(present) => has_value = present,
                Part::Piece(piece) => value.extend_from_slice(piece),
            }
            Ok::<_, LegacyError>(())
        })?;
        let Some(head) = head.filter(|_| more) else { return Ok(()) };
        see(LegacyRecord {
            offset: Offset(head.offset.0.wrapping_add(base)),
            timestamp: head.timestamp,
            timestamp_type,
            key: head.key.map(|_| &key[..]),
            value: has_value.then_some(&value[..]),
        })?;
    }
}

/// What is to be added to the offsets inside a wrapper.
fn wrapped_base(wrapper: &Message<'_>, scratch: &mut LegacyScratch, cap: u64) -> Result<i64, LegacyError> {
    let mut last = None;
    let mut wrapped = Wrapped::open(&mut scratch.decompressors, wrapper, cap)?;
    while wrapped.next_message(|part| {
        if let Part::Head(head) = part {
            last = Some(head.offset);
        }
        Ok::<_, LegacyError>(())
    })? {}
    let last = last.ok_or(LegacyError::Wrapper)?;
    // Some old producers wrote absolute offsets or none at all in v1 too; the wrapper's word then is what counts.
    Ok(if wrapper.magic == 0 { 0 } else { wrapper.offset.0.wrapping_sub(last.0) })
}

fn header_checksum(magic: i8) -> HeaderChecksum {
    if magic == 0 { HeaderChecksum::WithMagic } else { HeaderChecksum::Descriptor }
}

#[cfg(test)]
mod tests;
