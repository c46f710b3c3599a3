//! Groups of consumers, and the offsets they commit: one shard for each partition of `__consumer_offsets`.
//!
//! `classic/` is the protocol in which clients assign among themselves, `consumer/` the one in which the coordinator
//! assigns, `streams/` that of Kafka Streams, `modern/` what these two share; `assignor/` and `subscription/` are what assigning needs; `offsets/` is what any group commits. A
//! group's durable state is what the last records say; for how a member's request is judged see the file named after
//! the API.

pub mod assignor;
pub mod classic;
pub mod config;
pub mod consumer;
pub mod delete;
pub mod describe;
mod few;
mod groups;
mod modern;
pub mod offsets;
pub mod refusal;
pub mod streams;
pub mod subscription;
mod timers;

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::{ProducerId, Timestamp, TopicId};
use protocol::offset::Offset;

pub use config::{ConsumerConfig, GroupConfig, MigrationPolicy, Millis};
pub use modern::Epoch;
pub use refusal::GroupRefusal;

use self::classic::{ClassicGroup, JoinAnswer, Live, SyncAnswer, Wait};
use self::consumer::{ConsumerGroup, HeartbeatAnswer, SoftChange};
use self::groups::Groups;
use self::offsets::Offsets;
use self::streams::{StreamsChange, StreamsGroup};
use self::timers::Timers;
use crate::record::{GroupRecord, RecordError};
use crate::shard::{Decision, Ground, Shard, Written};

/// How long a group is let lie that wanted to write more than its log takes.
const PUT_OFF: Millis = Millis(10_000);

/// What a group is called.
pub type GroupId = Arc<str>;
/// What a member is called, by the coordinator.
pub type MemberId = Arc<str>;
/// What a decision about groups is.
pub type GroupDecision<R> = Decision<'static, GroupShard, R>;
/// What a decision about groups rests on.
pub type GroupGround<'a> = Ground<'a, GroupConfig>;

/// Which assignment a classic member speaks of; in the consumer protocol, the member's epoch. -1 for none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Generation(pub i32);

impl Generation {
    /// That of who is no member.
    pub const NONE: Self = Self(-1);
}

/// A group, by the protocol its members speak.
#[derive(Clone, Debug)]
pub enum Group {
    /// They assign among themselves. A group without members that only commits offsets is one of these.
    Classic(ClassicGroup),
    /// The coordinator assigns (KIP-848).
    Consumer(ConsumerGroup),
    /// The coordinator assigns tasks of Kafka Streams (KIP-1071).
    Streams(Box<StreamsGroup>),
}

impl Group {
    /// Whether anybody in the group reads a topic.
    fn is_subscribed_to(&self, topic: &str) -> bool {
        match self {
            Self::Classic(group) => group.live.is_subscribed_to(topic),
            Self::Consumer(group) => group.is_subscribed_to(topic),
            Self::Streams(group) => group.is_subscribed_to(topic),
        }
    }
}

/// The groups of one partition of `__consumer_offsets`.
#[derive(Clone, Debug, Default)]
pub struct GroupShard {
    groups: Groups,
    offsets: Offsets,
    timers: Timers,
}

/// A change of what is in memory only.
#[derive(Clone, Debug)]
pub enum Transition {
    /// A classic group is like this now.
    Classic(GroupId, Box<Live>),
    /// Somebody was given an id to join a classic group with until then.
    ClassicPromises(GroupId, MemberId, Timestamp),
    /// A member of a classic group waits for the others.
    ClassicWaits(GroupId, MemberId, Wait),
    /// A member of a classic group was heard of and has until then.
    ClassicHeard(GroupId, MemberId, Timestamp),
    /// A member of a stable classic group has fetched its part and has until then to be heard of again.
    ClassicSynced(GroupId, MemberId, Timestamp),
    /// Something about a consumer group is like this now.
    Consumer(GroupId, SoftChange),
    /// Something about a streams group is like this now.
    Streams(GroupId, StreamsChange),
    /// A group can do nothing by itself before this time, or nothing that its log takes.
    PutOff(GroupId, Timestamp),
    /// Expired offsets are looked for next at this time, from this group on.
    SweepOffsets(Timestamp, Option<GroupId>),
    /// Topics were deleted: from this time on what is committed for them is forgotten.
    TopicsDeleted(Timestamp, Arc<[(Arc<str>, TopicId)]>),
    /// That goes on at this time, from this group on; none where all have been gone through.
    ForgetOffsets(Timestamp, Option<GroupId>),
}

/// What a request hears that waited for others.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To JoinGroup.
    Join(JoinAnswer),
    /// To SyncGroup.
    Sync(SyncAnswer),
    /// To the ConsumerGroupHeartbeat of who joins.
    Heartbeat(Result<HeartbeatAnswer, GroupRefusal>),
}

/// The durable half of a group.
#[derive(Clone, Debug, PartialEq)]
enum DurableGroup<'a> {
    Classic(Option<&'a classic::Recorded>),
    Consumer(&'a ConsumerGroup),
    Streams(&'a StreamsGroup),
}

/// The durable half, for comparing what a log gives with what is live.
#[derive(Clone, Debug, PartialEq)]
pub struct Durable<'a> {
    groups: BTreeMap<&'a str, DurableGroup<'a>>,
    offsets: &'a Offsets,
}

impl GroupShard {
    /// A group by its id.
    pub fn group(&self, id: &str) -> Option<&Group> {
        self.groups.get(id)
    }

    /// The groups, in no particular order.
    pub fn groups(&self) -> impl Iterator<Item = (&GroupId, &Group)> {
        self.groups.iter()
    }

    /// The committed offsets.
    pub fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// The durable half.
    pub fn durable(&self) -> Durable<'_> {
        let groups = self.groups.iter().map(|(id, group)| match group {
            Group::Classic(group) => (&**id, DurableGroup::Classic(group.recorded.as_ref())),
            Group::Consumer(group) => (&**id, DurableGroup::Consumer(group)),
            Group::Streams(group) => (&**id, DurableGroup::Streams(group)),
        });
        Durable { groups: groups.collect(), offsets: &self.offsets }
    }

    /// The next thing that is due of this group by `ground.now`; `None` once nothing is. For whoever judges the group before the
    /// shard has been woken.
    pub fn wake_named(&self, ground: &GroupGround<'_>, id: &str) -> Option<GroupDecision<()>> {
        self.wake_one(ground, self.timers.due_of(id, ground.now)?)
    }

    /// What is due of a group.
    fn wake_group(&self, ground: &GroupGround<'_>) -> Option<GroupDecision<()>> {
        self.wake_one(ground, self.timers.due(ground.now)?)
    }

    fn wake_one(&self, ground: &GroupGround<'_>, id: &GroupId) -> Option<GroupDecision<()>> {
        let decision = match self.group(id)? {
            Group::Classic(_) => self.wake_classic(ground, id),
            Group::Consumer(_) => self.wake_consumer(ground, id),
            Group::Streams(_) => self.wake_streams(ground, id),
        }?;
        // One that has something else to do instead does it at once.
        let put_off = Transition::PutOff(id.clone(), PUT_OFF.after(ground.now));
        Some(if decision.unwritten.is_empty() { decision.or_unwritten(put_off) } else { decision })
    }

    /// What is due of offsets.
    fn wake_offsets(&self, ground: &GroupGround<'_>) -> Option<GroupDecision<()>> {
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= ground.now);
        if is_due(self.timers.deleted.forget_at) {
            return Some(self.forget_offsets(ground));
        }
        is_due(self.timers.sweep_at).then(|| self.sweep_offsets(ground))
    }

    /// The group, made where offsets are committed to one that nobody has joined.
    fn made_by_offsets(&mut self, id: &str) {
        if !self.groups.contains(id) {
            self.groups.insert(id.into(), Group::Classic(ClassicGroup::default()));
        }
    }
}

impl Shard for GroupShard {
    type Record<'a> = GroupRecord<'a>;
    type Transition = Transition;
    type Answer = Answer;
    type Config = GroupConfig;
    type Refusal = GroupRefusal;

    fn decode<'a>(key: &'a [u8], value: Option<&'a [u8]>) -> Result<Option<GroupRecord<'a>>, RecordError> {
        GroupRecord::decode(key, value)
    }

    fn encode(record: &GroupRecord<'_>, key: &mut Vec<u8>, value: &mut Vec<u8>) -> Result<bool, RecordError> {
        record.encode(key, value)
    }

    fn replay(&mut self, written: Written, record: &GroupRecord<'_>) {
        match record {
            GroupRecord::LegacyOffsetCommit(key, value) => {
                if value.is_some() {
                    self.made_by_offsets(&key.group);
                }
                self.offsets.replay_legacy(written, key, value.as_ref());
            }
            GroupRecord::OffsetCommit(key, value) => {
                // A tombstone makes no group: the group's own may stand before it.
                if value.is_some() {
                    self.made_by_offsets(&key.group);
                }
                self.offsets.replay(written, key, value.as_ref());
            }
            GroupRecord::GroupMetadata(key, value) => self.replay_classic(&key.group, value.as_ref()),
            _ => self.replay_modern(record),
        }
    }

    fn replay_end(&mut self, _: Offset, producer: ProducerId, committed: bool) {
        self.offsets.end_transaction(producer, committed);
    }

    fn transit(&mut self, transition: Transition) {
        match transition {
            Transition::Classic(id, live) => self.put_classic(id, *live),
            Transition::ClassicPromises(id, member, until) => {
                if let Some(Group::Classic(group)) = self.groups.get_mut(&id) {
                    group.live.promise(member, until);
                    self.timers.set_earlier(&id, until);
                }
            }
            Transition::ClassicWaits(id, member, wait) => {
                if let Some(Group::Classic(group)) = self.groups.get_mut(&id) {
                    group.live.waits(&member, wait);
                }
            }
            Transition::ClassicHeard(id, member, deadline) => {
                if let Some(Group::Classic(group)) = self.groups.get_mut(&id) {
                    group.live.heard(&member, deadline);
                }
            }
            Transition::ClassicSynced(id, member, deadline) => {
                if let Some(Group::Classic(group)) = self.groups.get_mut(&id) {
                    group.live.synced_by(&member);
                    group.live.heard(&member, deadline);
                }
            }
            Transition::Consumer(id, change) => self.change_consumers(&id, change),
            Transition::Streams(id, change) => self.change_streams(&id, change),
            Transition::PutOff(id, until) => self.timers.set(&id, Some(until)),
            Transition::SweepOffsets(at, from) => {
                self.timers.sweep_at = Some(at);
                self.timers.sweep_from = from;
            }
            Transition::TopicsDeleted(at, topics) => self.timers.deleted.add(at, &topics),
            Transition::ForgetOffsets(at, from) => self.timers.deleted.go_on(at, from),
        }
    }

    fn loaded(&mut self, now: Timestamp, config: &GroupConfig) {
        self.load_classic(now, config);
        self.load_modern(now);
        self.timers.sweep_at = Some(config.offsets_check_interval.after(now));
    }

    fn wake_at(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    fn wake(&self, ground: &GroupGround<'_>) -> Option<GroupDecision<()>> {
        // Members do not wait for a look at very many offsets.
        self.wake_group(ground).or_else(|| self.wake_offsets(ground))
    }
}
