//! The groups of a shard, found by a hash of their ids.
//!
//! Groups of one application are called alike, each id lies in a place of its own, and most requests are of a group that none of the
//! last thousand was about. A search by id would go to a dozen of these places, and each costs more than deciding about the
//! request; hashes lie side by side.
//!
//! A group whose hash another has already is kept by its id, so that who makes up such ids slows down nobody else.

mod table;

use std::collections::BTreeMap;

use twox_hash::XxHash3_64;

use self::table::Table;
use super::{Group, GroupId};

/// A group with its id. It begins with a line of a cache, so that what is read first of it comes with as few as can be.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Entry {
    id: GroupId,
    group: Group,
}

impl Entry {
    fn parts(&self) -> (&GroupId, &Group) {
        (&self.id, &self.group)
    }
}

/// The groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    /// Each apart from the others, so that a search goes through little memory.
    first: Table<Entry>,
    /// Those whose hash one of the first has, or for which there was no place among them, when they came.
    others: BTreeMap<GroupId, Group>,
}

fn hash(id: &str) -> u64 {
    XxHash3_64::oneshot(id.as_bytes())
}

impl Groups {
    pub(super) fn get(&self, id: &str) -> Option<&Group> {
        self.get_key_value(id).map(|(_, group)| group)
    }

    /// A group, with its id as it is kept.
    pub(super) fn get_key_value(&self, id: &str) -> Option<(&GroupId, &Group)> {
        self.get_hashed(hash(id), id)
    }

    fn get_hashed(&self, hash: u64, id: &str) -> Option<(&GroupId, &Group)> {
        match self.first.get(hash) {
            Some(entry) if *entry.id == *id => Some(entry.parts()),
            _ => self.others.get_key_value(id),
        }
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Group> {
        self.get_mut_hashed(hash(id), id)
    }

    fn get_mut_hashed(&mut self, hash: u64, id: &str) -> Option<&mut Group> {
        match self.first.get_mut(hash) {
            Some(entry) if *entry.id == *id => Some(&mut entry.group),
            _ => self.others.get_mut(id),
        }
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.get(id).is_some()
    }

    /// A group is there now, in the place of whichever had that id.
    pub(super) fn insert(&mut self, id: GroupId, group: Group) {
        self.insert_hashed(hash(&id), id, group);
    }

    fn insert_hashed(&mut self, hash: u64, id: GroupId, group: Group) {
        match self.first.get_mut(hash) {
            Some(entry) if entry.id == id => *entry = Entry { id, group },
            None if !self.others.contains_key(&id) => {
                if let Err(entry) = self.first.insert(hash, Box::new(Entry { id, group })) {
                    self.others.insert(entry.id, entry.group);
                }
            }
            _ => drop(self.others.insert(id, group)),
        }
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.remove_hashed(hash(id), id);
    }

    fn remove_hashed(&mut self, hash: u64, id: &str) {
        if self.first.get(hash).is_some_and(|entry| *entry.id == *id) {
            self.first.remove(hash);
        } else {
            self.others.remove(id);
        }
    }

    /// All of them, in an order that is no order of their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&GroupId, &Group)> {
        self.first.iter().map(Entry::parts).chain(&self.others)
    }

    /// In the same order those from this one on, or from where it would be; all where none is named. One that went and came again
    /// while another had taken its hash is among the others then, and those between are passed over: that takes ids made up for
    /// it, and the next time all are gone through finds them.
    pub(super) fn iter_from(&self, id: Option<&GroupId>) -> impl Iterator<Item = (&GroupId, &Group)> {
        let is_other = id.filter(|id| self.others.contains_key(&***id));
        let first = match (is_other, id) {
            (Some(_), _) => None,
            (None, Some(id)) => Some(self.first.iter_from(hash(id))),
            (None, None) => Some(self.first.iter_from(0)),
        };
        let first = first.into_iter().flatten().map(Entry::parts);
        let others = match is_other {
            Some(id) => self.others.range(id.clone()..),
            None => self.others.range::<GroupId, _>(..),
        };
        first.chain(others)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&GroupId, &mut Group)> {
        let first = self.first.iter_mut().map(|entry| (&entry.id, &mut entry.group));
        first.chain(&mut self.others)
    }
}

#[cfg(test)]
mod tests {
    use super::super::classic::ClassicGroup;
    use super::*;

    fn group() -> Group {
        Group::Classic(ClassicGroup::default())
    }

    fn ids<'g>(groups: impl Iterator<Item = (&'g GroupId, &'g Group)>) -> Vec<GroupId> {
        groups.map(|(id, _)| id.clone()).collect()
    }

    const IDS: [&str; 3] = ["a", "b", "c"];

    /// Groups whose ids have one hash, 7.
    fn with_one_hash() -> Groups {
        let mut groups = Groups::default();
        for id in IDS {
            groups.insert_hashed(7, id.into(), group());
        }
        groups
    }

    #[test]
    fn groups_of_one_hash_are_each_found_and_go_one_by_one() {
        // Who is there, after each of these orders of going and coming: a group of that hash and none other.
        for (goes, other) in [("a", "b"), ("b", "a"), ("c", "a")] {
            let mut groups = with_one_hash();
            for id in IDS {
                assert_eq!(groups.get_hashed(7, id).map(|(known, _)| &**known), Some(id));
            }
            assert!(groups.get_hashed(7, "d").is_none() && groups.get_mut_hashed(7, "d").is_none());
            *groups.get_mut_hashed(7, other).unwrap() = Group::Streams(Box::default());
            let are_streams = IDS.map(|id| matches!(groups.get_hashed(7, id), Some((_, Group::Streams(_)))));
            assert_eq!(are_streams, IDS.map(|id| id == other));
            groups.remove_hashed(7, "d");
            groups.remove_hashed(7, goes);
            assert_eq!(IDS.map(|id| groups.get_hashed(7, id).is_some()), IDS.map(|id| id != goes));
            // One that comes again, or is put in its own place, is there once.
            for id in IDS {
                groups.insert_hashed(7, id.into(), group());
            }
            assert_eq!(groups.iter().count(), 3);
            IDS.iter().for_each(|id| groups.remove_hashed(7, id));
            assert_eq!(groups.iter().count(), 0);
        }
    }

    #[test]
    fn who_goes_on_from_a_group_passes_over_none_behind_it() {
        let mut groups = Groups::default();
        for id in IDS {
            groups.insert_hashed(hash("a"), id.into(), group());
        }
        for number in 0..100 {
            groups.insert(format!("group-{number}").into(), group());
        }
        let all = ids(groups.iter());
        assert_eq!(all.len(), 103);
        assert_eq!(ids(groups.iter_from(None)), all);
        for (place, id) in all.iter().enumerate() {
            assert_eq!(ids(groups.iter_from(Some(id))), all[place..]);
            let mut without = groups.clone();
            without.remove(id);
            // Those behind it come, and maybe some before it once more.
            let rest = ids(without.iter_from(Some(id)));
            assert!(all[place + 1..].iter().all(|behind| rest.contains(behind)), "behind {id}");
        }
        assert_eq!(groups.iter_mut().count(), 103);
    }
}
