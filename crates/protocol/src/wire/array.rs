//! Arrays that are decoded while they are iterated.

use std::fmt;

use super::{ELEMENTS_MAX, Malformed, Reader, Unwritable, Value, Writer};
use crate::messages::schema::Type;

/// An array of a message: either bytes of a frame that were walked once and hold `count` sound elements, or
/// elements built here. Decoding one allocates nothing, however many elements the bytes claim.
#[derive(Clone)]
pub enum Array<'a, T> {
    /// Elements still in their bytes.
    Wire {
        /// The bytes of all elements.
        bytes: &'a [u8],
        /// How many there are.
        count: usize,
        /// The version they are in.
        version: i16,
        /// Whether that version is flexible.
        flexible: bool,
    },
    /// Elements at hand.
    Owned(Vec<T>),
}

impl<'a, T> Array<'a, T> {
    /// How many elements there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Wire { count, .. } => *count,
            Self::Owned(elements) => elements.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a, T: Value<'a>> Array<'a, T> {
    /// The elements by value, each decoded as it is asked for.
    pub fn iter(&self) -> Iter<'_, 'a, T> {
        match self {
            Self::Wire { bytes, count, version, flexible } => {
                Iter(Source::Wire { reader: Reader::new(bytes, *version, *flexible), left: *count })
            }
            Self::Owned(elements) => Iter(Source::Owned(elements.iter())),
        }
    }

    /// The elements in a vector.
    pub fn into_vec(self) -> Vec<T> {
        match self {
            Self::Wire { .. } => self.iter().collect(),
            Self::Owned(elements) => elements,
        }
    }

    fn read_elements(reader: &mut Reader<'a>, count: usize) -> Result<Self, Malformed> {
        let all = reader.rest();
        reader.count_elements(count);
        // Every element takes at least a byte, so that a count costs no more walking than there are bytes.
        let refusal = Malformed::TooManyElements { count, remaining: all.len() };
        if count > all.len() / T::FIXED_LEN.unwrap_or(1) {
            return Err(refusal);
        }
        if count > ELEMENTS_MAX {
            return Err(Malformed::ArrayTooLong(count));
        }
        match T::FIXED_LEN {
            Some(len) => {
                reader.take(count * len)?;
            }
            None => {
                for _ in 0..count {
                    T::read(reader)?;
                }
            }
        }
        let bytes = &all[..all.len() - reader.rest().len()];
        // Said again of the elements' own bytes: what follows them is not there when they are read once more.
        if count > bytes.len() {
            return Err(refusal);
        }
        Ok(Self::Wire { bytes, count, version: reader.version(), flexible: reader.flexible() })
    }
}

impl<'a, T: Value<'a>> Value<'a> for Array<'a, T> {
    type Static = Array<'static, T::Static>;
    const TYPE: Type = Type::Array(&T::TYPE);

    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Self::read_nullable(reader)?.ok_or(Malformed::UnexpectedNull)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), Unwritable> {
        if let Some(made) = writer.take_made(std::ptr::from_ref(self).addr()) {
            return writer.made(made);
        }
        writer.length(Some(self.len()))?;
        match self {
            Self::Wire { .. } => self.iter().try_for_each(|element| element.write(writer)),
            Self::Owned(elements) => elements.iter().try_for_each(|element| element.write(writer)),
        }
    }

    fn is_default(&self) -> bool {
        self.is_empty()
    }

    #[inline]
    fn into_owned(self) -> Self::Static {
        let elements = match self {
            Self::Wire { .. } => self.iter().map(T::into_owned).collect(),
            Self::Owned(elements) => elements.into_iter().map(T::into_owned).collect(),
        };
        Array::Owned(elements)
    }

    fn read_nullable(reader: &mut Reader<'a>) -> Result<Option<Self>, Malformed> {
        match reader.length()? {
            None => Ok(None),
            Some(count) => Self::read_elements(reader, count).map(Some),
        }
    }

    fn write_nullable(value: Option<&Self>, writer: &mut Writer<'_>) -> Result<(), Unwritable> {
        match value {
            None => writer.length(None),
            Some(array) => array.write(writer),
        }
    }
}

impl<T> Default for Array<'_, T> {
    fn default() -> Self {
        Self::Owned(Vec::new())
    }
}

impl<T> From<Vec<T>> for Array<'_, T> {
    fn from(elements: Vec<T>) -> Self {
        Self::Owned(elements)
    }
}

impl<T, const N: usize> From<[T; N]> for Array<'_, T> {
    fn from(elements: [T; N]) -> Self {
        Self::Owned(elements.into())
    }
}

impl<T> FromIterator<T> for Array<'_, T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        Self::Owned(elements.into_iter().collect())
    }
}

impl<'a, T: Value<'a>> PartialEq for Array<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<'a, T: Value<'a>> fmt::Debug for Array<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'s, 'a, T: Value<'a>> IntoIterator for &'s Array<'a, T> {
    type Item = T;
    type IntoIter = Iter<'s, 'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The elements of an [`Array`], by value.
#[derive(Clone, Debug)]
pub struct Iter<'s, 'a, T>(Source<'s, 'a, T>);

#[derive(Clone, Debug)]
enum Source<'s, 'a, T> {
    Wire { reader: Reader<'a>, left: usize },
    Owned(std::slice::Iter<'s, T>),
}

impl<'a, T: Value<'a>> Iterator for Iter<'_, 'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match &mut self.0 {
            Source::Owned(elements) => elements.next().cloned(),
            Source::Wire { left: 0, .. } => None,
            Source::Wire { reader, left } => {
                *left -= 1;
                Some(T::read(reader).expect("the same bytes were read when the array was"))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match &self.0 {
            Source::Wire { left, .. } => *left,
            Source::Owned(elements) => elements.len(),
        };
        (left, Some(left))
    }
}

impl<'a, T: Value<'a>> ExactSizeIterator for Iter<'_, 'a, T> {}
