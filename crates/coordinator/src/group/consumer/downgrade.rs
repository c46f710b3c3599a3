//! A consumer group becomes a classic group while it lives: the last member that spoke the consumer protocol has gone,
//! or has come back, under its own name, with the classic one (KIP-848, "online migration").

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::embedded::assignment_for;
use super::turn::{Turn, Update};
use super::{ConsumerGroup, Member};
use crate::group::assignor::Partitions;
use crate::group::classic::{self, Live, Member as ClassicMember};
use crate::group::modern::ModernMember;
use crate::group::{Generation, GroupRefusal, MemberId, Transition};

/// Members as classic ones; none where one cannot be.
type Converted = BTreeMap<MemberId, Option<(ClassicMember, Arc<Partitions>)>>;

impl ConsumerGroup {
    /// Whether all members but these speak the classic protocol, and how many that are.
    fn only_classic_without(&self, ids: &[MemberId]) -> Option<usize> {
        let leaving: Vec<&Arc<Member>> = ids.iter().filter_map(|id| self.members.get(id)).collect();
        let classic = leaving.iter().filter(|member| member.is_classic()).count();
        let left = self.members.by_id().len() - leaving.len();
        (self.subscriptions.classic_members() - classic == left).then_some(left)
    }
}

impl Turn<'_> {
    /// Whether the group becomes a classic one when these members go.
    pub(super) fn would_downgrade_without(&self, ids: &[MemberId]) -> bool {
        let left = self.group.only_classic_without(ids).filter(|left| *left > 0);
        left.is_some_and(|left| self.may_downgrade(left))
    }

    /// Whether the group becomes a classic one when this static member comes back with the classic protocol.
    pub(super) fn would_downgrade_with(&self, replaced: &MemberId) -> bool {
        let speaks_it = self.group.members.get(replaced).is_some_and(|member| member.is_classic());
        let others = self.group.only_classic_without(std::slice::from_ref(replaced));
        !speaks_it && others.is_some() && self.may_downgrade(self.group.members.by_id().len())
    }

    fn may_downgrade(&self, members: usize) -> bool {
        let config = self.ground.config;
        let is_allowed = config.consumer.migration.downgrades() && members <= config.members_max;
        is_allowed && !self.group.live.cannot_downgrade
    }

    /// These members go, and the group becomes a classic one, which rebalances.
    ///
    /// # Errors
    /// What its members told cannot be read.
    pub(super) fn downgrade_without(&mut self, ids: &[MemberId]) -> Result<(), GroupRefusal> {
        let going: BTreeSet<&MemberId> = ids.iter().collect();
        let members = self.group.members.by_id().iter().filter(|(id, _)| !going.contains(id));
        let members = members.map(|(id, member)| (id.clone(), self.classic_member(id, member))).collect();
        self.downgrade(members, None, true)
    }

    /// A static member has come back with the classic protocol, and the group becomes a classic one.
    ///
    /// # Errors
    /// What its members told cannot be read.
    pub(super) fn downgrade_with(
        &mut self,
        replaced: &MemberId,
        joined: &Update,
        rebalances: bool,
    ) -> Result<(), GroupRefusal> {
        let others = self.group.members.by_id().iter().filter(|(id, _)| *id != replaced);
        let mut members: Converted =
            others.map(|(id, member)| (id.clone(), self.classic_member(id, member))).collect();
        members.insert(joined.id.clone(), self.classic_member(replaced, &joined.after));
        self.downgrade(members, Some((&**replaced, &*joined.id)), rebalances)
    }

    /// A member as a classic one, with the partitions of its part.
    fn classic_member(
        &self,
        target_of: &MemberId,
        member: &Member,
    ) -> Option<(ClassicMember, Arc<Partitions>)> {
        let classic = member.classic.as_ref()?;
        let converted = ClassicMember {
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            session_timeout: classic.session_timeout,
            rebalance_timeout: member.rebalance_timeout,
            protocols: classic.protocols.clone(),
            assignment: Arc::from([]),
            deadline: Some(classic.session_timeout.after(self.ground.now)),
            is_new: false,
            joins: None,
            syncs: None,
        };
        Some((converted, self.group.target.of(target_of).cloned().unwrap_or_default()))
    }

    /// Changes nothing where it cannot be.
    fn downgrade(
        &mut self,
        members: Converted,
        renamed: Option<(&str, &str)>,
        rebalances: bool,
    ) -> Result<(), GroupRefusal> {
        let (now, image) = (self.ground.now, self.ground.image);
        let mut classic = Vec::new();
        let mut targets = BTreeMap::new();
        for (id, member) in members {
            let (member, target) = member.ok_or(GroupRefusal::GroupIdNotFound)?;
            classic.push((id.clone(), Arc::new(member)));
            targets.insert(id, target);
        }
        let live = Live::of_consumers(
            classic.into_iter().collect(),
            Generation(self.group.epoch.0),
            now,
            |id, told| {
                let target = targets.get(id)?;
                let topics =
                    target.iter().map(|(topic, indexes)| (*topic, indexes.iter().copied().collect()));
                assignment_for(told, topics, image)
            },
        );
        let live = live.ok_or(GroupRefusal::GroupIdNotFound)?;
        self.records.extend(self.group.tombstones(&self.id, renamed));
        self.records.push(live.as_recorded(&self.id));
        let live =
            if rebalances { classic::rebalancing(&self.id, live, now, self.ground.config) } else { live };
        self.turn_all_gathered_away();
        self.changes.clear();
        self.becomes = Some(Transition::Classic(self.id.clone(), Box::new(live)));
        Ok(())
    }
}
