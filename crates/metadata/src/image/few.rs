//! A list of few: up to `N` elements lie in place, without an allocation, and more of them elsewhere.
//!
//! A partition has seven lists of brokers and directories, most of them empty and nearly all of them short, and there
//! are very many partitions.

use std::fmt;
use std::ops::Deref;

/// A list that is made whole and read as a slice.
#[derive(Clone)]
pub struct Few<T, const N: usize>(Kept<T, N>);

#[derive(Clone)]
enum Kept<T, const N: usize> {
    Here(u8, [T; N]),
    #[expect(clippy::box_collection, reason = "a list in place is not to be wider for the sake of long ones")]
    Elsewhere(Box<Vec<T>>),
}

impl<T: Copy + Default, const N: usize> Few<T, N> {
    /// The elements.
    pub fn as_slice(&self) -> &[T] {
        match &self.0 {
            Kept::Here(length, elements) => &elements[..usize::from(*length)],
            Kept::Elsewhere(elements) => elements,
        }
    }

    /// Drops all elements.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<T: Copy + Default, const N: usize> Default for Few<T, N> {
    fn default() -> Self {
        Self(Kept::Here(0, [T::default(); N]))
    }
}

impl<T: Copy + Default, const N: usize> Deref for Few<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.as_slice()
    }
}

impl<T: Copy + Default, const N: usize> FromIterator<T> for Few<T, N> {
    fn from_iter<I: IntoIterator<Item = T>>(iterator: I) -> Self {
        let (mut elements, mut length) = ([T::default(); N], 0);
        let mut rest = iterator.into_iter();
        while let Some(element) = rest.next() {
            if length == N {
                let mut long = elements.to_vec();
                long.push(element);
                long.extend(rest);
                long.shrink_to_fit();
                return Self(Kept::Elsewhere(Box::new(long)));
            }
            elements[length] = element;
            length += 1;
        }
        Self(Kept::Here(length as u8, elements))
    }
}

impl<T: Copy + Default, const N: usize> From<Vec<T>> for Few<T, N> {
    fn from(elements: Vec<T>) -> Self {
        elements.into_iter().collect()
    }
}

impl<'a, T: Copy + Default, const N: usize> IntoIterator for &'a Few<T, N> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Copy + Default + PartialEq, const N: usize> PartialEq for Few<T, N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<T: Copy + Default + Eq, const N: usize> Eq for Few<T, N> {}

impl<T: Copy + Default + PartialEq, const N: usize, const M: usize> PartialEq<[T; M]> for Few<T, N> {
    fn eq(&self, other: &[T; M]) -> bool {
        self.as_slice() == other
    }
}

impl<T: Copy + Default + fmt::Debug, const N: usize> fmt::Debug for Few<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use protocol::id::{DirectoryId, NodeId};

    use super::*;

    #[test]
    fn lists_of_any_length_hold_what_they_were_made_of() {
        for length in 0..9 {
            let elements: Vec<i32> = (0..length).collect();
            let few: Few<i32, 3> = elements.iter().copied().collect();
            assert_eq!(few.as_slice(), elements);
            assert_eq!(few.clone(), Few::from(elements));
            assert_eq!(few == [0, 1, 2, 3, 4], length == 5);
            assert_eq!(few.iter().sum::<i32>(), (0..length).sum());
        }
    }

    #[test]
    fn a_cleared_list_is_as_one_that_was_never_filled() {
        let mut few: Few<i32, 1> = [1, 2].into_iter().collect();
        few.clear();
        assert!(few.is_empty() && few == Few::default());
    }

    #[test]
    fn a_list_takes_no_more_room_than_its_purpose_needs() {
        assert_eq!((size_of::<Few<NodeId, 3>>(), size_of::<Few<DirectoryId, 1>>()), (16, 24));
    }
}
