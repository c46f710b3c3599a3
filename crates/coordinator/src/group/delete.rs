//! DeleteGroups: a group without members goes, with its offsets.

use protocol::messages::record::GroupMetadataKey;

use super::{Group, GroupDecision, GroupRefusal, GroupShard};
use crate::record::GroupRecord;

impl GroupShard {
    /// Deletes a group.
    ///
    /// # Errors
    /// It is not there, or has members.
    pub fn delete_group(&self, id: &str) -> Result<GroupDecision<()>, GroupRefusal> {
        let group = self.group(id).ok_or(GroupRefusal::GroupIdNotFound)?;
        if !is_empty(group) {
            return Err(GroupRefusal::NonEmptyGroup);
        }
        let mut records = self.tombstones_of(id);
        records.extend(self.tombstone_if_empty(id));
        let mut decision = GroupDecision::reply(()).records(records);
        decision.divisible = true;
        Ok(decision)
    }

    /// The record that takes a group away, if it has no members.
    pub(super) fn tombstone_if_empty(&self, id: &str) -> Option<GroupRecord<'static>> {
        let group = self.group(id).filter(|group| is_empty(group))?;
        let Group::Classic(_) = group;
        Some(GroupRecord::GroupMetadata(GroupMetadataKey { group: id.to_owned().into() }, None))
    }
}

fn is_empty(group: &Group) -> bool {
    let Group::Classic(classic) = group;
    classic.live.is_empty()
}
