//! What a request of one member costs does not grow with the group: what it allocates is that of a group of ten, and the few more
//! nodes of a deeper tree.

#![expect(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one hands everything on to the system's"
)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use coordinator::group::classic::{Heartbeat, Join, JoinAnswer, Protocols, Sync};
use coordinator::group::consumer::ConsumerHeartbeat;
use coordinator::group::offsets::commit::{Commit, Committer, NewOffset};
use coordinator::group::{
    Answer, Epoch, Generation, GroupConfig, GroupDecision, GroupGround, GroupShard, Millis,
};
use coordinator::{Ground, Shard as _, Token, Written};
use metadata::{Image, MetadataRecord};
use protocol::id::{LeaderEpoch, PartitionIndex, Timestamp, Uuid};
use protocol::messages::record::partition_record::PartitionRecord;
use protocol::messages::record::topic_record::TopicRecord;
use protocol::offset::Offset;

struct Counting;

thread_local! {
    static BYTES: Cell<usize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    BYTES.with(|all| all.set(all.get() + bytes));
    ALLOCATIONS.with(|all| all.set(all.get() + 1));
}

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of this method, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BEGIN: Timestamp = Timestamp(1_700_000_000_000);
/// Bytes that a request of one member may allocate, in a group of whatever size.
const BYTES_MAX: usize = 12 << 10;

/// A shard with one group, and what its requests rest on.
struct Stage {
    shard: GroupShard,
    config: GroupConfig,
    image: Image,
    protocols: Protocols,
    now: Timestamp,
    asked: u64,
}

impl Stage {
    fn new() -> Self {
        Self {
            shard: GroupShard::default(),
            config: GroupConfig::default(),
            image: Image::default(),
            protocols: [(
                Arc::from("range"),
                Arc::from(b"\0\x01\0\0\0\x01\0\x01t\xff\xff\xff\xff".as_slice()),
            )]
            .into(),
            now: BEGIN,
            asked: 0,
        }
    }

    /// Has the shard decide, and makes it so; what was said to whom, and how many bytes it all allocated.
    fn take<R>(
        &mut self,
        decide: impl FnOnce(&GroupShard, &GroupGround<'_>) -> GroupDecision<R>,
    ) -> (Vec<(Token, Answer)>, usize) {
        self.asked += 1;
        let ground = Ground {
            now: self.now,
            image: &self.image,
            config: &self.config,
            token: Token(self.asked),
            random: &Uuid(u128::from(self.asked).to_be_bytes()),
        };
        let before = BYTES.with(Cell::get);
        let decision = decide(&self.shard, &ground);
        for record in &decision.records {
            let written = Written { offset: Offset(0), timestamp: self.now, transaction: None };
            self.shard.replay(written, record);
        }
        decision.transitions.into_iter().for_each(|transition| self.shard.transit(transition));
        let cost = BYTES.with(Cell::get) - before;
        (decision.answers, cost)
    }

    /// A newcomer joins, or a member again; what that allocated.
    fn join(&mut self, member: &str) -> usize {
        let join = Join {
            group: "g".into(),
            member: member.into(),
            instance: None,
            client_id: "c".into(),
            client_host: "/127.0.0.1".into(),
            session_timeout: Millis(45_000),
            rebalance_timeout: Millis(300_000),
            protocol_type: "consumer".into(),
            protocols: self.protocols.clone(),
            promises_id: false,
            may_skip_assignment: true,
        };
        self.take(|shard, ground| shard.join(ground, &join).unwrap()).1
    }

    /// Lets time pass until the rebalance is over; what everybody is told.
    fn joined(&mut self) -> Vec<JoinAnswer> {
        loop {
            self.now = self.now.max(self.shard.wake_at().unwrap());
            let (answers, _) = self.take(|shard, ground| shard.wake(ground).unwrap());
            if !answers.is_empty() {
                return answers
                    .into_iter()
                    .map(|(_, answer)| match answer {
                        Answer::Join(answer) => answer,
                        answer => panic!("{answer:?}"),
                    })
                    .collect();
            }
        }
    }

    /// Makes the topic `t`.
    fn topic(&mut self, partitions: i32) {
        let topic_id = Uuid([7; 16]);
        let end = self.image.end();
        let topic = TopicRecord { name: "t".into(), topic_id };
        self.image.replay(end, &MetadataRecord::Topic(topic));
        for partition_id in 0..partitions {
            let record = PartitionRecord {
                partition_id,
                topic_id,
                replicas: vec![1].into(),
                isr: vec![1].into(),
                ..PartitionRecord::default()
            };
            let end = self.image.end();
            self.image.replay(end, &MetadataRecord::Partition(record));
        }
    }

    /// A heartbeat of the consumer protocol, at no epoch by who joins; what it allocated and at which epoch that leaves the
    /// member.
    fn consumer_beat(&mut self, member: &str, epoch: Epoch) -> (usize, Epoch) {
        let joins = epoch == Epoch::JOINING;
        let beat = ConsumerHeartbeat {
            group: "c".into(),
            member: member.into(),
            epoch,
            instance: None,
            rack: None,
            rebalance_timeout: joins.then_some(Millis(300_000)),
            topics: joins.then(|| [Arc::from("t")].into()),
            regex: None,
            assignor: None,
            owned: joins.then(BTreeMap::new),
            client_id: "c".into(),
            client_host: "/127.0.0.1".into(),
        };
        let mut at = epoch;
        let (_, cost) = self.take(|shard, ground| {
            let decision = shard.consumer_heartbeat(ground, &beat).unwrap();
            at = decision.reply.as_ref().unwrap().epoch;
            decision
        });
        (cost, at)
    }

    fn sync(&mut self, told: &JoinAnswer) -> usize {
        let sync = Sync {
            group: "g".into(),
            member: told.member.clone(),
            instance: None,
            generation: told.generation,
            protocol_type: None,
            protocol: None,
            assignments: BTreeMap::new(),
        };
        self.take(|shard, ground| shard.sync(ground, &sync).unwrap()).1
    }

    fn beat(&mut self, member: &str, generation: Generation) -> usize {
        let beat = Heartbeat { group: "g", member, instance: None, generation };
        self.take(|shard, ground| shard.heartbeat(ground, beat).unwrap()).1
    }
}

/// What the last of so many members allocates: to join, to fetch its part, to beat, to join again.
fn costs(members: usize) -> [usize; 4] {
    let mut stage = Stage::new();
    let joins: Vec<usize> = (0..members).map(|_| stage.join("")).collect();
    let told = stage.joined();
    assert_eq!(told.len(), members);
    let leader = told.iter().find(|told| told.leader == told.member).unwrap();
    let syncs: Vec<usize> =
        told.iter().filter(|told| told.member != leader.member).map(|told| stage.sync(told)).collect();
    stage.sync(leader);
    let last = told.iter().rfind(|told| told.member != leader.member).unwrap();
    let beat = stage.beat(&last.member, last.generation);
    stage.join(&leader.member);
    let again = stage.join(&last.member);
    [joins[members - 1], *syncs.last().unwrap(), beat, again]
}

/// What the last of so many members of the consumer protocol allocates: to join between two assignments, and to beat.
fn consumer_costs(members: usize) -> [usize; 2] {
    let mut stage = Stage::new();
    stage.topic(10);
    let joins: Vec<(usize, Epoch)> =
        (0..members).map(|member| stage.consumer_beat(&format!("m{member}"), Epoch::JOINING)).collect();
    let (join, epoch) = joins[members - 1];
    let (beat, _) = stage.consumer_beat(&format!("m{}", members - 1), epoch);
    [join, beat]
}

/// What one of two members allocates to leave that read a topic of so many partitions.
fn cost_of_leaving(partitions: i32) -> usize {
    let mut stage = Stage::new();
    stage.topic(partitions);
    for member in ["m0", "m1"] {
        stage.consumer_beat(member, Epoch::JOINING);
    }
    stage.consumer_beat("m1", Epoch::NONE).0
}

#[test]
fn who_leaves_does_not_have_topics_looked_at_that_others_read() {
    let (few, many) = (cost_of_leaving(10), cost_of_leaving(5_000));
    println!("leave: {few} bytes where a topic has 10 partitions, {many} where it has 5,000");
    assert!(many <= few * 2, "{many} bytes where a topic has 5,000 partitions, {few} where it has 10");
}

#[test]
fn a_commit_allocates_no_more_for_more_offsets() {
    let commit = |offsets: i32| Commit {
        committer: Committer {
            group: "o".into(),
            member: "".into(),
            instance: None,
            generation: Generation::NONE,
        },
        retention: None,
        offsets: (0..offsets)
            .map(|partition| NewOffset {
                topic: "topic".into(),
                topic_id: Uuid::ZERO,
                partition: PartitionIndex(partition),
                offset: Offset(5),
                leader_epoch: LeaderEpoch(0),
                metadata: String::new(),
                committed_at: None,
            })
            .collect(),
        transaction: None,
        knows_missing_groups: false,
    };
    let mut stage = Stage::new();
    let seen: Vec<usize> = [1000, 10, 1000]
        .into_iter()
        .map(|offsets| {
            let commit = commit(offsets);
            let image = Image::default();
            let config = GroupConfig::default();
            let ground =
                Ground { now: BEGIN, image: &image, config: &config, token: Token(0), random: &Uuid::ZERO };
            let before = ALLOCATIONS.with(Cell::get);
            let decision = stage.shard.commit_offsets(&ground, &commit).unwrap();
            let written = Written { offset: Offset(0), timestamp: BEGIN, transaction: None };
            for record in &decision.records {
                stage.shard.replay(written, record);
            }
            drop(decision);
            ALLOCATIONS.with(Cell::get) - before
        })
        .collect();
    println!("a commit of 1000 offsets that are new, of 10 and of 1000 that are known: {seen:?} allocations");
    assert!(seen[2] <= seen[1] + 2 && seen[2] <= 10, "{seen:?}");
}

#[test]
fn a_heartbeat_keeps_nothing_of_what_it_says() {
    let mut stage = Stage::new();
    for _ in 0..100 {
        stage.join("");
    }
    let told = stage.joined();
    let leader = told.iter().find(|told| told.leader == told.member).unwrap();
    stage.sync(leader);
    let before = ALLOCATIONS.with(Cell::get);
    stage.beat(&told[50].member, told[50].generation);
    let allocations = ALLOCATIONS.with(Cell::get) - before;
    assert_eq!(allocations, 1, "the list of what changes, which is that the member was heard of");
}

#[test]
fn a_heartbeat_of_the_consumer_protocol_allocates_no_more_in_a_large_group() {
    let (small, large) = (consumer_costs(10), consumer_costs(5_000));
    println!("join, heartbeat: {small:?} bytes of 10 members, {large:?} of 5,000");
    for (small, large) in small.into_iter().zip(large) {
        assert!(large <= small * 2, "{large} bytes where a small group takes {small}");
        assert!(large <= BYTES_MAX, "{large} bytes");
    }
}

#[test]
fn who_waits_for_others_has_nothing_of_the_group_copied() {
    let [_, sync, _, again] = costs(1_000);
    println!("to wait for one's part: {sync} bytes, to join again: {again}");
    // The list of what changes, which is that the member waits.
    assert!(sync.max(again) <= 512, "{sync} and {again} bytes");
}

#[test]
fn a_request_of_a_member_allocates_no_more_in_a_large_group() {
    let (small, large) = (costs(10), costs(5_000));
    println!("join, sync, heartbeat, join again: {small:?} bytes of 10 members, {large:?} of 5,000");
    for (small, large) in small.into_iter().zip(large) {
        assert!(large <= small.max(1 << 10) * 6, "{large} bytes where a small group takes {small}");
        assert!(large <= BYTES_MAX, "{large} bytes");
    }
}
