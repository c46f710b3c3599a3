//! DeleteGroups: a group without members goes, with its offsets.

use protocol::messages::record::GroupMetadataKey;

use super::streams::StreamsGroup;
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
        records.extend(self.tombstones_if_empty(id));
        let mut decision = GroupDecision::reply(()).records(records);
        decision.divisible = true;
        Ok(decision)
    }

    /// The records that take a group away, if it has no members.
    pub(super) fn tombstones_if_empty(&self, id: &str) -> Vec<GroupRecord<'static>> {
        match self.group(id).filter(|group| is_empty(group)) {
            None => Vec::new(),
            Some(Group::Classic(_)) => {
                vec![GroupRecord::GroupMetadata(GroupMetadataKey { group: id.to_owned().into() }, None)]
            }
            Some(Group::Consumer(group)) => group.tombstones(id, None),
            Some(Group::Streams(_)) => StreamsGroup::tombstones(id),
        }
    }
}

fn is_empty(group: &Group) -> bool {
    match group {
        Group::Classic(classic) => classic.live.is_empty(),
        Group::Consumer(group) => group.is_empty(),
        Group::Streams(group) => group.is_empty(),
    }
}
