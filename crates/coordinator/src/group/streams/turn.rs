//! One change of a streams group being worked out: the group it starts from, what is to be written, and what changes
//! in memory once it is.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Epoch, GroupEpochs, Member, Status, StreamsChange, StreamsGroup, StreamsSettings, recorded};
use crate::group::modern::WaitChange;
use crate::group::{GroupDecision, GroupGround, GroupId, MemberId, Transition};
use crate::record::GroupRecord;

/// The change.
pub(super) struct Turn<'a> {
    pub(super) id: GroupId,
    pub(super) ground: &'a GroupGround<'a>,
    pub(super) settings: StreamsSettings,
    /// The group as it is.
    pub(super) group: Cow<'a, StreamsGroup>,
    /// Whether it begins with this.
    pub(super) is_new: bool,
    pub(super) records: Vec<GroupRecord<'static>>,
    pub(super) changes: Vec<StreamsChange>,
    /// What the member is told beside its tasks.
    pub(super) statuses: Vec<Status>,
}

/// A member before and after what it says now.
pub(super) struct Update {
    pub(super) id: MemberId,
    /// As it was; of one that joins what is assumed.
    pub(super) before: Arc<Member>,
    /// As it says that it is.
    pub(super) after: Arc<Member>,
    /// The static member whose place it takes.
    pub(super) replaced: Option<MemberId>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(id: GroupId, ground: &'a GroupGround<'a>, group: Option<&'a StreamsGroup>) -> Self {
        let settings = ground.config.streams.of_group(ground.image, &id);
        Self {
            id,
            ground,
            settings,
            is_new: group.is_none(),
            group: group.map_or_else(|| Cow::Owned(StreamsGroup::default()), Cow::Borrowed),
            records: Vec::new(),
            changes: Vec::new(),
            statuses: Vec::new(),
        }
    }

    /// The decision that makes it so.
    pub(super) fn decision<R>(self, reply: R) -> GroupDecision<R> {
        let mut decision = GroupDecision::reply(reply).records(self.records);
        for change in self.changes {
            decision = decision.transition(Transition::Streams(self.id.clone(), change));
        }
        decision
    }

    /// The group goes to its next epoch.
    pub(super) fn bump(&mut self, change: impl FnOnce(&mut GroupEpochs)) -> Epoch {
        let mut epochs = self.group.epochs.clone();
        epochs.epoch = epochs.epoch.next();
        change(&mut epochs);
        self.records.push(recorded::epochs(&self.id, &epochs));
        epochs.epoch
    }

    /// Of until when members are waited for these change.
    pub(super) fn wait(&mut self, changes: Vec<WaitChange>) {
        self.changes.extend(changes.into_iter().map(StreamsChange::from));
    }

    /// A member was heard of, or would have been: it has a session from now.
    pub(super) fn heard(&mut self, member: &MemberId) {
        let until = self.settings.session_timeout.after(self.ground.now);
        self.changes.push(WaitChange::Session(member.clone(), until).into());
    }
}
