//! The first members of a group gather: who joins one that has assigned nothing yet is answered once nobody else has come
//! for a moment, so that all who come together have their parts at once.
//!
//! Otherwise the first to come would be given everything, and would keep it until the next assignment, which may be made
//! `group.consumer.assignment.interval.ms` later. What is recorded of who waits is what is recorded of a member for which the group
//! may not assign yet, and its answer is that to its next heartbeat: so a group may be loaded, and members may beat, leave
//! or come again, while it gathers. Driven by time (`wake`); in memory only. KIP-848.
//!
//! deviation: who brings a pattern beside topics by name is told both in the first answer, for the pattern is resolved meanwhile; in
//! Kafka the topics of the pattern come with a later heartbeat.

use std::sync::Arc;

use protocol::id::Timestamp;

use super::reconcile::Reconciliation;
use super::turn::{Turn, Update};
use super::{ConsumerHeartbeat, Epoch, HeartbeatAnswer, SoftChange};
use crate::group::assignor::Partitions;
use crate::group::modern::WaitChange;
use crate::group::{Answer, GroupDecision, GroupRefusal, MemberId, Millis, Transition};
use crate::shard::Token;

/// Members that come one by one hold up the first of them for at most so many times as long as is waited for one.
const WAITS_MAX: i64 = 20;
/// How many are answered in one batch of records at most, and how many partitions these may have.
const ANSWERED_AT_ONCE: usize = 100;
const PARTITIONS_AT_ONCE: usize = 10_000;

/// The members that wait for each other.
#[derive(Clone, Debug, Default)]
pub struct Gathering {
    /// In the order in which they came.
    waiting: Vec<(MemberId, Token)>,
    /// When the first came.
    since: Timestamp,
    /// Until when it is waited for others.
    until: Timestamp,
    /// Whether what it comes to cannot be made, or cannot be written: each is answered as it is.
    has_failed: bool,
}

/// A change of it.
#[derive(Clone, Debug)]
pub enum GatheringChange {
    /// A member waits from this time on, and others are waited for until another.
    Comes(MemberId, Token, (Timestamp, Timestamp)),
    /// The first so many are answered.
    Answered(usize),
    /// The rest are answered as they are.
    Failed,
}

impl Gathering {
    /// When it ends.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        (!self.waiting.is_empty()).then_some(self.until)
    }

    /// Under which token a member waits.
    fn token_of(&self, member: &str) -> Option<Token> {
        self.waiting.iter().find(|(id, _)| **id == *member).map(|(_, token)| *token)
    }

    /// Until when others are waited for once one more has come.
    fn until(&self, now: Timestamp, wait: Millis) -> Timestamp {
        let since = if self.waiting.is_empty() { now } else { self.since };
        wait.after(now).min(Millis(wait.0.saturating_mul(WAITS_MAX)).after(since))
    }

    /// Takes a change; when it has something done.
    pub(super) fn change(&mut self, change: GatheringChange) -> Option<Timestamp> {
        match change {
            GatheringChange::Comes(id, token, (now, until)) => {
                if self.waiting.is_empty() {
                    self.since = now;
                }
                self.until = until;
                self.waiting.push((id, token));
                Some(until)
            }
            GatheringChange::Answered(count) => {
                self.waiting.drain(..count.min(self.waiting.len()));
                self.forget_if_over();
                None
            }
            GatheringChange::Failed => {
                self.has_failed = true;
                None
            }
        }
    }

    /// A member is none any more.
    pub(super) fn without(&mut self, member: &str) {
        self.waiting.retain(|(id, _)| **id != *member);
        self.forget_if_over();
    }

    fn forget_if_over(&mut self) {
        if self.waiting.is_empty() {
            *self = Self::default();
        }
    }
}

impl Turn<'_> {
    /// Whether somebody new, with whom the group comes to this epoch, waits for others to come. Not in a group in which
    /// anybody holds anything: there is nothing then that all could be given at once.
    pub(super) fn gathers(&self, update: &Update, beat: &ConsumerHeartbeat, epoch: Epoch) -> bool {
        let (group, instance) = (&self.group, update.after.instance.as_deref());
        self.ground.config.consumer.gather.0 > 0
            && beat.epoch == Epoch::JOINING
            && group.members.get(&update.id).is_none()
            && instance.is_none_or(|name| group.members.id_of(name).is_none())
            && group.target.made() == Timestamp(0)
            && group.target.epoch() < epoch
            && group.is_held_by_nobody()
    }

    /// The member waits: nothing is said to it now.
    pub(super) fn gather(&mut self, member: &MemberId) {
        let now = self.ground.now;
        let until = self.group.live.gathering.until(now, self.ground.config.consumer.gather);
        self.changes.push(GatheringChange::Comes(member.clone(), self.ground.token, (now, until)).into());
    }

    /// Tells members that wait and that are taken out that they are none.
    pub(super) fn turn_gathered_away(&mut self) {
        let gathering = &self.group.live.gathering;
        if gathering.waiting.is_empty() {
            return;
        }
        let gone = self.changes.iter().filter_map(|change| match change {
            SoftChange::Waits(WaitChange::Gone(id)) => gathering.token_of(id),
            _ => None,
        });
        let told = gone.map(|token| (token, Answer::Heartbeat(Err(GroupRefusal::UnknownMember))));
        self.answers.extend(told);
    }

    /// The group becomes one of the classic protocol: nobody who waits is in it any more.
    pub(super) fn turn_all_gathered_away(&mut self) {
        let waiting = self.group.live.gathering.waiting.iter();
        let told = waiting.map(|(_, token)| (*token, Answer::Heartbeat(Err(GroupRefusal::UnknownMember))));
        self.answers.extend(told);
    }

    /// Nobody else is waited for: assigns to all, and then, some at a time, tells each what it is to hold.
    pub(super) fn end_gathering(mut self) -> GroupDecision<()> {
        let failed = Transition::Consumer(self.id.clone(), GatheringChange::Failed.into());
        let (has_failed, epoch) = (self.group.live.gathering.has_failed, self.group.epoch);
        if !has_failed
            && self.group.target.epoch() < epoch
            && let Some(update) = self.first_gathered()
        {
            let written = self.records.len();
            let made = self.target_for(&update, epoch).is_ok_and(|target| target.epoch == epoch);
            if !made {
                self.records.truncate(written);
                self.changes.push(GatheringChange::Failed.into());
            }
            return self.decision(()).or_unwritten(failed);
        }
        let mut partitions = 0;
        let mut some = Vec::new();
        for (id, token) in self.group.live.gathering.waiting.iter().take(ANSWERED_AT_ONCE) {
            let target = self.group.target.of(id);
            partitions +=
                target.map_or(0, |target| target.values().map(|indexes| indexes.len()).sum::<usize>());
            if !some.is_empty() && partitions > PARTITIONS_AT_ONCE {
                break;
            }
            some.push((id.clone(), *token));
        }
        self.changes.push(GatheringChange::Answered(some.len()).into());
        for (id, token) in some {
            let answer = self.gathered(&id, has_failed);
            self.answers.push((token, Answer::Heartbeat(answer)));
        }
        self.decision(()).or_unwritten(failed)
    }

    /// The first that waits and is a member still, as it is.
    fn first_gathered(&self) -> Option<Update> {
        let mut waiting = self.group.live.gathering.waiting.iter();
        waiting.find_map(|(id, _)| {
            let member = self.group.members.get(id)?;
            Some(Update { id: id.clone(), before: member.clone(), after: member.clone() })
        })
    }

    /// What a member is told that has waited: that it has come as far as it can, holding nothing yet.
    fn gathered(&mut self, id: &MemberId, stays: bool) -> Result<HeartbeatAnswer, GroupRefusal> {
        let member = self.group.members.get(id).cloned().ok_or(GroupRefusal::UnknownMember)?;
        let (target, nothing) = (self.group.target.of(id).cloned().unwrap_or_default(), Partitions::new());
        let reconciliation = Reconciliation {
            group: &self.group,
            image: self.ground.image,
            target_epoch: self.group.target.epoch(),
            target: &target,
            subscription_changed: false,
            owned: Some(&nothing),
        };
        let next = if stays { Arc::clone(&member) } else { reconciliation.next(&member)? };
        let update = Update { id: id.clone(), before: member.clone(), after: member };
        self.record_progress(&update, &next);
        self.heard(id);
        Ok(HeartbeatAnswer {
            member: id.clone(),
            epoch: next.epoch,
            interval: self.settings.heartbeat_interval,
            assignment: Some(next.assigned.clone()),
        })
    }
}

impl From<GatheringChange> for SoftChange {
    fn from(change: GatheringChange) -> Self {
        Self::Gathering(change)
    }
}
