//! How one member comes from what it has to what it is to have.
//!
//! First it gives up what is not to be its own any more; only when it says that it has does it go to the epoch of the
//! target, with those of its new partitions that nobody else holds. It waits for the others there. Whatever it does
//! not read is taken from it at once, whatever the target says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metadata::Image;
use protocol::id::{PartitionIndex, TopicId};

use super::{ConsumerGroup, Epoch, Held, Member, MemberState};
use crate::group::GroupRefusal;
use crate::group::assignor::Partitions;
use crate::group::modern::ModernMember;

/// What a member's next step rests on.
pub(super) struct Reconciliation<'a> {
    /// The group: who holds what, and what expressions match.
    pub(super) group: &'a ConsumerGroup,
    pub(super) image: &'a Image,
    /// The epoch to come to.
    pub(super) target_epoch: Epoch,
    /// What to have there.
    pub(super) target: &'a Partitions,
    /// Whether the member has changed what it reads.
    pub(super) subscription_changed: bool,
    /// What the member says that it holds; none where it does not say.
    pub(super) owned: Option<&'a Partitions>,
}

/// What a member has after a step.
struct Parts {
    assigned: Held,
    revoking: Held,
    /// Partitions that it can have now.
    new: Partitions,
    /// Whether there are some that others still hold.
    waits: bool,
}

impl Reconciliation<'_> {
    /// The member after its next step; the same where it cannot take one.
    ///
    /// # Errors
    /// A later Kafka left it in a state that is not known here: it has to begin anew.
    pub(super) fn next(&self, member: &Arc<Member>) -> Result<Arc<Member>, GroupRefusal> {
        if !self.subscription_changed && member.is_at(self.target_epoch) {
            return Ok(member.clone());
        }
        Ok(match member.state {
            MemberState::Stable if member.epoch != self.target_epoch => self.step(member),
            MemberState::Unrevoked if !self.still_owns(&member.revoking) => self.step(member),
            MemberState::Unreleased => self.step(member),
            MemberState::Stable | MemberState::Unrevoked if self.subscription_changed => {
                self.drop_unread(member)
            }
            MemberState::Stable | MemberState::Unrevoked => member.clone(),
            MemberState::Unknown => {
                if self.owned.is_none_or(|owned| !owned.is_empty()) {
                    return Err(GroupRefusal::UnknownMemberState);
                }
                let begun = Member { epoch: self.target_epoch, ..Member::clone(member) };
                let next = self.step(&Arc::new(begun));
                Arc::new(Member { previous_epoch: member.epoch, ..Member::clone(&next) })
            }
        })
    }

    /// Whether the member holds any of these, as far as it says. Who does not say may.
    fn still_owns(&self, revoking: &Held) -> bool {
        let Some(owned) = self.owned else { return true };
        owned.iter().any(|(topic, partitions)| {
            revoking.get(topic).is_some_and(|held| partitions.iter().any(|index| held.contains_key(index)))
        })
    }

    /// Takes from the member what it does not read any more, and nothing else.
    fn drop_unread(&self, member: &Arc<Member>) -> Arc<Member> {
        let read = self.group.topic_ids_of(member, self.image);
        let (kept, unread): (Held, Held) = member
            .assigned
            .iter()
            .map(|(topic, held)| (*topic, held.clone()))
            .partition(|(topic, _)| read.contains(topic));
        if unread.is_empty() {
            return member.clone();
        }
        let mut revoking = Held::clone(&member.revoking);
        for (topic, held) in unread {
            revoking.entry(topic).or_default().extend(held);
        }
        let mut next = member.moved_to(member.epoch);
        next.assigned = Arc::new(kept);
        if self.still_owns(&revoking) {
            next.state = MemberState::Unrevoked;
            next.revoking = Arc::new(revoking);
        }
        Arc::new(next)
    }

    /// One step towards the target.
    fn step(&self, member: &Arc<Member>) -> Arc<Member> {
        let Parts { mut assigned, revoking, new, waits } = self.parts(member);
        if !revoking.is_empty() && self.still_owns(&revoking) {
            let mut next = member.moved_to(member.epoch);
            next.state = MemberState::Unrevoked;
            next.assigned = Arc::new(assigned);
            next.revoking = Arc::new(revoking);
            return Arc::new(next);
        }
        for (topic, partitions) in new {
            let given = partitions.into_iter().map(|index| (index, self.target_epoch));
            assigned.entry(topic).or_default().extend(given);
        }
        let mut next = member.moved_to(self.target_epoch);
        next.state = if waits { MemberState::Unreleased } else { MemberState::Stable };
        next.assigned =
            if assigned == *member.assigned { member.assigned.clone() } else { Arc::new(assigned) };
        next.revoking = Arc::default();
        Arc::new(next)
    }

    /// What the member keeps, gives up, gets and waits for.
    fn parts(&self, member: &Member) -> Parts {
        let read = self.group.topic_ids_of(member, self.image);
        let none = (BTreeSet::new(), BTreeMap::new());
        let mut parts =
            Parts { assigned: Held::new(), revoking: Held::new(), new: Partitions::new(), waits: false };
        let topics: BTreeSet<TopicId> = self.target.keys().chain(member.assigned.keys()).copied().collect();
        for topic in topics {
            let wanted = self.target.get(&topic).filter(|_| read.contains(&topic)).unwrap_or(&none.0);
            let held = member.assigned.get(&topic).unwrap_or(&none.1);
            let (kept, given_up): (BTreeMap<_, _>, BTreeMap<_, _>) = held
                .iter()
                .map(|(index, epoch)| (*index, *epoch))
                .partition(|(index, _)| wanted.contains(index));
            let lacking = wanted.iter().copied().filter(|index| !held.contains_key(index));
            let (free, taken): (BTreeSet<_>, BTreeSet<_>) =
                lacking.partition(|index| self.is_free(member, topic, *index));
            parts.waits |= !taken.is_empty();
            let fill = |into: &mut Held, what: BTreeMap<PartitionIndex, Epoch>| {
                if !what.is_empty() {
                    into.insert(topic, what);
                }
            };
            fill(&mut parts.assigned, kept);
            fill(&mut parts.revoking, given_up);
            if !free.is_empty() {
                parts.new.insert(topic, free);
            }
        }
        parts
    }

    /// Whether nobody holds a partition, but for this member, which is giving it up.
    fn is_free(&self, member: &Member, topic: TopicId, partition: PartitionIndex) -> bool {
        let own = member.revoking.get(&topic).is_some_and(|held| held.contains_key(&partition));
        own || self.group.holder(topic, partition).is_none()
    }
}

impl ConsumerGroup {
    /// The topics that a member reads, of those that there are.
    pub(super) fn topic_ids_of(&self, member: &Member, image: &Image) -> BTreeSet<TopicId> {
        let matched = member.regex().and_then(|regex| self.regexes.get(regex));
        let matched = matched.into_iter().flat_map(|resolved| resolved.topics.iter());
        member.topics.iter().chain(matched).filter_map(|topic| image.topics.id_of(topic)).collect()
    }
}
