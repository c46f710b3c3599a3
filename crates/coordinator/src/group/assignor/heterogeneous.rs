//! `uniform`, where members read different topics: everybody keeps what he has, what nobody has goes to whoever has
//! least of those who may have it, and then topics are gone through until none can be moved to any good.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use protocol::id::TopicId;

use super::balance::{Scale, by_load};
use super::ownership::{Number, Ownership};
use super::{Assignment, AssignorError, GroupSpec, TopicsSpec};

/// How often all topics are gone through at most: what is won after that is not worth the time.
const ROUNDS_MAX: usize = 16;

/// Assigns.
pub(super) fn assign(group: &GroupSpec, topics: &TopicsSpec) -> Result<Assignment, AssignorError> {
    let mut owned = Ownership::of(group, topics)?;
    let mut readers: BTreeMap<TopicId, Vec<Number>> = BTreeMap::new();
    for (number, (_, member)) in owned.members.iter().enumerate() {
        for topic in &*member.topics {
            readers.entry(*topic).or_default().push(number);
        }
    }
    let mut order: Vec<TopicId> = readers.keys().copied().collect();
    order.sort_by(|one, other| by_partitions_a_reader(*one, *other, &owned, &readers));
    for topic in &order {
        fill(&mut owned, *topic, &readers[topic]);
    }
    order.retain(|topic| readers[topic].len() > 1);
    balance(&mut owned, &order, &readers);
    Ok(owned.assignment())
}

/// The topic with more partitions a reader comes first, then that with fewer readers.
fn by_partitions_a_reader(
    one: TopicId,
    other: TopicId,
    owned: &Ownership<'_>,
    readers: &BTreeMap<TopicId, Vec<Number>>,
) -> Ordering {
    let of = |topic: TopicId| (owned.owners[&topic].len() as u64, readers[&topic].len() as u64);
    let ((partitions, readers_of_one), (others, readers_of_other)) = (of(one), of(other));
    (others * readers_of_one)
        .cmp(&(partitions * readers_of_other))
        .then(readers_of_one.cmp(&readers_of_other))
        .then(signed_halves(one).cmp(&signed_halves(other)))
}

/// Kafka compares ids as two signed numbers.
fn signed_halves(id: TopicId) -> (i64, i64) {
    let both = i128::from_be_bytes(id.0);
    let half = |bits: i128| i64::try_from(bits).expect("a half has 64 bits");
    (half(both >> 64), half((both << 64) >> 64))
}

/// Gives what nobody has of a topic to its readers.
fn fill(owned: &mut Ownership<'_>, topic: TopicId, readers: &[Number]) {
    let free = owned.free(topic);
    if let [place] = *free {
        // Not worth sorting them all.
        let least = readers.iter().copied().min_by(|one, other| by_load(*one, *other, &owned.loads));
        least.into_iter().for_each(|to| owned.give(topic, place, to));
        return;
    }
    if free.is_empty() {
        return;
    }
    let mut scale = Scale::of(readers, &owned.loads);
    for place in free {
        if let Some(to) = scale.next_lightest(&owned.loads) {
            owned.give(topic, place, to);
        }
    }
}

/// Goes through the topics until a whole round has moved nothing.
fn balance(owned: &mut Ownership<'_>, topics: &[TopicId], readers: &BTreeMap<TopicId, Vec<Number>>) {
    let mut quiet = 0;
    for _ in 0..ROUNDS_MAX {
        for topic in topics {
            let moved = level(owned, *topic, &readers[topic]);
            quiet = if moved { 1 } else { quiet + 1 };
            if quiet == topics.len() {
                return;
            }
        }
    }
}

/// Moves partitions of a topic from those of its readers who have most to those who have least; says whether it
/// moved any.
fn level(owned: &mut Ownership<'_>, topic: TopicId, readers: &[Number]) -> bool {
    let loads = readers.iter().map(|number| owned.loads[*number]);
    let (least, most) = loads.fold((usize::MAX, 0), |(least, most), load| (least.min(load), most.max(load)));
    if most <= least + 1 {
        return false;
    }
    let mut held: BTreeMap<Number, Vec<usize>> = BTreeMap::new();
    for (place, owner) in owned.owners[&topic].iter().enumerate() {
        if let Some(owner) = owner {
            held.entry(*owner).or_default().push(place);
        }
    }
    let mut scale = Scale::of(readers, &owned.loads);
    let mut moved = false;
    while !scale.is_balanced() {
        let Some(place) = next_to_move(&mut scale, &mut held, &owned.loads) else { break };
        let to = scale.next_lightest(&owned.loads).filter(|_| !scale.is_balanced());
        let Some(to) = to else { break };
        owned.give(topic, place, to);
        moved = true;
    }
    moved
}

/// A partition of whoever has most, of those who have one of this topic.
fn next_to_move(
    scale: &mut Scale,
    held: &mut BTreeMap<Number, Vec<usize>>,
    loads: &[usize],
) -> Option<usize> {
    loop {
        let from = scale.next_heaviest(loads)?;
        match held.get_mut(&from).and_then(Vec::pop) {
            Some(place) => return Some(place),
            None => scale.exclude_heaviest(),
        }
    }
}
