//! Which modern group a record is about, and what becomes of that group itself: the rest of a record is for the group to take.
//!
//! A tombstone about what is gone says nothing. A record about a group that is known as one of another kind makes one of its own
//! kind of it: the other's tombstone lies before it.

use crate::group::consumer::ConsumerGroup;
use crate::group::{Group, GroupId, GroupShard};
use crate::record::GroupRecord;

/// The two kinds of modern groups.
#[derive(Clone, Copy)]
enum Kind {
    Consumer,
    Streams,
}

/// What group a record is about, and whether it says that the group is there.
macro_rules! about {
    ($record:expr, { $($kind:ident: $($variant:ident)*;)* }) => {
        match $record {
            $($(GroupRecord::$variant(key, value) => Some((Kind::$kind, &*key.group_id, value.is_some())),)*)*
            _ => None,
        }
    };
}

fn about<'r>(record: &'r GroupRecord<'_>) -> Option<(Kind, &'r str, bool)> {
    about!(record, {
        Consumer:
            ConsumerGroupMetadata
            ConsumerGroupPartitionMetadata
            ConsumerGroupMemberMetadata
            ConsumerGroupTargetAssignmentMetadata
            ConsumerGroupTargetAssignmentMember
            ConsumerGroupCurrentMemberAssignment
            ConsumerGroupRegularExpression;
        Streams:
            StreamsGroupMetadata
            StreamsGroupMemberMetadata
            StreamsGroupTargetAssignmentMetadata
            StreamsGroupTargetAssignmentMember
            StreamsGroupCurrentMemberAssignment
            StreamsGroupTopology;
    })
}

impl GroupShard {
    /// Takes a record of a modern group; others say nothing.
    pub(in crate::group) fn replay_modern(&mut self, record: &GroupRecord<'_>) {
        let Some((kind, id, lives)) = about(record) else { return };
        let is_known = matches!(
            (kind, self.groups.get(id)),
            (Kind::Consumer, Some(Group::Consumer(_))) | (Kind::Streams, Some(Group::Streams(_)))
        );
        if let GroupRecord::ConsumerGroupMetadata(_, None) | GroupRecord::StreamsGroupMetadata(_, None) =
            record
        {
            if is_known {
                self.timers.set(&GroupId::from(id), None);
                self.groups.remove(id);
            }
            return;
        }
        if lives && !is_known {
            let group = match kind {
                Kind::Consumer => Group::Consumer(ConsumerGroup::default()),
                Kind::Streams => Group::Streams(Box::default()),
            };
            self.groups.insert(id.into(), group);
        }
        match (kind, self.groups.get_mut(id)) {
            (Kind::Consumer, Some(Group::Consumer(group))) => group.replay(record),
            (Kind::Streams, Some(Group::Streams(group))) => group.replay(record),
            _ => {}
        }
    }
}
