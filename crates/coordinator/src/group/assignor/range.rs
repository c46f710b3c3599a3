//! `range`: each topic is cut into as many stretches as it has readers, the first ones longer by one where it does
//! not come out even. Topics of one size and with the same readers are cut alike, so that who reads partition 3 of one
//! reads partition 3 of the others. It is not sticky, but members keep their order: static ones come first, by the
//! names they gave themselves, which survive a restart.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::TopicId;

use super::ownership::index;
use super::{Assignment, AssignorError, GroupSpec, MemberSpec, Partitions, TopicsSpec};
use crate::group::MemberId;

/// How much of a topic is given out.
struct Cut {
    partitions: usize,
    readers: usize,
    /// How many readers have had their part.
    served: usize,
    /// Where the next part begins.
    next: usize,
}

impl Cut {
    /// The next reader's stretch.
    fn next_part(&mut self) -> std::ops::Range<usize> {
        let longer = self.served < self.partitions % self.readers;
        let begin = self.next;
        self.next += self.partitions / self.readers + usize::from(longer);
        self.served += 1;
        begin..self.next
    }
}

/// Assigns.
pub(super) fn assign(group: &GroupSpec, topics: &TopicsSpec) -> Result<Assignment, AssignorError> {
    let mut members: Vec<(&MemberId, &MemberSpec)> = group.members.iter().collect();
    members.sort_by(|one, other| static_first(*one, *other));
    let mut cuts: BTreeMap<TopicId, Cut> = BTreeMap::new();
    for topic in members.iter().flat_map(|(_, member)| &*member.topics) {
        if let Some(cut) = cuts.get_mut(topic) {
            cut.readers += 1;
        } else {
            let partitions = topics.partitions(*topic)?;
            cuts.insert(*topic, Cut { partitions, readers: 1, served: 0, next: 0 });
        }
    }
    let mut assignment = Assignment::new();
    for (id, member) in members {
        let mut part = Partitions::new();
        for topic in &*member.topics {
            let stretch = cuts.get_mut(topic).map(Cut::next_part).unwrap_or_default();
            if !stretch.is_empty() {
                part.insert(*topic, stretch.map(index).collect());
            }
        }
        let part = if part == *member.assigned { member.assigned.clone() } else { Arc::new(part) };
        assignment.insert(id.clone(), part);
    }
    Ok(assignment)
}

fn static_first(
    (one_id, one): (&MemberId, &MemberSpec),
    (other_id, other): (&MemberId, &MemberSpec),
) -> Ordering {
    match (&one.instance, &other.instance) {
        (Some(one), Some(other)) => javas_order(one, other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => javas_order(one_id, other_id),
    }
}

/// Java compares text by UTF-16 units.
fn javas_order(one: &str, other: &str) -> Ordering {
    one.encode_utf16().cmp(other.encode_utf16())
}
