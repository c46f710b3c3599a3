//! ConsumerGroupHeartbeat: a member joins, is there, says what it holds or leaves, and hears what it is to hold.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::reconcile::Reconciliation;
use super::regex::RegexChange;
use super::turn::{Turn, Update};
use super::{ConsumerGroup, Epoch, Held, Member, recorded};
use crate::group::assignor::Partitions;
use crate::group::modern::{Comes, ModernMember, WaitChange};
use crate::group::{Group, GroupDecision, GroupGround, GroupId, GroupRefusal, GroupShard, MemberId, Millis};

/// What a member says. What it leaves out is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerHeartbeat {
    /// The group.
    pub group: GroupId,
    /// The member; empty where the coordinator is to name it, as before version 1.
    pub member: MemberId,
    /// Where it is; one of the epochs that mean joining or leaving.
    pub epoch: Epoch,
    /// The static member's own name.
    pub instance: Option<Arc<str>>,
    /// Where it runs.
    pub rack: Option<Arc<str>>,
    /// How long it may take to give something up.
    pub rebalance_timeout: Option<Millis>,
    /// The topics that it names.
    pub topics: Option<BTreeSet<Arc<str>>>,
    /// What the names of topics that it reads look like; empty for none.
    pub regex: Option<Arc<str>>,
    /// The assignor that it would have.
    pub assignor: Option<Arc<str>>,
    /// What it holds.
    pub owned: Option<Partitions>,
    /// What the client calls itself.
    pub client_id: Arc<str>,
    /// Where it connects from.
    pub client_host: Arc<str>,
}

impl ConsumerHeartbeat {
    /// Whether it leaves nothing out: who says everything hears everything.
    fn is_full(&self) -> bool {
        let subscribes = self.topics.is_some() || self.regex.is_some();
        self.rebalance_timeout.is_some() && subscribes && self.owned.is_some()
    }
}

/// What a member is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatAnswer {
    /// What it is called.
    pub member: MemberId,
    /// Where it is from now on.
    pub epoch: Epoch,
    /// How soon it is to be heard of again; zero for who leaves.
    pub interval: Millis,
    /// What it is to hold; left out where that has not changed.
    pub assignment: Option<Arc<Held>>,
}

impl GroupShard {
    /// Whether a consumer group has nothing to look up and nothing to assign, so that a member that says nothing new is told so
    /// at once.
    pub fn is_quiet(&self, ground: &GroupGround<'_>, id: &str) -> bool {
        self.consumer_group(id).is_some_and(|group| group.is_quiet(ground))
    }

    /// A member joins, is there, or leaves. One of the first that join has to wait for the others.
    ///
    /// # Errors
    /// It may not, or is not who it says.
    pub fn consumer_heartbeat(
        &self,
        ground: &GroupGround<'_>,
        beat: &ConsumerHeartbeat,
    ) -> Result<GroupDecision<HeartbeatAnswer>, GroupRefusal> {
        if beat.epoch == Epoch::NONE || beat.epoch == Epoch::AWAY {
            return self.consumer_leaves(ground, beat);
        }
        let joins = beat.epoch == Epoch::JOINING;
        let mut turn = self.consumer_turn(ground, &beat.group, joins)?;
        let (instance, most) = (beat.instance.as_deref(), ground.config.consumer.members_max);
        if !turn.group.members.has_room_for(&beat.member, instance, most) {
            return Err(GroupRefusal::ConsumerGroupMaxSizeReached);
        }
        let id = if beat.member.is_empty() { new_id(ground) } else { beat.member.clone() };
        let has_no_more = |member: &Member| holds_no_more(beat.owned.as_ref(), &member.assigned);
        let before = match turn.group.members.comes(&id, instance, beat.epoch, has_no_more)? {
            Comes::New => Arc::default(),
            Comes::Known(member) => member,
            Comes::Back { known, member } => turn.replace(&known, &member, &id),
        };
        let after = Arc::new(said(&before, beat));
        turn.beat(Update { id, before, after }, beat)
    }

    /// The change of a consumer group that begins with the group as it is, or as it becomes by being joined.
    fn consumer_turn<'a>(
        &'a self,
        ground: &'a GroupGround<'a>,
        id: &GroupId,
        joins: bool,
    ) -> Result<Turn<'a>, GroupRefusal> {
        let new = || Cow::Owned(ConsumerGroup::default());
        match self.group(id) {
            Some(Group::Consumer(group)) => Ok(Turn::new(id.clone(), ground, Cow::Borrowed(group))),
            Some(Group::Streams(_)) => Err(GroupRefusal::GroupIdNotFound),
            _ if !joins => Err(GroupRefusal::GroupIdNotFound),
            None => Ok(Turn::new(id.clone(), ground, new())),
            Some(Group::Classic(classic)) if classic.live.is_empty() => {
                let mut turn = Turn::new(id.clone(), ground, new());
                turn.records.extend(self.tombstones_if_empty(id));
                Ok(turn)
            }
            Some(Group::Classic(classic)) => Turn::upgrading(id, ground, classic),
        }
    }
}

impl ConsumerGroup {
    /// Whether it has nothing to look up and nothing to assign.
    pub(super) fn is_quiet(&self, ground: &GroupGround<'_>) -> bool {
        self.live.metadata_seen == Some(ground.image.end()) && self.target.epoch() >= self.epoch
    }
}

/// A fresh id for a member, in Kafka's form; none begins with a dash.
pub(super) fn new_id(ground: &GroupGround<'_>) -> MemberId {
    let mut id = ground.random_id();
    id.0[0] &= 0x7f;
    MemberId::from(id.to_string())
}

/// Whether a member says that it holds nothing but what it has.
fn holds_no_more(owned: Option<&Partitions>, assigned: &Held) -> bool {
    owned.is_some_and(|owned| {
        owned.iter().all(|(topic, partitions)| {
            assigned.get(topic).is_some_and(|held| partitions.iter().all(|index| held.contains_key(index)))
        })
    })
}

/// The member as it says that it is.
fn said(before: &Member, beat: &ConsumerHeartbeat) -> Member {
    let or = |said: &Option<Arc<str>>, known: &Option<Arc<str>>| said.clone().or_else(|| known.clone());
    Member {
        instance: or(&beat.instance, &before.instance),
        rack: or(&beat.rack, &before.rack),
        rebalance_timeout: beat.rebalance_timeout.unwrap_or(before.rebalance_timeout),
        assignor: or(&beat.assignor, &before.assignor),
        topics: match &beat.topics {
            Some(topics) if *topics != *before.topics => Arc::new(topics.clone()),
            _ => before.topics.clone(),
        },
        regex: or(&beat.regex, &before.regex),
        client_id: beat.client_id.clone(),
        client_host: beat.client_host.clone(),
        classic: None,
        ..before.clone()
    }
}

impl Turn<'_> {
    /// A static member has come back, under another id: it takes its old place.
    pub(super) fn replace(&mut self, known: &MemberId, member: &Member, id: &MemberId) -> Arc<Member> {
        let back = Member { epoch: Epoch::JOINING, previous_epoch: Epoch::JOINING, ..member.clone() };
        self.records.extend(ConsumerGroup::without_member(&self.id, known));
        self.records.push(recorded::member(&self.id, id, &back));
        let none = Arc::default();
        let target = self.group.target.of(known).unwrap_or(&none);
        self.records.push(recorded::target(&self.id, id, target));
        self.records.push(recorded::current(&self.id, id, &back));
        self.changes.push(WaitChange::Gone(known.clone()).into());
        Arc::new(back)
    }

    /// What a member's heartbeat comes to.
    fn beat(
        mut self,
        update: Update,
        beat: &ConsumerHeartbeat,
    ) -> Result<GroupDecision<HeartbeatAnswer>, GroupRefusal> {
        let topics_changed = self.record_member(&update);
        let regex = self.update_regex(&update)?;
        let asks_for_more =
            topics_changed || regex == RegexChange::Resolved || self.assignor_changed(&update);
        let mut epoch = self.group.epoch;
        if asks_for_more || self.metadata_is_old() {
            epoch = self.refresh(&update, asks_for_more);
        }
        let gathers = self.gathers(&update, beat, epoch);
        let target = if gathers { self.last_target(&update) } else { self.target_for(&update, epoch)? };
        let subscription_changed = topics_changed || regex != RegexChange::None;
        let next = Reconciliation {
            group: &self.group,
            image: self.ground.image,
            target_epoch: target.epoch,
            target: &target.partitions,
            subscription_changed,
            owned: beat.owned.as_ref(),
        }
        .next(&update.after)?;
        self.record_progress(&update, &next);
        self.heard(&update.id);
        let tells = beat.epoch == Epoch::JOINING || beat.is_full() || update.before.assigned != next.assigned;
        let answer = HeartbeatAnswer {
            member: update.id.clone(),
            epoch: next.epoch,
            interval: self.settings.heartbeat_interval,
            assignment: tells.then(|| next.assigned.clone()),
        };
        if gathers {
            self.gather(&update.id);
            return Ok(GroupDecision { reply: None, ..self.decision(answer) });
        }
        Ok(self.decision(answer))
    }

    /// Records what a member says of itself where that is new; whether it names other topics.
    pub(super) fn record_member(&mut self, update: &Update) -> bool {
        let (before, after) = (&update.before, &update.after);
        if before == after {
            return false;
        }
        self.records.push(recorded::member(&self.id, &update.id, after));
        before.topics != after.topics
    }

    fn assignor_changed(&self, update: &Update) -> bool {
        let default = Arc::from(self.ground.config.consumer.default_assignor().name());
        let of = |before, after| self.group.subscriptions.preferred_assignor(before, after);
        let now = of(None, None).unwrap_or_else(|| Arc::clone(&default));
        let then = of(Some(&*update.before), Some(&*update.after)).unwrap_or(default);
        now != then
    }

    /// Records how far a member has come, and waits for it while it is to give something up.
    pub(super) fn record_progress(&mut self, update: &Update, next: &Arc<Member>) {
        if Arc::ptr_eq(&update.after, next) || update.after == *next {
            return;
        }
        self.records.push(recorded::current(&self.id, &update.id, next));
        if next.is_classic() {
            return;
        }
        let until = next.waited().gives_up_until(self.ground.now);
        self.changes.push(WaitChange::Rebalance(update.id.clone(), until).into());
    }
}
