//! Members are taken out of a consumer group: they have left, or were not heard of in time.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::Timestamp;

use super::turn::Turn;
use super::{ConsumerGroup, Member, recorded};
use crate::group::modern::WaitChange;
use crate::group::{GroupRefusal, MemberId};

impl Turn<'_> {
    /// Takes members out. Where only members of the classic protocol are left, the group becomes theirs.
    ///
    /// # Errors
    /// The group would become a classic one, and cannot. Nothing has changed then.
    pub(super) fn fence(&mut self, ids: &[MemberId]) -> Result<(), GroupRefusal> {
        if ids.is_empty() {
            return Ok(());
        }
        if self.would_downgrade_without(ids) {
            return self.downgrade_without(ids);
        }
        self.take_out(ids);
        Ok(())
    }

    /// Takes members out, and the group stays what it is.
    pub(super) fn take_out(&mut self, ids: &[MemberId]) {
        for id in ids {
            self.records.extend(ConsumerGroup::without_member(&self.id, id));
        }
        let leaving: Vec<&Member> =
            ids.iter().filter_map(|id| self.group.members.get(id)).map(|member| &**member).collect();
        let mut expressions: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for regex in leaving.iter().filter_map(|member| member.regex()) {
            *expressions.entry(regex).or_default() += 1;
        }
        for (regex, with) in expressions {
            if self.group.subscriptions.of_regex(regex) == with {
                self.records.push(recorded::no_regex(&self.id, regex));
            }
        }
        let hash = if self.metadata_is_old() || !self.group.reads_the_same_without(&leaving) {
            self.group.metadata_hash_after(self.ground.image, &leaving, &[])
        } else {
            self.group.metadata_hash
        };
        let nobody_is_left = self.group.members.by_id().len() == leaving.len();
        let epoch = self.bump(hash);
        if nobody_is_left {
            // Nobody is left to assign to; whoever comes next is assigned to at once.
            self.records.push(recorded::target_epoch(&self.id, epoch, Timestamp(0)));
        }
        self.changes.extend(ids.iter().cloned().map(|id| WaitChange::Gone(id).into()));
    }
}
