//! One change of a consumer group being worked out: the group it starts from, what is to be written, and what changes
//! in memory once it is.

use std::borrow::Cow;
use std::sync::Arc;

use super::{ConsumerGroup, Epoch, Member, SoftChange, recorded};
use crate::group::config::ConsumerSettings;
use crate::group::modern::WaitChange;
use crate::group::{Answer, GroupDecision, GroupGround, GroupId, MemberId, Transition};
use crate::record::GroupRecord;
use crate::shard::Token;

/// The change.
pub(super) struct Turn<'a> {
    pub(super) id: GroupId,
    pub(super) ground: &'a GroupGround<'a>,
    pub(super) settings: ConsumerSettings,
    /// The group as it is, or as the records so far have made it where it was none of its kind.
    pub(super) group: Cow<'a, ConsumerGroup>,
    pub(super) records: Vec<GroupRecord<'static>>,
    pub(super) changes: Vec<SoftChange>,
    pub(super) answers: Vec<(Token, Answer)>,
    /// What the group becomes in memory where it is a classic one from now on.
    pub(super) becomes: Option<Transition>,
}

/// A member before and after what it says now.
pub(super) struct Update {
    pub(super) id: MemberId,
    /// As it was; of one that joins what is assumed.
    pub(super) before: Arc<Member>,
    /// As it says that it is.
    pub(super) after: Arc<Member>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(id: GroupId, ground: &'a GroupGround<'a>, group: Cow<'a, ConsumerGroup>) -> Self {
        let settings = ground.config.consumer.of_group(ground.image, &id);
        Self {
            id,
            ground,
            settings,
            group,
            records: Vec::new(),
            changes: Vec::new(),
            answers: Vec::new(),
            becomes: None,
        }
    }

    /// The decision that makes it so.
    pub(super) fn decision<R>(mut self, reply: R) -> GroupDecision<R> {
        self.turn_gathered_away();
        let mut decision = GroupDecision::reply(reply).records(self.records);
        decision.answers = self.answers;
        for change in self.changes {
            decision = decision.transition(Transition::Consumer(self.id.clone(), change));
        }
        decision.transitions.extend(self.becomes);
        decision
    }

    /// The group goes to its next epoch, with topics that look like this.
    pub(super) fn bump(&mut self, metadata_hash: i64) -> Epoch {
        let epoch = self.group.epoch.next();
        self.records.push(recorded::epoch(&self.id, epoch, metadata_hash));
        epoch
    }

    /// Of until when members are waited for these change.
    pub(super) fn wait(&mut self, changes: Vec<WaitChange>) {
        self.changes.extend(changes.into_iter().map(SoftChange::from));
    }

    /// A member was heard of, or would have been: it has a session from now.
    pub(super) fn heard(&mut self, member: &MemberId) {
        let until = self.settings.session_timeout.after(self.ground.now);
        self.changes.push(WaitChange::Session(member.clone(), until).into());
    }
}
