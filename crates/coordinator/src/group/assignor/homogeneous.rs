//! `uniform`, where all members read the same topics: everybody has a quota, keeps what he has up to it, and what is
//! left goes to whoever has less.

use protocol::id::TopicId;

use super::ownership::{Number, Ownership};
use super::{Assignment, AssignorError, GroupSpec, TopicsSpec};

/// Assigns.
pub(super) fn assign(group: &GroupSpec, topics: &TopicsSpec) -> Result<Assignment, AssignorError> {
    let mut owned = Ownership::of(group, topics)?;
    let members = owned.members.len();
    if members == 0 {
        return Ok(Assignment::new());
    }
    let total: usize = owned.owners.values().map(Vec::len).sum();
    // So many members have one more than the others: the first who can use it.
    let (quota, mut extra) = (total / members, total % members);
    let (mut holdings, mut free) = sorted_by_owner(&owned);
    let mut wanting: Vec<(Number, usize)> = Vec::new();
    for (number, held) in holdings.iter_mut().enumerate() {
        let mut takes_extra = extra > 0;
        let most = quota + usize::from(takes_extra);
        let surplus = held.split_off(most.min(held.len()));
        for (topic, place) in &surplus {
            owned.release(*topic, *place);
        }
        free.extend(surplus);
        let mut wants = most - held.len();
        if wants > 0 && takes_extra && members - number > extra {
            // There are others left who may have it already.
            wants -= 1;
            takes_extra = false;
        }
        if wants > 0 {
            wanting.push((number, wants));
        }
        extra -= usize::from(takes_extra);
    }
    let mut free = free.into_iter();
    for (number, wants) in wanting {
        for (topic, place) in free.by_ref().take(wants) {
            owned.give(topic, place, number);
        }
    }
    Ok(owned.assignment())
}

type Places = Vec<(TopicId, usize)>;

/// What each member has, and what nobody has, in the order of topics and partitions.
fn sorted_by_owner(owned: &Ownership<'_>) -> (Vec<Places>, Places) {
    let (mut holdings, mut free) = (vec![Places::new(); owned.members.len()], Places::new());
    for (topic, owners) in &owned.owners {
        for (place, owner) in owners.iter().enumerate() {
            match owner {
                Some(owner) => holdings[*owner].push((*topic, place)),
                None => free.push((*topic, place)),
            }
        }
    }
    (holdings, free)
}
