//! The target assignment: what each member is to have at an epoch of the group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metadata::Image;
use protocol::id::TopicId;

use super::turn::{Turn, Update};
use super::{Epoch, Member, recorded};
use crate::group::assignor::{Assignor, GroupSpec, MemberSpec, Partitions, TopicSpec, TopicsSpec};
use crate::group::{GroupRefusal, MemberId};

/// What a member asks for: where its names of topics are kept, and its expression.
type Asked<'m> = (usize, Option<&'m Arc<str>>);

/// The part of one member in the target.
pub(super) struct Target {
    /// The target's epoch.
    pub(super) epoch: Epoch,
    /// What the member is to have.
    pub(super) partitions: Arc<Partitions>,
}

impl Turn<'_> {
    /// The target for who speaks, made anew where the group has moved on and may assign again by now.
    ///
    /// # Errors
    /// The assignor finds no assignment.
    pub(super) fn target_for(&mut self, update: &Update, epoch: Epoch) -> Result<Target, GroupRefusal> {
        let target = &self.group.target;
        let may_assign = target.may_be_made_anew(self.ground.now, self.settings.assignment_interval);
        if target.epoch() >= epoch || !may_assign {
            return Ok(self.last_target(update));
        }
        let chosen = self.group.subscriptions.preferred_assignor(Some(&update.before), Some(&update.after));
        let chosen = chosen.and_then(|name| Assignor::of_name(&name));
        let assignor = chosen.unwrap_or_else(|| self.ground.config.consumer.default_assignor());
        let (spec, topics) = self.specs(update);
        let assignment = assignor.assign(&spec, &topics).map_err(|_| GroupRefusal::NoAssignment)?;
        for (id, partitions) in &assignment {
            // A static member that has taken another's place has its target already; one that joins has none yet.
            let known = self.group.target.of(id).or_else(|| self.taken_over(update, id));
            if !known.is_some_and(|known| Arc::ptr_eq(known, partitions) || known == partitions) {
                self.records.push(recorded::target(&self.id, id, partitions));
            }
        }
        self.records.push(recorded::target_epoch(&self.id, epoch, self.ground.now));
        let partitions = assignment.get(&update.id).cloned().unwrap_or_default();
        Ok(Target { epoch, partitions })
    }

    /// The target that stands.
    pub(super) fn last_target(&self, update: &Update) -> Target {
        let of = match &update.after.instance {
            Some(instance) => self.group.members.id_of(instance),
            None => Some(&update.id),
        };
        let partitions = of.and_then(|id| self.group.target.of(id)).cloned().unwrap_or_default();
        Target { epoch: self.group.target.epoch(), partitions }
    }

    /// What the static member was to have whose place the one that speaks has taken.
    fn taken_over(&self, update: &Update, id: &MemberId) -> Option<&Arc<Partitions>> {
        let instance = update.after.instance.as_ref().filter(|_| *id == update.id)?;
        self.group.target.of(self.group.members.id_of(instance)?)
    }

    /// Members and topics as assignors want them, with what the one that speaks says now.
    fn specs(&self, update: &Update) -> (GroupSpec, TopicsSpec) {
        let image = self.ground.image;
        let replaced = update.after.instance.as_ref().and_then(|name| self.group.members.id_of(name));
        let others =
            self.group.members.by_id().iter().filter(|(id, _)| **id != update.id && Some(*id) != replaced);
        let all = others.chain([(&update.id, &update.after)]);
        let mut read: BTreeMap<Asked<'_>, Arc<BTreeSet<TopicId>>> = BTreeMap::new();
        let mut members = BTreeMap::new();
        for (id, member) in all {
            // Most members read the same, and have it in the same place.
            let place = (Arc::as_ptr(&member.topics) as usize, member.regex());
            let topics =
                read.entry(place).or_insert_with(|| Arc::new(self.group.topic_ids_of(member, image)));
            let assigned = self.group.target.of(id).or_else(|| self.taken_over(update, id));
            let spec = self.spec(member, topics, assigned);
            members.insert(id.clone(), spec);
        }
        let topics = read.values().flat_map(|topics| topics.iter()).copied().collect();
        (GroupSpec { members }, topics_spec(&topics, image))
    }

    fn spec(
        &self,
        member: &Member,
        topics: &Arc<BTreeSet<TopicId>>,
        assigned: Option<&Arc<Partitions>>,
    ) -> MemberSpec {
        MemberSpec {
            instance: member.instance.clone(),
            topics: topics.clone(),
            assigned: assigned.cloned().unwrap_or_default(),
        }
    }
}

/// The topics as assignors want them. None of them looks at racks, as in Kafka since 4.0.
fn topics_spec(topics: &BTreeSet<TopicId>, image: &Image) -> TopicsSpec {
    let known = topics.iter().filter_map(|id| {
        let partitions = image.topics.get(*id)?.partitions.len();
        let partitions = u32::try_from(partitions).unwrap_or(u32::MAX);
        Some((*id, TopicSpec { partitions }))
    });
    TopicsSpec { topics: known.collect() }
}
