//! The messages inside a compressed one, as they come out of its stream: in parts, so that no message has to be in
//! memory as a whole.

use super::message::{CODEC_BITS, HEADER_V0, HEADER_V1, LENGTHS, Message};
use super::{LegacyError, header_checksum};
use crate::id::Timestamp;
use crate::offset::Offset;
use crate::records::batch::TimestampType;
use crate::records::compression::{Codec, Decompressing, Decompressors};
use crate::records::walk::Cursor;

/// A part of a message, in the order in which they come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part<'a> {
    /// What is known before its fields.
    Head(Head),
    /// A piece of the key.
    Key(&'a [u8]),
    /// The key is over; whether there is a value.
    Value(bool),
    /// A piece of the value.
    Piece(&'a [u8]),
}

/// What is known of a message before its fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head {
    /// As it stands in the message: absolute, or counted from the wrapper's first.
    pub(super) offset: Offset,
    /// `Timestamp::NONE` in v0; the wrapper's where that was stamped by the log.
    pub(super) timestamp: Timestamp,
    /// The bytes of the key, if there is one.
    pub(super) key: Option<usize>,
    /// The bytes of the value; 0 also where there is none.
    pub(super) value: usize,
}

/// The messages of one wrapper.
pub(super) struct Wrapped<'d, 'p> {
    stream: Decompressing<'d, 'p>,
    magic: i8,
    stamp: Option<Timestamp>,
}

impl<'d, 'p> Wrapped<'d, 'p> {
    /// Begins with the first message inside of `wrapper`. All together may take `cap` bytes.
    pub(super) fn open(
        decompressors: &'d mut Decompressors,
        wrapper: &Message<'p>,
        cap: u64,
    ) -> Result<Self, LegacyError> {
        let payload = wrapper.value.ok_or(LegacyError::Wrapper)?;
        let checksum = header_checksum(wrapper.magic);
        let stream = decompressors.start_with_checksum(wrapper.codec()?, payload, cap, checksum)?;
        let stamped = wrapper.timestamp_type() == TimestampType::LogAppendTime;
        Ok(Self { stream, magic: wrapper.magic, stamp: stamped.then_some(wrapper.timestamp) })
    }

    /// Shows the parts of the next message, whose checksum is verified at its end. `false` where there is none left.
    pub(super) fn next_message<E: From<LegacyError>>(
        &mut self,
        mut see: impl FnMut(Part<'_>) -> Result<(), E>,
    ) -> Result<bool, E> {
        if self.stream.trailing().map_err(LegacyError::from)? == 0 {
            return Ok(false);
        }
        let offset = Offset(i64::from_be_bytes(self.take()?));
        let length = i32::from_be_bytes(self.take()?);
        // Before its format, as in Kafka: what is all zeros is no message of v0.
        if length < (HEADER_V0 + LENGTHS) as i32 {
            return Err(LegacyError::Length { length }.into());
        }
        let stored = u32::from_be_bytes(self.take()?);
        let mut crc = crc32fast::Hasher::new();
        let [magic, attributes] = self.take_covered(&mut crc)?;
        if magic as i8 != self.magic {
            return Err(LegacyError::WrappedMagic { magic: magic as i8 }.into());
        }
        if attributes & CODEC_BITS != Codec::None.id() {
            return Err(LegacyError::Wrapper.into());
        }
        let (overhead, timestamp) = match self.magic {
            0 => (HEADER_V0 + LENGTHS, Timestamp::NONE),
            _ => (HEADER_V1 + LENGTHS, Timestamp(i64::from_be_bytes(self.take_covered(&mut crc)?))),
        };
        let fields = usize::try_from(length).ok().and_then(|length| length.checked_sub(overhead));
        let fields = fields.ok_or(LegacyError::Length { length })?;
        let key = usize::try_from(i32::from_be_bytes(self.take_covered(&mut crc)?)).ok();
        let value = fields.checked_sub(key.unwrap_or(0)).ok_or(LegacyError::Fields)?;
        see(Part::Head(Head { offset, timestamp: self.stamp.unwrap_or(timestamp), key, value }))?;
        self.pass(key.unwrap_or(0), &mut crc, |piece| see(Part::Key(piece)))?;
        let told = usize::try_from(i32::from_be_bytes(self.take_covered(&mut crc)?)).ok();
        if told.unwrap_or(0) != value {
            return Err(LegacyError::Fields.into());
        }
        see(Part::Value(told.is_some()))?;
        self.pass(value, &mut crc, |piece| see(Part::Piece(piece)))?;
        let computed = crc.finalize();
        if computed == stored { Ok(true) } else { Err(LegacyError::Crc { stored, computed }.into()) }
    }

    fn pass<E: From<LegacyError>>(
        &mut self,
        length: usize,
        crc: &mut crc32fast::Hasher,
        mut see: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut refused = None;
        let passed = self.stream.pass(length, |piece| {
            crc.update(piece);
            see(piece).map_err(|error| {
                refused = Some(error);
                LegacyError::Truncated
            })
        });
        match refused {
            Some(error) => Err(error),
            None => passed.map_err(E::from),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], LegacyError> {
        let mut taken = [0; N];
        for byte in &mut taken {
            *byte = self.stream.byte()?;
        }
        Ok(taken)
    }

    fn take_covered<const N: usize>(&mut self, crc: &mut crc32fast::Hasher) -> Result<[u8; N], LegacyError> {
        let taken = self.take()?;
        crc.update(&taken);
        Ok(taken)
    }
}
