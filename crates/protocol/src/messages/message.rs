//! What all messages can do.

use super::schema::{Schema, Versions};
use crate::api_key::ApiKey;
use crate::wire::{DecodeError, EncodeError, Malformed, Reader, Unwritable, Value, Writer};

/// A message that can stand alone: a request, a response, a header, or a record's key or value. `'a` is the frame
/// it may borrow from.
pub trait Message<'a>: Value<'a> + Default {
    /// The message as data.
    const SCHEMA: &'static Schema;

    /// Kafka's name of it.
    const NAME: &'static str = Self::SCHEMA.name;

    /// The versions it can be read and written in.
    const VERSIONS: Versions = Self::SCHEMA.versions;

    /// The first version with tagged fields and compact lengths (KIP-482).
    const FLEXIBLE_SINCE: Option<i16> =
        if Self::SCHEMA.flexible.is_empty() { None } else { Some(Self::SCHEMA.flexible.first) };

    /// Reads a message that takes all of `bytes`.
    fn decode(bytes: &'a [u8], version: i16) -> Result<Self, DecodeError> {
        let (message, rest) = Self::decode_prefix(bytes, version)?;
        if rest.is_empty() {
            return Ok(message);
        }
        let cause = Malformed::TrailingBytes(rest.len());
        Err(DecodeError { message: Self::NAME, version, field: "", cause })
    }

    /// Reads a message off the front of `bytes` and hands back what follows it.
    fn decode_prefix(bytes: &'a [u8], version: i16) -> Result<(Self, &'a [u8]), DecodeError> {
        Self::decode_counted(bytes, version).map(|(message, reader)| (message, reader.rest()))
    }

    /// Reads a message off the front of `bytes` and hands back the reader, which has the rest and knows how many
    /// elements were read.
    fn decode_counted(bytes: &'a [u8], version: i16) -> Result<(Self, Reader<'a>), DecodeError> {
        let refuse = |field, cause| DecodeError { message: Self::NAME, version, field, cause };
        if !Self::VERSIONS.contains(version) {
            return Err(refuse("", Malformed::UnknownVersion(Self::VERSIONS)));
        }
        let mut reader = Reader::new(bytes, version, Self::SCHEMA.flexible.contains(version));
        match Self::read(&mut reader) {
            Ok(message) => Ok((message, reader)),
            Err(cause) => Err(refuse(reader.field(), cause)),
        }
    }

    /// Appends the message to `out`, which is left as it was if the message has no bytes in this version.
    fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let refuse = |field, cause| EncodeError { message: Self::NAME, version, field, cause };
        if !Self::VERSIONS.contains(version) {
            return Err(refuse("", Unwritable::UnknownVersion(Self::VERSIONS)));
        }
        let before = out.len();
        let mut writer = Writer::new(out, version, Self::SCHEMA.flexible.contains(version));
        if let Err(cause) = self.write(&mut writer) {
            let refusal = refuse(writer.field(), cause);
            out.truncate(before);
            return Err(refusal);
        }
        Ok(())
    }
}

/// The request of an API.
pub trait Request<'a>: Message<'a> {
    /// The API it belongs to.
    const API_KEY: ApiKey;

    /// The response that answers it, in the same version.
    type Response<'r>: Message<'r>;
}
