//! One change of a classic group being worked out: a copy of the group, and what is to be said and written.
//!
//! Nothing of it is true until the records are appended; then the copy takes the group's place.

use std::sync::Arc;

use protocol::id::Timestamp;

use super::super::{
    Answer, GroupConfig, GroupDecision, GroupId, GroupRefusal, GroupShard, MemberId, Millis, Transition,
};
use super::live::JoinPhase;
use super::{JoinAnswer, JoinedMember, Live, State, SyncAnswer};
use crate::record::GroupRecord;
use crate::shard::Token;

/// How long static members who have not joined are waited for at a time, however little they asked for.
const STATIC_WAIT_LEAST: Millis = Millis(1000);

/// The change.
pub(super) struct Turn<'c> {
    pub(super) id: GroupId,
    pub(super) live: Live,
    pub(super) now: Timestamp,
    pub(super) config: &'c GroupConfig,
    pub(super) records: Vec<GroupRecord<'static>>,
    pub(super) answers: Vec<(Token, Answer)>,
}

impl<'c> Turn<'c> {
    pub(super) fn new(id: GroupId, live: Live, now: Timestamp, config: &'c GroupConfig) -> Self {
        Self { id, live, now, config, records: Vec::new(), answers: Vec::new() }
    }

    /// The decision that makes it so.
    pub(super) fn decision<R>(self, reply: Option<R>) -> GroupDecision<R> {
        let mut decision = GroupDecision::wait().records(self.records);
        decision.reply = reply;
        decision.answers = self.answers;
        decision.transition(Transition::Classic(self.id, Box::new(self.live)))
    }

    /// The decision, where the answer to who asked may be among those to everybody.
    pub(super) fn decision_for(mut self, token: Token) -> GroupDecision<Answer> {
        let own = self.answers.iter().position(|(waiting, _)| *waiting == token);
        let reply = own.map(|place| self.answers.swap_remove(place).1);
        self.decision(reply)
    }

    fn answer_join(&mut self, token: Option<Token>, answer: impl FnOnce() -> JoinAnswer) {
        self.answers.extend(token.map(|token| (token, Answer::Join(answer()))));
    }

    fn answer_sync(&mut self, token: Option<Token>, answer: SyncAnswer) {
        self.answers.extend(token.map(|token| (token, Answer::Sync(answer))));
    }

    /// Tells whoever waits for this member's sake that it is no longer a member, or no longer this one.
    pub(super) fn turn_away(&mut self, id: &MemberId, refusal: GroupRefusal) {
        let waiting = self.live.members.change(id, |member| (member.joins.take(), member.syncs.take()));
        let Some((joins, syncs)) = waiting else { return };
        let told = if refusal == GroupRefusal::UnknownMember { Arc::from("") } else { id.clone() };
        self.answer_join(joins, || JoinAnswer::refused(told, refusal));
        self.answer_sync(syncs, SyncAnswer::refused(refusal));
    }

    /// Takes a member out.
    pub(super) fn remove(&mut self, id: &MemberId) {
        self.turn_away(id, GroupRefusal::UnknownMember);
        self.live.promised.take(id);
        self.live.unsynced.remove(id);
        if let Some(member) = self.live.members.remove(id)
            && let Some(instance) = &member.instance
            && self.live.instances.get(instance) == Some(id)
        {
            self.live.instances.remove(instance);
        }
        if self.live.leader.as_ref() == Some(id) {
            self.live.leader = self.live.members.first().cloned();
        }
    }

    /// Members have changed: rebalances, or looks whether the rebalance that is being prepared is complete.
    pub(super) fn rebalance_or_complete(&mut self) {
        if self.live.state == State::PreparingRebalance {
            self.complete_if_all_joined();
        } else {
            self.prepare_rebalance();
        }
    }

    /// Members are to join again.
    pub(super) fn prepare_rebalance(&mut self) {
        if self.live.state == State::CompletingRebalance {
            self.cancel_syncs();
        }
        self.live.sync_until = None;
        self.live.unsynced.clear();
        self.live.was_empty = self.live.state == State::Empty;
        self.enter(State::PreparingRebalance);
        if self.live.was_empty {
            // The group is new: others may be about to join.
            let delay = self.config.initial_delay;
            let remaining = self.live.rebalance_timeout().less(delay);
            self.live.newcomers = false;
            self.live.join_phase =
                Some(JoinPhase::Initial { until: delay.after(self.now), delay, remaining });
        } else if self.live.all_joined() {
            self.complete_join();
        } else {
            self.wait_for_joins(Millis(0));
        }
    }

    fn wait_for_joins(&mut self, least: Millis) {
        let until = self.live.rebalance_timeout().max(least).after(self.now);
        self.live.join_phase = Some(JoinPhase::Rebalance { until });
    }

    /// Those who wait for the assignment are to join again; what was assigned before is void.
    fn cancel_syncs(&mut self) {
        let (mut waiting, now, nothing) = (Vec::new(), self.now, Arc::from([]));
        self.live.members.change_all(|_, member| {
            member.assignment = Arc::clone(&nothing);
            // While it waited nothing was expected of it; from here on it is.
            if let Some(token) = member.syncs.take() {
                member.heard(now);
                waiting.push(token);
            }
        });
        for token in waiting {
            self.answer_sync(Some(token), SyncAnswer::refused(GroupRefusal::RebalanceInProgress));
        }
    }

    pub(super) fn complete_if_all_joined(&mut self) {
        let waits = self.live.was_empty;
        if self.live.state == State::PreparingRebalance && !waits && self.live.all_joined() {
            self.complete_join();
        }
    }

    /// Nobody else is waited for: begins the next generation with who is there.
    pub(super) fn complete_join(&mut self) {
        self.live.join_phase = None;
        let absent: Vec<MemberId> = self
            .live
            .members
            .iter()
            .filter(|(_, member)| member.joins.is_none() && member.instance.is_none())
            .map(|(id, _)| id.clone())
            .collect();
        for id in &absent {
            self.remove(id);
        }
        if !self.elect_joined_leader() && !self.live.members.is_empty() {
            // Only static members are left, and none has joined: they have until their sessions end. A time-out of nothing,
            // which a member may ask for, must not have the wait end at once for ever.
            self.wait_for_joins(STATIC_WAIT_LEAST);
            return;
        }
        self.live.generation.0 = self.live.generation.0.wrapping_add(1);
        self.live.unsynced.clear();
        self.live.was_empty = false;
        if self.live.members.is_empty() {
            self.live.protocol = None;
            self.enter(State::Empty);
            self.live.subscribed = self.live.subscriptions();
            self.records.push(self.live.record(&self.id, |_, _| Arc::from([])));
            return;
        }
        self.live.protocol = self.live.select_protocol();
        self.live.subscribed = self.live.subscriptions();
        self.enter(State::CompletingRebalance);
        self.answer_joins();
    }

    /// Tells everybody of the generation that begins.
    fn answer_joins(&mut self) {
        let (mut joined, now) = (Vec::with_capacity(self.live.members.len()), self.now);
        self.live.members.change_all(|id, member| {
            joined.extend(member.joins.take().map(|token| (token, id.clone())));
            member.heard(now);
            member.is_new = false;
        });
        for (token, id) in joined {
            let answer = self.joined(&id);
            self.answer_join(Some(token), || answer);
        }
        self.live.unsynced = self.live.members.keys().map(|id| (id.clone(), ())).collect();
        self.live.sync_until = Some(self.live.rebalance_timeout().after(self.now));
    }

    /// What a member that has joined is told of the group; the leader hears of all members.
    pub(super) fn joined(&self, id: &MemberId) -> JoinAnswer {
        let leads = self.live.leader.as_ref() == Some(id);
        JoinAnswer {
            refusal: None,
            generation: self.live.generation,
            protocol_type: self.live.protocol_type.clone(),
            protocol: self.live.protocol.clone(),
            leader: self.live.leader.clone().unwrap_or_else(|| Arc::from("")),
            skip_assignment: false,
            member: id.clone(),
            members: if leads { self.joined_members() } else { Vec::new() },
        }
    }

    pub(super) fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol = self.live.protocol.as_deref().unwrap_or_default();
        let members = self.live.members.iter().map(|(id, member)| JoinedMember {
            id: id.clone(),
            instance: member.instance.clone(),
            metadata: member.metadata(protocol),
        });
        members.collect()
    }

    /// Has a member lead that has joined; says whether there is one.
    fn elect_joined_leader(&mut self) -> bool {
        let joined = |id: &MemberId| self.live.members.get(id).is_some_and(|member| member.joins.is_some());
        if self.live.leader.as_ref().is_some_and(joined) {
            return true;
        }
        let next = self.live.members.iter().find(|(_, member)| member.joins.is_some());
        let next = next.map(|(id, _)| id.clone());
        let found = next.is_some();
        if found {
            self.live.leader = next;
        }
        found
    }

    fn enter(&mut self, state: State) {
        self.live.state = state;
        self.live.since = self.now;
    }

    /// Everybody has their part.
    pub(super) fn settle(&mut self) {
        self.enter(State::Stable);
        let (mut synced, now) = (Vec::new(), self.now);
        self.live.members.change_all(|id, member| {
            if let Some(token) = member.syncs.take() {
                member.heard(now);
                synced.push((token, id.clone()));
            }
        });
        for (token, id) in synced {
            let answer = self.live.part_of(&id);
            self.answer_sync(Some(token), answer);
        }
    }
}

impl GroupShard {
    /// A classic group that was made to rebalance.
    pub(super) fn rebalanced(&self, id: &str, now: Timestamp, config: &GroupConfig) -> Option<Live> {
        let (id, group) = self.groups.get_key_value(id)?;
        let super::super::Group::Classic(group) = group else { return None };
        let mut turn = Turn::new(id.clone(), group.live.clone(), now, config);
        turn.prepare_rebalance();
        Some(turn.live)
    }
}
