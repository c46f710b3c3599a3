//! What can stand in a message.

use std::borrow::Cow;
use std::fmt::Debug;

use super::{Malformed, Reader, Unwritable, Writer};
use crate::id::Uuid;
use crate::messages::schema::Type;

/// A value of a message: a number, string, bytes, array or struct. `'a` is the frame it may borrow from.
pub trait Value<'a>: Clone + PartialEq + Debug + Sized {
    /// The value with everything it borrowed copied, free of the frame.
    type Static: Value<'static>;

    /// What Kafka calls its type.
    const TYPE: Type;

    /// The bytes that every value takes, where all take as many.
    const FIXED_LEN: Option<usize> = None;

    /// Reads a value off the front of the bytes.
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed>;

    /// Appends the value.
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), Unwritable>;

    /// Whether it is Kafka's default where the declaration names none: zero, empty, or all defaults.
    fn is_default(&self) -> bool;

    /// Copies what is borrowed.
    fn into_owned(self) -> Self::Static;

    /// Reads a value that may be null. Structs have a byte before them that says so.
    fn read_nullable(reader: &mut Reader<'a>) -> Result<Option<Self>, Malformed> {
        let [mark] = reader.take_array()?;
        if (mark as i8) < 0 { Ok(None) } else { Self::read(reader).map(Some) }
    }

    /// Appends a value that may be null.
    fn write_nullable(value: Option<&Self>, writer: &mut Writer<'_>) -> Result<(), Unwritable> {
        match value {
            None => writer.raw(&[0xff]),
            Some(value) => {
                writer.raw(&[1]);
                value.write(writer)?;
            }
        }
        Ok(())
    }
}

macro_rules! number {
    ($($int:ty => $name:ident),*) => {$(
        impl Value<'_> for $int {
            type Static = Self;
            const TYPE: Type = Type::$name;
            const FIXED_LEN: Option<usize> = Some(size_of::<$int>());

            fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
                Ok(Self::from_be_bytes(reader.take_array()?))
            }

            fn write(&self, writer: &mut Writer<'_>) -> Result<(), Unwritable> {
                writer.raw(&self.to_be_bytes());
                Ok(())
            }

            fn is_default(&self) -> bool {
                *self == Self::default()
            }

            #[inline]
            fn into_owned(self) -> Self {
                self
            }
        }
    )*};
}

number!(i8 => Int8, i16 => Int16, i32 => Int32, i64 => Int64, u16 => Uint16, u32 => Uint32, f64 => Float64);

impl Value<'_> for bool {
    type Static = Self;
    const TYPE: Type = Type::Bool;
    const FIXED_LEN: Option<usize> = Some(1);

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        // Any byte but zero is true to Kafka.
        let [byte] = reader.take_array()?;
        Ok(byte != 0)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), Unwritable> {
        writer.raw(&[u8::from(*self)]);
        Ok(())
    }

    fn is_default(&self) -> bool {
        !*self
    }

    #[inline]
    fn into_owned(self) -> Self {
        self
    }
}

impl Value<'_> for Uuid {
    type Static = Self;
    const TYPE: Type = Type::Uuid;
    const FIXED_LEN: Option<usize> = Some(16);

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self(reader.take_array()?))
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), Unwritable> {
        writer.raw(&self.0);
        Ok(())
    }

    fn is_default(&self) -> bool {
        self.is_zero()
    }

    #[inline]
    fn into_owned(self) -> Self {
        self
    }
}

impl<'a> Value<'a> for Cow<'a, str> {
    type Static = Cow<'static, str>;
    const TYPE: Type = Type::String;

    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        reader.string()?.map(Cow::Borrowed).ok_or(Malformed::UnexpectedNull)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), Unwritable> {
        writer.string(Some(self))
    }

    fn is_default(&self) -> bool {
        self.is_empty()
    }

    #[inline]
    fn into_owned(self) -> Self::Static {
        Cow::Owned(Cow::into_owned(self))
    }

    fn read_nullable(reader: &mut Reader<'a>) -> Result<Option<Self>, Malformed> {
        Ok(reader.string()?.map(Cow::Borrowed))
    }

    fn write_nullable(value: Option<&Self>, writer: &mut Writer<'_>) -> Result<(), Unwritable> {
        writer.string(value.map(|text| &**text))
    }
}

impl<'a> Value<'a> for Cow<'a, [u8]> {
    type Static = Cow<'static, [u8]>;
    const TYPE: Type = Type::Bytes;

    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Self::read_nullable(reader)?.ok_or(Malformed::UnexpectedNull)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), Unwritable> {
        Self::write_nullable(Some(self), writer)
    }

    fn is_default(&self) -> bool {
        self.is_empty()
    }

    #[inline]
    fn into_owned(self) -> Self::Static {
        Cow::Owned(Cow::into_owned(self))
    }

    fn read_nullable(reader: &mut Reader<'a>) -> Result<Option<Self>, Malformed> {
        let Some(length) = reader.length()? else { return Ok(None) };
        Ok(Some(Cow::Borrowed(reader.take(length)?)))
    }

    fn write_nullable(value: Option<&Self>, writer: &mut Writer<'_>) -> Result<(), Unwritable> {
        writer.length(value.map(|bytes| bytes.len()))?;
        writer.raw(value.map(|bytes| &**bytes).unwrap_or_default());
        Ok(())
    }
}
