//! Members of a consumer group that speak the classic protocol: JoinGroup, SyncGroup, Heartbeat and LeaveGroup in a
//! group whose assignment the coordinator makes.
//!
//! Such a member hears in heartbeats that it is to join again, whenever it has a step to take; its JoinGroup says
//! what it holds, and SyncGroup tells it its part. Nobody waits for anybody.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::embedded::{Subscription, assignment_for};
use super::heartbeat::new_id;
use super::reconcile::Reconciliation;
use super::regex::RegexChange;
use super::turn::{Turn, Update};
use super::{ClassicSide, ConsumerGroup, Member, MemberState};
use crate::group::classic::{CONSUMER, Heartbeat, Join, JoinAnswer, Leave, Leaver, Left, Sync, SyncAnswer};
use crate::group::modern::{ModernMember, WaitChange};
use crate::group::{
    Answer, Generation, GroupDecision, GroupGround, GroupId, GroupRefusal, GroupShard, MemberId, Millis,
};

type Decided<R> = Result<GroupDecision<R>, GroupRefusal>;

impl GroupShard {
    /// A member joins a consumer group by the classic protocol.
    pub(in crate::group) fn join_consumers(
        &self,
        ground: &GroupGround<'_>,
        group: &ConsumerGroup,
        join: &Join,
    ) -> Decided<Answer> {
        if !ground.config.consumer.migration.is_allowed() {
            return Err(GroupRefusal::InconsistentProtocol);
        }
        let is_new = join.member.is_empty();
        let id = if is_new { new_id(ground) } else { join.member.clone() };
        let instance = join.instance.as_deref();
        if !group.members.has_room_for(&join.member, instance, ground.config.consumer.members_max) {
            return Err(GroupRefusal::GroupMaxSizeReached);
        }
        if !group.takes_protocols(join) {
            return Err(GroupRefusal::InconsistentProtocol);
        }
        if is_new && instance.is_none() && join.promises_id {
            let promised = JoinAnswer::refused(id, GroupRefusal::MemberIdRequired);
            return Ok(GroupDecision::reply(Answer::Join(promised)));
        }
        let mut turn = Turn::new(join.group.clone(), ground, Cow::Borrowed(group));
        let before = match instance {
            None => group.members.get(&id).cloned().unwrap_or_default(),
            Some(instance) => turn.static_classic(&id, instance, is_new)?,
        };
        turn.join_classic(join, id, before)
    }

    /// A member that speaks the classic protocol asks for its part.
    pub(in crate::group) fn sync_consumers(
        &self,
        ground: &GroupGround<'_>,
        group: &ConsumerGroup,
        sync: &Sync,
    ) -> Decided<Answer> {
        let member = group.classic_member(&sync.member, sync.instance.as_deref(), sync.generation)?;
        let Some((side, (protocol, told))) =
            member.classic.as_ref().and_then(|side| Some((side, side.protocol()?)))
        else {
            return Err(GroupRefusal::UnknownMember);
        };
        let differs =
            |said: &Option<Arc<str>>, known: &str| said.as_ref().is_some_and(|said| **said != *known);
        if differs(&sync.protocol_type, CONSUMER) || differs(&sync.protocol, protocol) {
            return Err(GroupRefusal::InconsistentProtocol);
        }
        let mut turn = Turn::new(sync.group.clone(), ground, Cow::Borrowed(group));
        if group.target.epoch() > member.epoch && member.state != MemberState::Unrevoked {
            turn.wait_for_join(&sync.member, member);
            let refused = SyncAnswer::refused(GroupRefusal::RebalanceInProgress);
            return Ok(turn.decision(Answer::Sync(refused)));
        }
        turn.changes.push(WaitChange::Sync(sync.member.clone(), None).into());
        turn.heard_within(&sync.member, side.session_timeout);
        let held = member.assigned.iter().map(|(topic, held)| (*topic, held.keys().copied().collect()));
        let answer = SyncAnswer {
            refusal: None,
            protocol_type: sync.protocol_type.clone(),
            protocol: sync.protocol.clone(),
            assignment: assignment_for(told, held, ground.image).unwrap_or_else(|| Arc::from([])),
        };
        Ok(turn.decision(Answer::Sync(answer)))
    }

    /// A member that speaks the classic protocol is there; it hears whether it has to join again.
    pub(in crate::group) fn heartbeat_consumers(
        &self,
        ground: &GroupGround<'_>,
        (id, group): (&GroupId, &ConsumerGroup),
        beat: Heartbeat<'_>,
    ) -> Decided<Result<(), GroupRefusal>> {
        let member = group.classic_member(beat.member, beat.instance, beat.generation)?;
        let member_id = MemberId::from(beat.member);
        let mut turn = Turn::new(id.clone(), ground, Cow::Borrowed(group));
        let session =
            member.classic.as_ref().map_or(turn.settings.session_timeout, |side| side.session_timeout);
        turn.heard_within(&member_id, session);
        let has_a_step = member.epoch < group.target.epoch()
            || member.state == MemberState::Unrevoked
            || (member.state == MemberState::Unreleased && !group.waits_for_others(beat.member, member));
        if !has_a_step {
            return Ok(turn.decision(Ok(())));
        }
        turn.wait_for_join(&member_id, member);
        Ok(turn.decision(Err(GroupRefusal::RebalanceInProgress)))
    }

    /// Members of a consumer group go by LeaveGroup, whichever protocol they speak.
    pub(in crate::group) fn leave_consumers(
        &self,
        ground: &GroupGround<'_>,
        group: &ConsumerGroup,
        leave: &Leave,
    ) -> Decided<Left> {
        let found: Vec<Result<MemberId, GroupRefusal>> =
            leave.members.iter().map(|leaver| group.leaver(leaver)).collect();
        let gone: BTreeSet<MemberId> = found.iter().filter_map(|found| found.clone().ok()).collect();
        let gone: Vec<MemberId> = gone.into_iter().collect();
        let mut turn = Turn::new(leave.group.clone(), ground, Cow::Borrowed(group));
        turn.fence(&gone)?;
        Ok(turn.decision(found.into_iter().map(|found| found.map(|_| ())).collect()))
    }
}

impl ConsumerGroup {
    /// Whether a member with these protocols may join: those that speak the classic one must all know one of them.
    fn takes_protocols(&self, join: &Join) -> bool {
        *join.protocol_type == *CONSUMER
            && join.protocols.iter().any(|(name, _)| self.subscriptions.all_classic_know(name))
    }

    /// A member, who has to be who it says and to speak the classic protocol at this generation.
    fn classic_member(
        &self,
        id: &str,
        instance: Option<&str>,
        generation: Generation,
    ) -> Result<&Arc<Member>, GroupRefusal> {
        let (_, member) = self.members.who(id, instance)?;
        if !member.is_classic() {
            return Err(GroupRefusal::UnknownMember);
        }
        if member.epoch.0 != generation.0 {
            return Err(GroupRefusal::IllegalGeneration);
        }
        Ok(member)
    }

    /// Whether others still hold what a member waits for.
    fn waits_for_others(&self, id: &str, member: &Member) -> bool {
        self.target.of(id).is_some_and(|target| {
            target.iter().any(|(topic, indexes)| {
                let held = member.assigned.get(topic);
                indexes.iter().any(|index| {
                    let has = held.is_some_and(|held| held.contains_key(index));
                    !has && self.holder(*topic, *index).is_some()
                })
            })
        })
    }

    fn leaver(&self, leaver: &Leaver) -> Result<MemberId, GroupRefusal> {
        let Some(instance) = &leaver.instance else {
            return self.members.who(&leaver.member, None).map(|(id, _)| id.clone());
        };
        let (id, _) = self.members.named(instance).ok_or(GroupRefusal::UnknownMember)?;
        if !leaver.member.is_empty() && *id != leaver.member {
            return Err(GroupRefusal::FencedInstance);
        }
        Ok(id.clone())
    }
}

impl Turn<'_> {
    /// A static member joins by the classic protocol: takes its old place, whoever has it.
    fn static_classic(
        &mut self,
        id: &MemberId,
        instance: &str,
        is_new: bool,
    ) -> Result<Arc<Member>, GroupRefusal> {
        let known = self.group.members.named(instance).map(|(known, member)| (known.clone(), member.clone()));
        match known {
            None if is_new => Ok(Arc::default()),
            None => Err(GroupRefusal::UnknownMember),
            Some((known, member)) if is_new => Ok(self.replace(&known, &member, id)),
            Some((known, _)) if known != *id => Err(GroupRefusal::FencedInstance),
            Some((_, member)) => Ok(member),
        }
    }

    fn join_classic(mut self, join: &Join, id: MemberId, before: Arc<Member>) -> Decided<Answer> {
        let image = self.ground.image;
        let told = join.protocols.first().and_then(|(_, told)| Subscription::of(told, image));
        let told = told.ok_or(GroupRefusal::InconsistentProtocol)?;
        let replaced = join.instance.as_ref().and_then(|name| self.group.members.id_of(name)).cloned();
        let replaced = replaced.filter(|known| self.would_downgrade_with(known));
        let after = Arc::new(said(&before, join, &told));
        let update = Update { id, before, after };
        let topics_changed = self.record_member(&update);
        let regex = self.update_regex(&update)?;
        let changed = topics_changed || regex != RegexChange::None;
        let mut epoch = self.group.epoch;
        if changed || self.metadata_is_old() {
            epoch = self.refresh(&update, changed);
        }
        let rebalances = self.group.target.epoch() < epoch;
        let target = match &replaced {
            Some(_) => self.last_target(&update),
            None => self.target_for(&update, epoch)?,
        };
        let next = if replaced.is_some() && rebalances {
            update.after.clone()
        } else {
            let step = Reconciliation {
                group: &self.group,
                image,
                target_epoch: target.epoch,
                target: &target.partitions,
                subscription_changed: changed,
                owned: Some(&told.owned),
            };
            step.next(&update.after)?
        };
        self.record_progress(&update, &next);
        let joined = Update { after: next.clone(), ..update };
        match replaced {
            Some(replaced) => self.downgrade_with(&replaced, &joined, rebalances)?,
            None => self.expect_sync(&joined.id, join),
        }
        let answer = JoinAnswer {
            refusal: None,
            generation: Generation(next.epoch.0),
            protocol_type: Some(Arc::from(CONSUMER)),
            protocol: join.protocols.first().map(|(name, _)| name.clone()),
            leader: Arc::from(""),
            skip_assignment: false,
            member: joined.id,
            members: Vec::new(),
        };
        Ok(self.decision(Answer::Join(answer)))
    }

    /// A member has joined: it has a session, and is to fetch its part.
    fn expect_sync(&mut self, id: &MemberId, join: &Join) {
        let now = self.ground.now;
        self.changes.push(WaitChange::Join(id.clone(), None).into());
        self.changes.push(WaitChange::Session(id.clone(), join.session_timeout.after(now)).into());
        self.changes.push(WaitChange::Sync(id.clone(), Some(join.rebalance_timeout.after(now))).into());
    }

    fn heard_within(&mut self, id: &MemberId, session: Millis) {
        self.changes.push(WaitChange::Session(id.clone(), session.after(self.ground.now)).into());
    }

    /// A member is told to join again; how long it may take counts from the first time.
    fn wait_for_join(&mut self, id: &MemberId, member: &Member) {
        if self.group.live.waits.of(id).join.is_none() {
            let until = member.rebalance_timeout.after(self.ground.now);
            self.changes.push(WaitChange::Join(id.clone(), Some(until)).into());
        }
    }
}

/// The member as it says that it is.
fn said(before: &Member, join: &Join, told: &Subscription) -> Member {
    let or = |said: &Option<Arc<str>>, known: &Option<Arc<str>>| said.clone().or_else(|| known.clone());
    Member {
        instance: or(&join.instance, &before.instance),
        rack: or(&told.rack, &before.rack),
        rebalance_timeout: if join.rebalance_timeout == Millis(-1) {
            before.rebalance_timeout
        } else {
            join.rebalance_timeout
        },
        topics: if told.topics == *before.topics {
            before.topics.clone()
        } else {
            Arc::new(told.topics.clone())
        },
        regex: Some(Arc::from("")),
        client_id: join.client_id.clone(),
        client_host: join.client_host.clone(),
        classic: Some(Arc::new(ClassicSide {
            session_timeout: join.session_timeout,
            protocols: join.protocols.clone(),
        })),
        ..before.clone()
    }
}
