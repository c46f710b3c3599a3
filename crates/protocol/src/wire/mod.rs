//! The grammar every message is made of: numbers, strings, bytes, arrays, structs and tagged fields (KIP-482).
//!
//! A [`Reader`] walks borrowed bytes and a [`Writer`] appends to a buffer; both know the version and whether it is
//! flexible, and [`Value`] is what they read and write. Decoding never allocates and never copies: strings and
//! bytes borrow from the frame, an [`Array`] is walked once to be sure of it and decoded again as it is iterated.
//! So the work is linear in the bytes times the depth of nesting, whatever lengths the bytes claim. Driven by the
//! code that `#[derive(Message)]` and `#[derive(Struct)]` write.

mod array;
mod error;
mod reader;
mod value;
pub mod varint;
mod writer;

pub use array::{Array, Iter};
pub use error::{DecodeError, EncodeError, Malformed, Unwritable};
pub use reader::Reader;
pub use value::Value;
pub use writer::{Made, WriteElement, Writer};

/// The longest string Kafka reads or writes, in bytes, flexible or not.
pub const STRING_BYTES_MAX: usize = 0x7fff;

/// The most elements of one array that Kafka reads.
pub const ELEMENTS_MAX: usize = 1_000_000;

/// The most tagged fields of one struct that Kafka reads.
pub const TAGS_MAX: u32 = 10_000;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod work;
