//! Why bytes are no message, and why a message has no bytes.

use std::fmt;

use crate::messages::schema::Versions;

/// Bytes that are no message of this name and version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} version {version} cannot be read{place}: {cause}", place = Place(" at field ", .field))]
pub struct DecodeError {
    /// The message that was expected.
    pub message: &'static str,
    /// The version it was expected in.
    pub version: i16,
    /// The innermost field that reading had come to, in Kafka's spelling; empty before the first.
    pub field: &'static str,
    /// What is wrong there.
    pub cause: Malformed,
}

/// What is wrong with the bytes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The message has no such version.
    #[error("versions {first} to {last} are known", first = .0.first, last = .0.last)]
    UnknownVersion(Versions),
    /// The bytes end inside a value.
    #[error("{needed} bytes are needed and {remaining} remain")]
    TooShort {
        /// What the value takes.
        needed: usize,
        /// What is left of the message.
        remaining: usize,
    },
    /// Bytes follow the message.
    #[error("{0} bytes follow the end of the message")]
    TrailingBytes(usize),
    /// An array claims more elements than the remaining bytes can hold.
    #[error("an array of {count} elements cannot stand in the {remaining} bytes that remain")]
    TooManyElements {
        /// What the array claims.
        count: usize,
        /// What is left of the message.
        remaining: usize,
    },
    /// More elements than [`ELEMENTS_MAX`](super::ELEMENTS_MAX).
    #[error("an array of {0} elements has more than a million")]
    ArrayTooLong(usize),
    /// A null where this version allows none.
    #[error("null where this version allows none")]
    UnexpectedNull,
    /// A varint that goes on past its last byte, or means a number out of range.
    #[error("a varint is longer or larger than its type")]
    VarintTooLong,
    /// A string longer than [`STRING_BYTES_MAX`](super::STRING_BYTES_MAX).
    #[error("a string of {0} bytes is longer than 32767")]
    StringTooLong(usize),
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8 after its first {0} bytes")]
    NotUtf8(usize),
    /// More tagged fields than [`TAGS_MAX`](super::TAGS_MAX).
    #[error("{0} tagged fields are more than ten thousand")]
    TooManyTags(u32),
    /// A tagged field whose value is shorter than its size says.
    #[error("tagged field {tag} has {unread} bytes after its value")]
    TagTooLong {
        /// The tag of the field.
        tag: u32,
        /// The bytes after its value.
        unread: usize,
    },
}

/// A message that has no bytes in this version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} version {version} cannot be written{place}: {cause}", place = Place(" with its field ", .field))]
pub struct EncodeError {
    /// The message.
    pub message: &'static str,
    /// The version it should be written in.
    pub version: i16,
    /// The field, in Kafka's spelling; empty where the message as a whole is refused.
    pub field: &'static str,
    /// What is wrong with it.
    pub cause: Unwritable,
}

/// Why a value has no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// The message has no such version.
    #[error("versions {first} to {last} are known", first = .0.first, last = .0.last)]
    UnknownVersion(Versions),
    /// The version lacks the field and the value is not the default, so that leaving it out would change the
    /// meaning.
    #[error("this version has no such field, and the value is not the default")]
    NotInVersion,
    /// A null where this version allows none.
    #[error("this version allows no null here")]
    UnexpectedNull,
    /// A string longer than [`STRING_BYTES_MAX`](super::STRING_BYTES_MAX).
    #[error("a string of {0} bytes is longer than 32767")]
    StringTooLong(usize),
    /// More bytes or elements than a length can say.
    #[error("a length of {0} is larger than 2147483646")]
    TooLong(usize),
}

/// The words that lead to a field, and the field; nothing where there is none.
struct Place<'f>(&'static str, &'f str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.1.is_empty() { Ok(()) } else { write!(f, "{}{}", self.0, self.1) }
    }
}
