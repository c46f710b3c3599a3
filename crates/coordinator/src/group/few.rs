//! A map in order that takes no more than its entries while these are few, and of which a copy costs little when they are many.
//!
//! Most groups have a handful of members, and there are very many groups: a node of the tree that large ones share with their
//! copies has room for sixteen entries from the first on, and is kept when the last has gone. The only entry of a map lies in
//! the map itself, so that who looks for it goes nowhere else. A map says nothing of what its entries mean.

use std::borrow::Borrow;
use std::fmt::{self, Debug, Formatter};
use std::slice;

use imbl::OrdMap;
use imbl::ordmap;
use imbl::shared_ptr::DefaultSharedPtr;

/// More entries than these lie in a tree.
const FEW_MAX: usize = 8;

/// The map.
#[derive(Clone)]
pub enum Few<K, V> {
    /// With one entry.
    One([(K, V); 1]),
    /// With none, or several, in order.
    Several(Vec<(K, V)>),
    /// With many.
    Many(OrdMap<K, V>),
}

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl<K, V> Few<K, V> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Several(list) => list.len(),
            Self::Many(map) => map.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<K: Ord + Clone, V: Clone> Few<K, V> {
    /// The value of a key, with the key as it is kept.
    pub fn get_key_value<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        let list: &[(K, V)] = match self {
            Self::One([(known, value)]) => return (known.borrow() == key).then_some((known, value)),
            Self::Several(list) => list,
            Self::Many(map) => return map.get_key_value(key),
        };
        let (known, value) = &list[place(list, key).ok()?];
        Some((known, value))
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.get_key_value(key).map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::One([(known, value)]) => ((*known).borrow() == key).then_some(value),
            Self::Several(list) => place(list, key).ok().map(|place| &mut list[place].1),
            Self::Many(map) => map.get_mut(key),
        }
    }

    /// Whether there is such a key.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// A key has this value from now on; the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if self.is_empty() {
            *self = Self::One([(key, value)]);
            return None;
        }
        if let Self::One([(known, of_known)]) = self
            && *known == key
        {
            return Some(std::mem::replace(of_known, value));
        }
        let mut list = match std::mem::take(self) {
            Self::Many(mut map) => {
                let before = map.insert(key, value);
                *self = Self::Many(map);
                return before;
            }
            Self::One(only) => Vec::from(only),
            Self::Several(list) => list,
        };
        let before = match place(&list, &key) {
            Ok(place) => Some(std::mem::replace(&mut list[place].1, value)),
            Err(_) if list.len() == FEW_MAX => {
                let mut map: OrdMap<K, V> = list.into_iter().collect();
                map.insert(key, value);
                *self = Self::Many(map);
                return None;
            }
            Err(place) => {
                list.insert(place, (key, value));
                None
            }
        };
        *self = Self::Several(list);
        before
    }

    /// A key has no value any more; what was there.
    pub fn remove_entry<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        if let Self::Many(map) = self {
            let removed = map.remove_with_key(key)?;
            // Not at the very number: one that comes and goes would have all moved to and fro.
            if map.len() <= FEW_MAX / 2 {
                *self = Self::Several(std::mem::take(map).into_iter().collect());
            }
            return Some(removed);
        }
        if !self.contains_key(key) {
            return None;
        }
        let mut list = match std::mem::take(self) {
            Self::One([only]) => return Some(only),
            Self::Several(list) => list,
            Self::Many(map) => map.into_iter().collect(),
        };
        let removed = place(&list, key).ok().map(|place| list.remove(place));
        *self = match <[(K, V); 1]>::try_from(list) {
            Ok(only) => Self::One(only),
            Err(list) => Self::Several(list),
        };
        removed
    }

    /// The same, without the key.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.remove_entry(key).map(|(_, value)| value)
    }

    /// All entries in order.
    pub fn iter(&self) -> Iter<'_, K, V> {
        match self {
            Self::One(only) => Iter::Few(only.iter()),
            Self::Several(list) => Iter::Few(list.iter()),
            Self::Many(map) => Iter::Many(map.iter()),
        }
    }

    /// The keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The first entry.
    pub fn first(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    /// The last one.
    pub fn last(&self) -> Option<(&K, &V)> {
        match self {
            Self::One([(key, value)]) => Some((key, value)),
            Self::Several(list) => list.last().map(|(key, value)| (key, value)),
            Self::Many(map) => map.get_max().map(|(key, value)| (key, value)),
        }
    }
}

fn place<K: Borrow<Q>, V, Q: Ord + ?Sized>(list: &[(K, V)], key: &Q) -> Result<usize, usize> {
    list.binary_search_by(|(known, _)| known.borrow().cmp(key))
}

impl<K: Ord + Clone, V: Clone> Extend<(K, V)> for Few<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        entries.into_iter().for_each(|(key, value)| drop(self.insert(key, value)));
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for Few<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut all = Self::default();
        all.extend(entries);
        all
    }
}

impl<K: Ord + Clone, V: Clone + PartialEq> PartialEq for Few<K, V> {
    /// In whatever form they lie.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<K: Ord + Clone + Debug, V: Clone + Debug> Debug for Few<K, V> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

impl<'a, K: Ord + Clone, V: Clone> IntoIterator for &'a Few<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The entries, one after the other.
pub enum Iter<'a, K, V> {
    /// Of a map with few of them.
    Few(slice::Iter<'a, (K, V)>),
    /// Of one with many.
    Many(ordmap::Iter<'a, K, V, DefaultSharedPtr>),
}

impl<'a, K: Ord, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Few(entries) => entries.next().map(|(key, value)| (key, value)),
            Self::Many(entries) => entries.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Few(entries) => entries.size_hint(),
            Self::Many(entries) => entries.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_map_that_any_other_is(changes in prop::collection::vec((any::<bool>(), 0..20u8, any::<u8>()), 0..200)) {
            let (mut few, mut known) = (Few::default(), BTreeMap::new());
            let mut before = Vec::new();
            for (comes, key, value) in changes {
                before.push((few.clone(), known.clone()));
                if comes {
                    prop_assert_eq!(few.insert(key, value), known.insert(key, value));
                } else {
                    prop_assert_eq!(few.remove_entry(&key), known.remove_entry(&key));
                }
                prop_assert_eq!(few.len(), known.len());
                prop_assert_eq!(few.is_empty(), known.is_empty());
                prop_assert!(few.iter().eq(&known), "{:?} for {:?}", few, known);
                prop_assert_eq!((few.first(), few.last()), (known.first_key_value(), known.last_key_value()));
                for key in 0..20 {
                    prop_assert_eq!(few.get_key_value(&key), known.get_key_value(&key));
                    prop_assert_eq!(few.get_mut(&key), known.get_mut(&key));
                }
                // It lies in a tree only where it has to, and takes nothing where it is empty.
                let is_many = matches!(few, Few::Many(_));
                let bounds = if is_many { FEW_MAX / 2 + 1..=20 } else { 0..=FEW_MAX };
                prop_assert!(bounds.contains(&few.len()));
                prop_assert_eq!(matches!(few, Few::One(_)), few.len() == 1);
                prop_assert!(!matches!(&few, Few::Several(list) if list.is_empty() && list.capacity() > 0));
                prop_assert_eq!(&few, &known.clone().into_iter().collect());
            }
            for (copy, known) in before {
                prop_assert!(copy.iter().eq(&known), "a copy stays as it was");
            }
        }
    }
}
