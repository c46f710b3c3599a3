//! The target assignment: what each member is to have at an epoch of the group.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::assignor::{AssignmentGround, assign};
use super::configured::Configured;
use super::tasks::Part;
use super::turn::{Turn, Update};
use super::{Epoch, Member, Status, StatusCode, recorded};
use crate::group::MemberId;

/// The part of one member in the target.
pub(super) struct Target {
    /// The target's epoch.
    pub(super) epoch: Epoch,
    /// What the member is to have.
    pub(super) part: Arc<Part>,
}

type Configs = BTreeMap<Arc<str>, Arc<str>>;

impl Turn<'_> {
    /// The target for who speaks, made anew where the group has moved on and may assign by now.
    pub(super) fn target_for(
        &mut self,
        update: &Update,
        epoch: Epoch,
        configured: &Configured,
        configs: &Configs,
        delayed: bool,
    ) -> Target {
        let standing = self.group.target.epoch();
        if delayed {
            let detail = "the group waits for more members before its first assignment";
            self.statuses.push(Status::new(StatusCode::AssignmentDelayed, detail));
            return Target { epoch: standing, part: Arc::default() };
        }
        let known = self.known_target(Some(update), &update.id).cloned().unwrap_or_default();
        if standing >= epoch {
            return Target { epoch: standing, part: known };
        }
        if !self.may_assign() {
            let detail = "the last assignment is too recent for another one";
            self.statuses.push(Status::new(StatusCode::AssignmentDelayed, detail));
            return Target { epoch: standing, part: known };
        }
        let mut parts = self.assign(Some(update), epoch, configured, configs);
        Target { epoch, part: Arc::new(parts.remove(&update.id).unwrap_or_default()) }
    }

    /// Assigns, and records it.
    pub(super) fn assign(
        &mut self,
        update: Option<&Update>,
        epoch: Epoch,
        configured: &Configured,
        configs: &Configs,
    ) -> BTreeMap<MemberId, Part> {
        let parts = self.assignment(update, configured, configs);
        for (id, part) in &parts {
            let known = self.known_target(update, id);
            if known.is_none_or(|known| **known != *part) {
                self.records.push(recorded::target(&self.id, id, part));
            }
        }
        self.records.push(recorded::target_epoch(&self.id, epoch, self.ground.now));
        parts
    }

    fn assignment(
        &self,
        update: Option<&Update>,
        configured: &Configured,
        configs: &Configs,
    ) -> BTreeMap<MemberId, Part> {
        let offsets = &self.group.live.task_offsets;
        let mut members: BTreeMap<&MemberId, (&Member, Option<&_>)> = BTreeMap::new();
        for (id, member) in self.group.members.by_id() {
            members.insert(id, (member, offsets.get(id).map(|told| &**told)));
        }
        if let Some(update) = update {
            members.insert(&update.id, (&update.after, offsets.get(&update.id).map(|told| &**told)));
            if let Some(replaced) = &update.replaced {
                members.remove(replaced);
            }
        }
        let Some(parts) = configured.ready() else {
            return members.into_keys().map(|id| (id.clone(), Part::default())).collect();
        };
        let standby = configs.get("num.standby.replicas").and_then(|count| count.parse().ok());
        assign(&AssignmentGround { parts, standby_replicas: standby.unwrap_or(0), members })
    }

    /// What a member was to have so far: who takes a static member's place, what that one was.
    fn known_target(&self, update: Option<&Update>, id: &MemberId) -> Option<&Arc<Part>> {
        let replaced = update.filter(|update| update.id == *id).and_then(|update| update.replaced.as_ref());
        self.group.target.of(replaced.unwrap_or(id))
    }

    /// Whether enough time has passed since the target was made.
    pub(super) fn may_assign(&self) -> bool {
        self.group.target.may_be_made_anew(self.ground.now, self.settings.assignment_interval)
    }
}
