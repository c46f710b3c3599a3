//! Walks the bytes of one message.

use super::{Malformed, STRING_BYTES_MAX, TAGS_MAX, Value, varint};
use crate::messages::schema::Type;

/// The rest of a message's bytes, with what is needed to know their meaning.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    version: i16,
    flexible: bool,
    field: &'static str,
    elements: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes` as `version`, which the caller knows to be flexible or not.
    pub fn new(bytes: &'a [u8], version: i16, flexible: bool) -> Self {
        Self { bytes, version, flexible, field: "", elements: 0 }
    }

    /// The version the bytes are read in.
    pub fn version(&self) -> i16 {
        self.version
    }

    /// Whether lengths are varints and structs end with tagged fields (KIP-482).
    pub fn flexible(&self) -> bool {
        self.flexible
    }

    /// The innermost field that reading has come to, in Kafka's spelling.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// How many elements of arrays have been read, those within elements too.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// Counts the elements of an array.
    pub(super) fn count_elements(&mut self, count: usize) {
        self.elements = self.elements.saturating_add(count);
    }

    /// The bytes that are not yet read.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// Reads the field `name`.
    pub fn get<T: Value<'a>>(&mut self, name: &'static str) -> Result<T, Malformed> {
        self.field = name;
        T::read(self)
    }

    /// Reads the field `name`, which may be null if `nullable`: that is a matter of the version.
    pub fn get_nullable<T: Value<'a>>(
        &mut self,
        name: &'static str,
        nullable: bool,
    ) -> Result<Option<T>, Malformed> {
        self.field = name;
        if nullable { T::read_nullable(self) } else { T::read(self).map(Some) }
    }

    /// Reads the tagged field `name`, which may be null if `nullable`. Among tagged fields a varint says whether a
    /// struct is there, elsewhere it is a byte.
    pub fn get_tagged_nullable<T: Value<'a>>(
        &mut self,
        name: &'static str,
        nullable: bool,
    ) -> Result<Option<T>, Malformed> {
        let is_struct = matches!(T::TYPE, Type::Struct(_));
        self.field = name;
        if nullable && is_struct && self.unsigned_varint()? == 0 {
            return Ok(None);
        }
        self.get_nullable(name, nullable && !is_struct)
    }

    /// Reads the field `name` as an inflexible version has it, whatever this version is.
    pub fn get_inflexible<T: Value<'a>>(
        &mut self,
        name: &'static str,
        nullable: bool,
    ) -> Result<Option<T>, Malformed> {
        let flexible = std::mem::replace(&mut self.flexible, false);
        let value = self.get_nullable(name, nullable);
        self.flexible = flexible;
        value
    }

    /// Reads the tagged fields that end a struct of a flexible version; reads nothing in others. `known` gets
    /// each tag with its bytes and says whether it knows the tag; an unknown field is passed over. As in Kafka, tags
    /// may stand in any order, and of equal ones the last stands.
    pub fn tags(
        &mut self,
        mut known: impl FnMut(u32, &mut Reader<'a>) -> Result<bool, Malformed>,
    ) -> Result<(), Malformed> {
        if !self.flexible {
            return Ok(());
        }
        let count = self.unsigned_varint()?;
        if count > TAGS_MAX {
            return Err(Malformed::TooManyTags(count));
        }
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            let size = self.unsigned_varint()? as usize;
            let mut value = Reader { bytes: self.take(size)?, ..*self };
            let outcome = known(tag, &mut value);
            self.field = value.field;
            self.elements = value.elements;
            if outcome? && !value.bytes.is_empty() {
                return Err(Malformed::TagTooLong { tag, unread: value.bytes.len() });
            }
        }
        Ok(())
    }

    /// Passes over the tagged fields of a struct that knows none.
    pub fn no_tags(&mut self) -> Result<(), Malformed> {
        self.tags(|_, _| Ok(false))
    }

    /// Takes `len` bytes off the front.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        #[cfg(test)]
        super::work::count_step();
        let Some((taken, rest)) = self.bytes.split_at_checked(len) else {
            return Err(Malformed::TooShort { needed: len, remaining: self.bytes.len() });
        };
        self.bytes = rest;
        Ok(taken)
    }

    /// Takes `N` bytes off the front.
    pub fn take_array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        #[cfg(test)]
        super::work::count_step();
        let Some((taken, rest)) = self.bytes.split_first_chunk() else {
            return Err(Malformed::TooShort { needed: N, remaining: self.bytes.len() });
        };
        self.bytes = rest;
        Ok(*taken)
    }

    /// Takes an unsigned varint off the front.
    pub fn unsigned_varint(&mut self) -> Result<u32, Malformed> {
        #[cfg(test)]
        super::work::count_step();
        varint::take(&mut self.bytes)
    }

    /// Reads the length of bytes or the count of an array; `None` is null.
    pub fn length(&mut self) -> Result<Option<usize>, Malformed> {
        if self.flexible {
            return self.compact_length();
        }
        Ok(length_of(i32::from_be_bytes(self.take_array()?)))
    }

    /// Reads a string, or null.
    pub fn string(&mut self) -> Result<Option<&'a str>, Malformed> {
        let length = if self.flexible {
            self.compact_length()?
        } else {
            length_of(i32::from(i16::from_be_bytes(self.take_array()?)))
        };
        let Some(length) = length else { return Ok(None) };
        if length > STRING_BYTES_MAX {
            return Err(Malformed::StringTooLong(length));
        }
        let bytes = self.take(length)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(error) => Err(Malformed::NotUtf8(error.valid_up_to())),
        }
    }

    fn compact_length(&mut self) -> Result<Option<usize>, Malformed> {
        Ok((self.unsigned_varint()? as usize).checked_sub(1))
    }
}

/// As in Kafka, any negative length is null.
fn length_of(number: i32) -> Option<usize> {
    usize::try_from(number).ok()
}
