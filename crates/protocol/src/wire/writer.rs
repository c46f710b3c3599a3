//! Writes the bytes of one message.

use std::fmt;

use super::{STRING_BYTES_MAX, Unwritable, Value, varint};
use crate::messages::schema::Type;

/// The longest length and the largest count: a compact one is written plus one.
const LENGTH_MAX: usize = i32::MAX as usize - 1;

/// A buffer that a message is appended to, with what is needed to know which bytes it has.
#[derive(Debug)]
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
    version: i16,
    flexible: bool,
    field: &'static str,
    /// The array whose elements are made while they are written, until it is met.
    made: Option<Made<'o>>,
    /// Where the piece that is being written ends, once that is known.
    end: Option<End>,
}

/// Writes the element of a place, or a part of one.
pub type WriteElement<'e> = dyn Fn(usize, &mut Writer<'_>) -> Result<(), Unwritable> + Send + Sync + 'e;

/// An array whose elements are made while they are written, and what is to be written of it.
#[derive(Clone, Copy)]
pub struct Made<'e> {
    /// Where in memory the array stands in the message.
    pub at: usize,
    /// How many elements it has.
    pub count: usize,
    /// How many parts they are written in: each in one, or in more.
    pub parts: usize,
    /// Writes one part.
    pub write: &'e WriteElement<'e>,
    /// The part that the piece begins with.
    pub from: usize,
    /// The piece ends with the part that reaches this many bytes.
    pub bytes: usize,
    /// Where in the buffer the piece begins.
    pub start: usize,
}

impl fmt::Debug for Made<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made").field("from", &self.from).field("count", &self.count).finish_non_exhaustive()
    }
}

/// The end of a piece.
#[derive(Debug, Clone, Copy)]
struct End {
    /// The part the next piece begins with.
    next: usize,
    /// The length of the buffer.
    length: usize,
}

impl<'o> Writer<'o> {
    /// Appends to `out` as `version`, which the caller knows to be flexible or not.
    pub fn new(out: &'o mut Vec<u8>, version: i16, flexible: bool) -> Self {
        Self { out, version, flexible, field: "", made: None, end: None }
    }

    /// Has the elements of an array of the message made while they are written, as far as they belong to a piece. What
    /// stands before the array belongs to the first piece, what stands after it to the last.
    pub fn with_made(self, made: Made<'o>) -> Self {
        Self { made: Some(made), ..self }
    }

    /// Ends a piece: cuts off what does not belong to it, and says which part the next one begins with, if there is one.
    pub fn end_piece(self) -> Option<usize> {
        let End { next, length } = self.end?;
        self.out.truncate(length);
        Some(next)
    }

    /// What is to be written in the place of the array at this address, if it is the one.
    pub(super) fn take_made(&mut self, at: usize) -> Option<Made<'o>> {
        self.made.take_if(|made| made.at == at)
    }

    /// Writes an array of elements that are made one at a time, as far as it belongs to the piece.
    pub(super) fn made(&mut self, made: Made<'_>) -> Result<(), Unwritable> {
        self.length(Some(made.count))?;
        if made.from > 0 {
            self.out.truncate(made.start);
        }
        for part in made.from..made.parts {
            if part > made.from && self.out.len() - made.start >= made.bytes {
                self.end = Some(End { next: part, length: self.out.len() });
                break;
            }
            (made.write)(part, self)?;
        }
        Ok(())
    }

    /// Writes one element of an array that stands at this address in something else, as a part of that: with the first what
    /// stands before the array, with the last what stands after it.
    pub fn part(
        &mut self,
        (at, count, place): (usize, usize, usize),
        element: &WriteElement<'_>,
        around: impl FnOnce(&mut Writer<'_>) -> Result<(), Unwritable>,
    ) -> Result<(), Unwritable> {
        let start = self.out.len();
        let made = Made { at, count, parts: count, write: element, from: place, bytes: 0, start };
        let mut writer = Writer::new(self.out, self.version, self.flexible).with_made(made);
        let written = around(&mut writer);
        self.field = writer.field;
        if let Some(End { length, .. }) = writer.end {
            self.out.truncate(length);
        }
        written
    }

    /// The version that is written.
    pub fn version(&self) -> i16 {
        self.version
    }

    /// Whether lengths are varints and structs end with tagged fields (KIP-482).
    pub fn flexible(&self) -> bool {
        self.flexible
    }

    /// The innermost field that writing has come to, in Kafka's spelling.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// Appends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Writes the field `name`.
    pub fn put<'a>(&mut self, name: &'static str, value: &impl Value<'a>) -> Result<(), Unwritable> {
        self.field = name;
        value.write(self)
    }

    /// Writes the field `name`, which may be null if `nullable`: that is a matter of the version.
    pub fn put_nullable<'a, T: Value<'a>>(
        &mut self,
        name: &'static str,
        nullable: bool,
        value: &Option<T>,
    ) -> Result<(), Unwritable> {
        self.field = name;
        match value {
            _ if nullable => T::write_nullable(value.as_ref(), self),
            Some(value) => value.write(self),
            None => Err(Unwritable::UnexpectedNull),
        }
    }

    /// Writes the tagged field `name`, which may be null if `nullable`. Among tagged fields a varint says whether a
    /// struct is there, elsewhere it is a byte.
    pub fn put_tagged_nullable<'a, T: Value<'a>>(
        &mut self,
        name: &'static str,
        nullable: bool,
        value: &Option<T>,
    ) -> Result<(), Unwritable> {
        if !nullable || !matches!(T::TYPE, Type::Struct(_)) {
            return self.put_nullable(name, nullable, value);
        }
        self.unsigned_varint(value.is_some().into());
        value.as_ref().map_or(Ok(()), |value| self.put(name, value))
    }

    /// Writes the field `name` as an inflexible version has it, whatever this version is.
    pub fn put_inflexible<'a, T: Value<'a>>(
        &mut self,
        name: &'static str,
        nullable: bool,
        value: &Option<T>,
    ) -> Result<(), Unwritable> {
        let flexible = std::mem::replace(&mut self.flexible, false);
        let outcome = self.put_nullable(name, nullable, value);
        self.flexible = flexible;
        outcome
    }

    /// Refuses the field `name`, which this version lacks, unless it has its default.
    pub fn absent(&mut self, name: &'static str, is_default: bool) -> Result<(), Unwritable> {
        self.field = name;
        if is_default { Ok(()) } else { Err(Unwritable::NotInVersion) }
    }

    /// Begins the tagged fields that end a struct of a flexible version, `count` of them; writes nothing in
    /// other versions, where `count` is 0.
    pub fn tags(&mut self, count: u32) {
        if self.flexible {
            self.unsigned_varint(count);
        }
    }

    /// Writes one tagged field with what `write` writes.
    pub fn tag(
        &mut self,
        tag: u32,
        write: impl FnOnce(&mut Self) -> Result<(), Unwritable>,
    ) -> Result<(), Unwritable> {
        self.unsigned_varint(tag);
        let start = self.out.len();
        write(self)?;
        // The size stands before the value and is known after it.
        let end = self.out.len();
        let size = end - start;
        if size > LENGTH_MAX {
            return Err(Unwritable::TooLong(size));
        }
        self.unsigned_varint(size as u32);
        let size_len = self.out.len() - end;
        self.out[start..].rotate_right(size_len);
        Ok(())
    }

    /// Writes an unsigned varint.
    pub fn unsigned_varint(&mut self, number: u32) {
        varint::put(number, self.out);
    }

    /// Writes the length of bytes or the count of an array; `None` is null.
    pub fn length(&mut self, length: Option<usize>) -> Result<(), Unwritable> {
        if let Some(length) = length.filter(|&length| length > LENGTH_MAX) {
            return Err(Unwritable::TooLong(length));
        }
        match (self.flexible, length) {
            (true, None) => self.unsigned_varint(0),
            (true, Some(length)) => self.unsigned_varint(length as u32 + 1),
            (false, None) => self.raw(&(-1i32).to_be_bytes()),
            (false, Some(length)) => self.raw(&(length as i32).to_be_bytes()),
        }
        Ok(())
    }

    /// Writes a string, or null.
    pub fn string(&mut self, text: Option<&str>) -> Result<(), Unwritable> {
        let text = text.map(str::as_bytes);
        if let Some(text) = text.filter(|text| text.len() > STRING_BYTES_MAX) {
            return Err(Unwritable::StringTooLong(text.len()));
        }
        if self.flexible {
            self.length(text.map(<[u8]>::len))?;
        } else {
            self.raw(&text.map_or(-1i16, |text| text.len() as i16).to_be_bytes());
        }
        self.raw(text.unwrap_or_default());
        Ok(())
    }
}
