//! Who has which partition while an assignment is worked out, members by their number in the order of their ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::{PartitionIndex, TopicId};

use super::{Assignment, AssignorError, GroupSpec, MemberSpec, Partitions, TopicsSpec};
use crate::group::MemberId;

/// A member's number.
pub(super) type Number = usize;

/// Who has what.
pub(super) struct Ownership<'a> {
    pub(super) members: Vec<(&'a MemberId, &'a MemberSpec)>,
    /// The owner of each partition of each topic that anybody reads.
    pub(super) owners: BTreeMap<TopicId, Vec<Option<Number>>>,
    /// How many partitions each member has.
    pub(super) loads: Vec<usize>,
    /// Whether a member's part is to be made anew.
    touched: Vec<bool>,
}

impl<'a> Ownership<'a> {
    /// What the members have, as far as they still read it and it is there.
    pub(super) fn of(group: &'a GroupSpec, topics: &TopicsSpec) -> Result<Self, AssignorError> {
        let members: Vec<_> = group.members.iter().collect();
        let mut owners: BTreeMap<TopicId, Vec<Option<Number>>> = BTreeMap::new();
        let mut last = None;
        for (_, member) in &members {
            if last.replace(&member.topics).is_some_and(|last| Arc::ptr_eq(last, &member.topics)) {
                continue;
            }
            for topic in &*member.topics {
                if !owners.contains_key(topic) {
                    owners.insert(*topic, vec![None; topics.partitions(*topic)?]);
                }
            }
        }
        let count = members.len();
        let mut taken = Self { members, owners, loads: vec![0; count], touched: vec![false; count] };
        for number in 0..count {
            taken.take_over(number);
        }
        Ok(taken)
    }

    fn take_over(&mut self, number: Number) {
        let (_, member) = self.members[number];
        for (topic, partitions) in &*member.assigned {
            let owners = self.owners.get_mut(topic).filter(|_| member.topics.contains(topic));
            let Some(owners) = owners else {
                self.touched[number] = true;
                continue;
            };
            for partition in partitions {
                match usize::try_from(partition.0).ok().and_then(|place| owners.get_mut(place)) {
                    Some(owner @ None) => {
                        *owner = Some(number);
                        self.loads[number] += 1;
                    }
                    // Not there, or another's: whoever recorded that was wrong.
                    _ => self.touched[number] = true,
                }
            }
        }
    }

    /// Gives a partition to a member, whoever had it.
    pub(super) fn give(&mut self, topic: TopicId, place: usize, to: Number) {
        self.release(topic, place);
        if let Some(owner) = self.owners.get_mut(&topic).and_then(|owners| owners.get_mut(place)) {
            *owner = Some(to);
            self.loads[to] += 1;
            self.touched[to] = true;
        }
    }

    /// Takes a partition away from whoever has it.
    pub(super) fn release(&mut self, topic: TopicId, place: usize) {
        let owner = self.owners.get_mut(&topic).and_then(|owners| owners.get_mut(place));
        if let Some(from) = owner.and_then(Option::take) {
            self.loads[from] -= 1;
            self.touched[from] = true;
        }
    }

    /// The partitions of a topic that nobody has.
    pub(super) fn free(&self, topic: TopicId) -> Vec<usize> {
        let owners = self.owners.get(&topic).map(Vec::as_slice).unwrap_or_default();
        owners.iter().enumerate().filter(|(_, owner)| owner.is_none()).map(|(place, _)| place).collect()
    }

    /// The assignment that this is.
    pub(super) fn assignment(self) -> Assignment {
        let mut parts: Vec<Option<Partitions>> =
            self.touched.iter().map(|touched| touched.then(Partitions::new)).collect();
        for (topic, owners) in &self.owners {
            for (place, owner) in owners.iter().enumerate() {
                if let Some(part) = owner.and_then(|owner| parts[owner].as_mut()) {
                    part.entry(*topic).or_default().insert(index(place));
                }
            }
        }
        let parts = self.members.iter().zip(parts).map(|((id, member), part)| {
            // A partition may have gone and come back.
            let part = part.filter(|part| *part != *member.assigned).map(Arc::new);
            ((*id).clone(), part.unwrap_or_else(|| member.assigned.clone()))
        });
        parts.collect()
    }
}

/// The partition at a place.
pub(super) fn index(place: usize) -> PartitionIndex {
    PartitionIndex(i32::try_from(place).expect("a topic has at most i32::MAX partitions"))
}
