//! A classic group as it is now: its state, its members, and who waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::id::Timestamp;
use protocol::messages::Message;
use protocol::messages::record::ConsumerProtocolSubscription;

use super::super::few::Few;
use super::super::offsets::commit::Committer;
use super::super::offsets::expire::Since;
use super::super::{Generation, GroupRefusal, MemberId, Millis};
use super::promises::Promises;
use super::{CONSUMER, Member, Members, Protocols, SyncAnswer};
use crate::shard::Token;

/// Where a group stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum State {
    /// Nobody is in it.
    #[default]
    Empty,
    /// Members are to join again.
    PreparingRebalance,
    /// The leader is to assign.
    CompletingRebalance,
    /// Everybody has their part, or can have it.
    Stable,
}

impl State {
    /// Kafka's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// What a member waits for under a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// Others to join.
    ToJoin(Token),
    /// The leader to assign.
    ForPart(Token),
}

/// Until when members may join.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum JoinPhase {
    /// The first rebalance of a group that was empty: longer, by another delay, if somebody new comes meanwhile.
    Initial { until: Timestamp, delay: Millis, remaining: Millis },
    /// As long as the slowest member may take.
    Rebalance { until: Timestamp },
}

impl JoinPhase {
    pub(super) fn until(self) -> Timestamp {
        match self {
            Self::Initial { until, .. } | Self::Rebalance { until } => until,
        }
    }
}

/// A group as it is now. A copy of it costs little, however many members there are. What a heartbeat looks at comes first.
#[derive(Clone, Debug, PartialEq)]
#[repr(C)]
pub struct Live {
    pub(super) generation: Generation,
    pub(super) state: State,
    pub(super) members: Members,
    /// Since when.
    pub(super) since: Timestamp,
    pub(super) protocol_type: Option<Arc<str>>,
    pub(super) protocol: Option<Arc<str>>,
    pub(super) leader: Option<MemberId>,
    /// Static members by their own names.
    pub(super) instances: Few<Arc<str>, MemberId>,
    /// Ids that were given out and not yet used to join.
    pub(super) promised: Promises,
    /// The members that have not fetched their part of this generation.
    pub(super) unsynced: Few<MemberId, ()>,
    /// Until when they may.
    pub(super) sync_until: Option<Timestamp>,
    pub(super) join_phase: Option<JoinPhase>,
    /// Whether the rebalance that is being prepared is the first after the group was empty.
    pub(super) was_empty: bool,
    /// Whether somebody new has joined since the initial delay began.
    pub(super) newcomers: bool,
    /// The topics that any consumer of the group reads; none where the coordinator cannot tell.
    pub(super) subscribed: Option<Arc<BTreeSet<Box<str>>>>,
}

impl Default for Live {
    /// A group that nobody has joined.
    fn default() -> Self {
        Self {
            state: State::Empty,
            since: Timestamp::NONE,
            protocol_type: None,
            protocol: None,
            generation: Generation(0),
            leader: None,
            members: Members::default(),
            instances: Few::default(),
            promised: Promises::default(),
            unsynced: Few::default(),
            sync_until: None,
            join_phase: None,
            was_empty: false,
            newcomers: false,
            subscribed: None,
        }
    }
}

impl Live {
    /// Where the group stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.state == State::Empty
    }

    /// What its members are, "consumer" mostly.
    pub fn protocol_type(&self) -> Option<&Arc<str>> {
        self.protocol_type.as_ref()
    }

    /// What the members agreed on.
    pub fn protocol(&self) -> Option<&Arc<str>> {
        self.protocol.as_ref()
    }

    /// Which assignment stands.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Who assigns.
    pub fn leader(&self) -> Option<&MemberId> {
        self.leader.as_ref()
    }

    /// The members.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Whether a member is who it says: known, and not replaced by another with the same instance id. Its id as it is
    /// kept, and itself.
    pub(super) fn validate(
        &self,
        member: &str,
        instance: Option<&str>,
    ) -> Result<(&MemberId, &Member), GroupRefusal> {
        if let Some(instance) = instance {
            match self.instances.get(instance) {
                None => return Err(GroupRefusal::UnknownMember),
                Some(known) if **known != *member => return Err(GroupRefusal::FencedInstance),
                Some(_) => {}
            }
        }
        let known = self.members.get_key_value(member);
        known.map(|(id, member)| (id, &**member)).ok_or(GroupRefusal::UnknownMember)
    }

    /// Whether these offsets may be committed now.
    pub(in crate::group) fn may_commit(
        &self,
        committer: &Committer,
        transactional: bool,
    ) -> Result<(), GroupRefusal> {
        let Committer { member, instance, generation, .. } = committer;
        if *generation < Generation(0) && self.is_empty() {
            return Ok(());
        }
        if *generation >= Generation(0) || !member.is_empty() || instance.is_some() {
            self.validate(member, instance.as_deref())?;
            if *generation != self.generation {
                return Err(GroupRefusal::IllegalGeneration);
            }
        } else if !transactional && !self.is_empty() {
            // Who claims no membership may only commit while nobody else does.
            return Err(GroupRefusal::UnknownMember);
        }
        if !transactional && self.state == State::CompletingRebalance {
            return Err(GroupRefusal::RebalanceInProgress);
        }
        Ok(())
    }

    /// A commit is as good as a heartbeat: the member's new deadline.
    pub(in crate::group) fn heard_by_commit(
        &self,
        committer: &Committer,
        now: Timestamp,
    ) -> Option<(MemberId, Timestamp)> {
        let counts = matches!(self.state, State::Stable | State::PreparingRebalance);
        let (id, member) = self.members.get_key_value(&committer.member).filter(|_| counts)?;
        Some((id.clone(), member.session_timeout.after(now)))
    }

    /// Whether offsets of single topics may be deleted: from under members only where it is known what they read.
    pub(in crate::group) fn may_delete_offsets(&self) -> Result<(), GroupRefusal> {
        if self.is_empty() || self.is_of_consumers() { Ok(()) } else { Err(GroupRefusal::NonEmptyGroup) }
    }

    /// Whether its members are consumers.
    pub(super) fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// Whether anybody in the group reads a topic. Where consumers do not say what they read, it may be any.
    pub(in crate::group) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.is_of_consumers(),
        }
    }

    /// From when the time of its offsets counts.
    pub(in crate::group) fn offsets_count_since(&self) -> Since {
        match (&self.protocol_type, self.state) {
            (None, _) => Since::Commit,
            (Some(_), State::Empty) if self.since == Timestamp::NONE => Since::Commit,
            (Some(_), State::Empty) => Since::Empty(self.since),
            (Some(_), State::Stable) if self.is_of_consumers() && self.subscribed.is_some() => Since::Commit,
            _ => Since::Never,
        }
    }

    /// A member was heard of.
    pub(in crate::group) fn heard(&mut self, member: &str, deadline: Timestamp) {
        self.members.heard(member, deadline);
    }

    /// A member waits, and nothing else about the group has changed: it is not copied for that.
    pub(in crate::group) fn waits(&mut self, member: &str, wait: Wait) {
        if let Wait::ForPart(_) = wait {
            self.synced_by(member);
        }
        self.members.change(member, |member| match wait {
            Wait::ToJoin(token) => member.joins = Some(token),
            Wait::ForPart(token) => member.syncs = Some(token),
        });
    }

    /// A member has asked for its part in time.
    pub(in crate::group) fn synced_by(&mut self, member: &str) {
        self.unsynced.remove(member);
        if self.unsynced.is_empty() {
            self.sync_until = None;
        }
    }

    /// What a member is told of its part.
    pub(super) fn part_of(&self, id: &str) -> SyncAnswer {
        let member = self.members.get(id);
        SyncAnswer {
            refusal: None,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: member.map_or_else(|| Arc::from([]), |member| member.assignment.clone()),
        }
    }

    /// Every member was heard of.
    pub(super) fn hear_all(&mut self, now: Timestamp) {
        self.members.change_all(|_, member| member.heard(now));
    }

    /// When something happens by itself, or before that.
    pub(in crate::group) fn wake_at(&self) -> Option<Timestamp> {
        let phase = self.join_phase.map(JoinPhase::until);
        [self.members.due(), self.promised.due(), phase, self.sync_until].into_iter().flatten().min()
    }

    /// Gives an id out, to join with until then.
    pub(in crate::group) fn promise(&mut self, id: MemberId, until: Timestamp) {
        self.promised.give(id, until);
    }

    /// The longest time that any member may take to join again.
    pub(super) fn rebalance_timeout(&self) -> Millis {
        self.members.rebalance_timeout()
    }

    /// Whether everybody has joined who is expected to.
    pub(super) fn all_joined(&self) -> bool {
        self.promised.is_empty() && self.members.joining() == self.members.len()
    }

    /// Whether members with these protocols may join: everybody in the group must know one of them.
    pub(super) fn supports(&self, protocol_type: &str, protocols: &Protocols) -> bool {
        let count = self.members.len();
        if count == 0 {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type().map(|known| &**known) == Some(protocol_type)
            && protocols.iter().any(|(name, _)| self.members.supporting(name) == count)
    }

    /// The protocol that most members like best, of those that all know.
    pub(super) fn select_protocol(&self) -> Option<Arc<str>> {
        let known: BTreeSet<&Arc<str>> = self.members.supported_by_all().collect();
        if let (Some(only), 1) = (known.first(), known.len()) {
            return Some(Arc::clone(only));
        }
        let mut votes: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for member in self.members.values() {
            let liked = member.protocols.iter().find(|(name, _)| known.contains(name));
            *votes.entry(&liked?.0).or_default() += 1;
        }
        let best = votes.iter().max_by_key(|(name, count)| (**count, std::cmp::Reverse(**name)))?;
        Some(Arc::clone(best.0))
    }

    /// The topics that the consumers of the group read, by what they told under the protocol in use.
    pub(super) fn subscriptions(&self) -> Option<Arc<BTreeSet<Box<str>>>> {
        if !self.is_of_consumers() {
            return None;
        }
        let mut topics = BTreeSet::new();
        if self.members.is_empty() {
            return Some(Arc::new(topics));
        }
        let protocol = self.protocol.as_deref()?;
        let mut last: Option<Arc<[u8]>> = None;
        for member in self.members.values() {
            let told = member.metadata(protocol);
            // Most members read the same as the one before them.
            if last.as_ref() != Some(&told) {
                topics.extend(subscription(&told)?);
                last = Some(told);
            }
        }
        Some(Arc::new(topics))
    }
}

/// The topics of one consumer's subscription; `None` where it is none that can be read.
///
/// They are in what all versions begin with. As in Kafka nothing else is looked at, the version neither: there are clients
/// that send less than the version has which they claim.
fn subscription(bytes: &[u8]) -> Option<Vec<Box<str>>> {
    let (_, body) = bytes.split_first_chunk::<2>()?;
    let first = ConsumerProtocolSubscription::VERSIONS.first;
    let (subscription, _) = ConsumerProtocolSubscription::decode_prefix(body, first).ok()?;
    Some(subscription.topics.iter().map(|topic| Box::from(&*topic)).collect())
}
