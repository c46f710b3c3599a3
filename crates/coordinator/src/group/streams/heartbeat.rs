//! StreamsGroupHeartbeat: a member joins, is there, says what it has or leaves, and hears what it is to have.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::PartitionIndex;

use super::configured::{Configured, ConfiguredSubtopology};
use super::reconcile::Reconciliation;
use super::tasks::{Offsets, Part, SubtopologyId, TaskOffsets, Tasks};
use super::turn::{Turn, Update};
use super::{Endpoint, Epoch, Member, Status, StatusCode, StreamsAnswer, StreamsChange, Topology, recorded};
use crate::group::modern::{Comes, ModernMember as _, WaitChange};
use crate::group::subscription::hash_of_topics;
use crate::group::{Group, GroupDecision, GroupGround, GroupId, GroupRefusal, GroupShard, MemberId, Millis};

/// What a member says. What it leaves out is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamsHeartbeat {
    /// The version it says it in.
    pub version: i16,
    /// The group.
    pub group: GroupId,
    /// The member, which names itself.
    pub member: MemberId,
    /// Where it is; one of the epochs that mean joining or leaving.
    pub epoch: Epoch,
    /// The static member's own name.
    pub instance: Option<Arc<str>>,
    /// Where it runs.
    pub rack: Option<Arc<str>>,
    /// How long it may take to give something up.
    pub rebalance_timeout: Option<Millis>,
    /// What the application is made of; said by who joins.
    pub topology: Option<Arc<Topology>>,
    /// The active tasks that it has.
    pub active: Option<Tasks>,
    /// The standby tasks that it has.
    pub standby: Option<Tasks>,
    /// The warm-up tasks that it has.
    pub warmup: Option<Tasks>,
    /// The process that it is a thread of.
    pub process: Option<Arc<str>>,
    /// Where its state can be asked for.
    pub endpoint: Option<Endpoint>,
    /// What it says of where it runs.
    pub tags: Option<BTreeMap<Arc<str>, Arc<str>>>,
    /// How far its copies of state are.
    pub offsets: Option<Offsets>,
    /// How far they could be.
    pub end_offsets: Option<Offsets>,
    /// Whether it told of one task twice.
    pub tells_twice: bool,
    /// Whether it asks all members to end.
    pub shutdown: bool,
    /// The state of endpoints that it knows.
    pub endpoint_epoch: i32,
    /// What the client calls itself.
    pub client_id: Arc<str>,
    /// Where it connects from.
    pub client_host: Arc<str>,
}

impl StreamsHeartbeat {
    /// What it has; none where it does not say.
    fn owned(&self) -> Option<Part> {
        Some(Part {
            active: self.active.clone()?,
            standby: self.standby.clone()?,
            warmup: self.warmup.clone()?,
        })
    }
}

impl GroupShard {
    /// A member joins, is there, or leaves.
    ///
    /// # Errors
    /// It may not, or is not who it says, or its topology is none.
    pub fn streams_heartbeat(
        &self,
        ground: &GroupGround<'_>,
        beat: &StreamsHeartbeat,
    ) -> Result<GroupDecision<StreamsAnswer>, GroupRefusal> {
        if beat.epoch == Epoch::NONE || beat.epoch == Epoch::AWAY {
            return self.streams_leaves(ground, beat);
        }
        let joins = beat.epoch == Epoch::JOINING;
        let mut turn = self.streams_turn(ground, &beat.group, joins)?;
        let (instance, most) = (beat.instance.as_deref(), ground.config.streams.members_max);
        if joins && !turn.group.members.has_room_for(&beat.member, instance, most) {
            return Err(GroupRefusal::StreamsGroupMaxSizeReached);
        }
        let has_no_more =
            |member: &Member| beat.owned().is_some_and(|owned| owned.is_within(&member.assigned));
        let (before, replaced) =
            match turn.group.members.comes(&beat.member, instance, beat.epoch, has_no_more)? {
                Comes::New => (Arc::default(), None),
                Comes::Known(member) => (member, None),
                Comes::Back { known, member } => {
                    let back = turn.replace(&known, &member, &beat.member);
                    (back, (known != beat.member).then_some(known))
                }
            };
        let after = Arc::new(said(&before, beat));
        turn.beat(&Update { id: beat.member.clone(), before, after, replaced }, beat)
    }

    /// The change of a streams group that begins with the group as it is, or as it becomes by being joined.
    fn streams_turn<'a>(
        &'a self,
        ground: &'a GroupGround<'a>,
        id: &GroupId,
        joins: bool,
    ) -> Result<Turn<'a>, GroupRefusal> {
        match self.group(id) {
            Some(Group::Streams(group)) => Ok(Turn::new(id.clone(), ground, Some(group))),
            None if joins => Ok(Turn::new(id.clone(), ground, None)),
            Some(Group::Classic(classic)) if joins && classic.live.is_empty() => {
                let mut turn = Turn::new(id.clone(), ground, None);
                turn.records.extend(self.tombstones_if_empty(id));
                Ok(turn)
            }
            _ => Err(GroupRefusal::GroupIdNotFound),
        }
    }
}

/// The member as it says that it is.
fn said(before: &Member, beat: &StreamsHeartbeat) -> Member {
    let or = |said: &Option<Arc<str>>, known: &Option<Arc<str>>| said.clone().or_else(|| known.clone());
    let joins = beat.epoch == Epoch::JOINING;
    Member {
        instance: or(&beat.instance, &before.instance),
        rack: or(&beat.rack, &before.rack),
        rebalance_timeout: beat.rebalance_timeout.unwrap_or(before.rebalance_timeout),
        topology_epoch: beat.topology.as_ref().map_or(before.topology_epoch, |topology| topology.epoch),
        process: beat.process.clone().unwrap_or_else(|| before.process.clone()),
        // Who joins says where it can be reached, or that it cannot.
        endpoint: if joins {
            beat.endpoint.clone()
        } else {
            beat.endpoint.clone().or(before.endpoint.clone())
        },
        tags: match &beat.tags {
            Some(tags) if *tags != *before.tags => Arc::new(tags.clone()),
            _ => before.tags.clone(),
        },
        client_id: beat.client_id.clone(),
        client_host: beat.client_host.clone(),
        ..before.clone()
    }
}

impl Turn<'_> {
    /// A static member has come back, mostly under another id: it takes its old place.
    fn replace(&mut self, known: &MemberId, member: &Member, id: &MemberId) -> Arc<Member> {
        let back = Member { epoch: Epoch::JOINING, previous_epoch: Epoch::JOINING, ..member.clone() };
        self.records.extend(recorded::without_member(&self.id, known));
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
        update: &Update,
        beat: &StreamsHeartbeat,
    ) -> Result<GroupDecision<StreamsAnswer>, GroupRefusal> {
        let mut asks_for_more = self.record_member(update);
        let topology = self.agreed_topology(update, beat)?;
        let (configured, hash) = self.configured(&topology)?;
        asks_for_more |= hash != self.group.epochs.metadata_hash;
        let validated = if configured.ready().is_some() { topology.epoch } else { -1 };
        check_tasks(&configured, beat)?;
        self.take_offsets(beat, &configured)?;
        let configs = self.settings.assignment_configs();
        asks_for_more |= validated != self.group.epochs.validated_topology;
        asks_for_more |= configs != self.group.epochs.assignment_configs;
        let mut epoch = self.group.epochs.epoch;
        if asks_for_more {
            epoch = self.bump(|epochs| {
                epochs.metadata_hash = hash;
                epochs.validated_topology = validated;
                epochs.assignment_configs = configs.clone();
            });
        }
        let delayed = self.delay_of_the_first();
        let target = self.target_for(update, epoch, &configured, &configs, delayed);
        let owned = beat.owned();
        let next = Reconciliation {
            holders: &self.group.holders,
            target_epoch: target.epoch,
            target: &target.part,
            owned: owned.as_ref(),
        }
        .next(&update.after)?;
        self.record_progress(update, &next);
        self.heard(&update.id);
        let answer = self.answer(update, &next, &configured, beat);
        Ok(self.decision(answer))
    }

    /// Records what a member says of itself where that is new; whether it asks for another assignment.
    fn record_member(&mut self, update: &Update) -> bool {
        let (before, after) = (&update.before, &update.after);
        if before == after {
            return false;
        }
        self.records.push(recorded::member(&self.id, &update.id, after));
        after.instance.is_none() || after.asks_for_more(before)
    }

    /// The topology of the group: the first that was handed in.
    fn agreed_topology(
        &mut self,
        update: &Update,
        beat: &StreamsHeartbeat,
    ) -> Result<Arc<Topology>, GroupRefusal> {
        let known = self.group.topology.clone();
        let topology = match (known, &beat.topology) {
            (None, Some(new)) => {
                if new.epoch < 0 || new.has_twins() {
                    return Err(GroupRefusal::ImpossibleTopology);
                }
                // deviation: Apache Kafka takes it, and may have millions of tasks to assign for a topic of thousands
                // of partitions. No client makes one.
                if new.shares_inputs() {
                    return Err(GroupRefusal::InvalidTopology("two subtopologies read one topic"));
                }
                self.records.push(recorded::topology(&self.id, new));
                return Ok(new.clone());
            }
            (Some(known), Some(new)) if known.epoch <= new.epoch && !known.is(new) => {
                return Err(GroupRefusal::TopologyChanged);
            }
            (Some(known), _) => known,
            (None, None) => return Err(GroupRefusal::ImpossibleTopology),
        };
        if update.after.topology_epoch < topology.epoch {
            let detail = format!(
                "the member has topology {}, the group {}",
                update.after.topology_epoch, topology.epoch
            );
            self.statuses.push(Status::new(StatusCode::StaleTopology, detail));
        }
        Ok(topology)
    }

    /// What the topology comes to with the topics there are, and what those look like. Looked at anew whenever the
    /// cluster has changed.
    fn configured(&mut self, topology: &Topology) -> Result<(Arc<Configured>, i64), GroupRefusal> {
        let (image, live) = (self.ground.image, &self.group.live);
        let known = live.configured.clone().filter(|_| self.group.topology.is_some());
        let hash = self.group.epochs.metadata_hash;
        if let Some(known) = known.clone().filter(|_| live.metadata_seen == Some(image.end())) {
            return Ok((known, hash));
        }
        let seen = hash_of_topics(topology.required_topics().into_iter(), image);
        let configured = match known.filter(|_| seen == hash) {
            Some(known) => known,
            None => Arc::new(Configured::new(topology, image)?),
        };
        if !self.is_new {
            // A group that begins is looked at again once it is there.
            self.changes.push(StreamsChange::MetadataSeen(image.end()));
            self.changes.push(StreamsChange::Configured(configured.clone()));
        }
        Ok((configured, seen))
    }

    /// Takes what a member tells of its state, as far as it is that of tasks of the application: what is kept is bounded
    /// by what the application is, whatever a member says.
    ///
    /// deviation: Apache Kafka keeps everything it is told.
    fn take_offsets(&mut self, beat: &StreamsHeartbeat, configured: &Configured) -> Result<(), GroupRefusal> {
        if beat.tells_twice {
            return Err(GroupRefusal::TaskToldTwice);
        }
        if beat.offsets.is_none() && beat.end_offsets.is_none() {
            return Ok(());
        }
        let Some(parts) = configured.ready() else { return Ok(()) };
        let known = self.group.live.task_offsets.get(&beat.member);
        let mut told = known.map(|known| TaskOffsets::clone(known)).unwrap_or_default();
        if let Some(offsets) = &beat.offsets {
            told.offsets = of_tasks(offsets, parts);
        }
        if let Some(offsets) = &beat.end_offsets {
            told.end_offsets = of_tasks(offsets, parts);
        }
        self.changes.push(StreamsChange::TaskOffsets(beat.member.clone(), Arc::new(told)));
        Ok(())
    }

    /// Whether a group that was empty still waits for more members before it assigns.
    fn delay_of_the_first(&mut self) -> bool {
        if self.group.live.initial_delay.is_some() {
            return true;
        }
        let delay = self.settings.initial_delay;
        let begins = self.group.is_empty() && delay > Millis(0);
        if begins {
            self.changes.push(StreamsChange::InitialDelay(Some(delay.after(self.ground.now))));
        }
        begins
    }

    /// Records how far a member has come, and waits for it while it is to give something up.
    fn record_progress(&mut self, update: &Update, next: &Arc<Member>) {
        if Arc::ptr_eq(&update.after, next) {
            return;
        }
        self.records.push(recorded::current(&self.id, &update.id, next));
        let until = next.waited().gives_up_until(self.ground.now);
        self.changes.push(WaitChange::Rebalance(update.id.clone(), until).into());
    }
}

/// Whether the tasks that a member says it has can be.
fn check_tasks(configured: &Configured, beat: &StreamsHeartbeat) -> Result<(), GroupRefusal> {
    let Some(parts) = configured.ready() else { return Ok(()) };
    let said = [&beat.active, &beat.standby, &beat.warmup];
    for (subtopology, tasks) in said.into_iter().flatten().flatten() {
        let part = parts.get(subtopology).ok_or(GroupRefusal::NoSuchTask)?;
        if !tasks.iter().all(|task| (0..part.tasks).contains(&task.0)) {
            return Err(GroupRefusal::NoSuchTask);
        }
    }
    Ok(())
}

/// Of these offsets those of tasks that there are.
fn of_tasks(offsets: &Offsets, parts: &BTreeMap<SubtopologyId, ConfiguredSubtopology>) -> Offsets {
    let told = parts.iter().filter_map(|(subtopology, part)| {
        let of_part = offsets.get(subtopology)?.range(PartitionIndex(0)..PartitionIndex(part.tasks));
        Some((subtopology.clone(), of_part.map(|(task, offset)| (*task, *offset)).collect()))
    });
    told.collect()
}
