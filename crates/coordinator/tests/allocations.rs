//! What a request of one member costs does not grow with the group: what it allocates is that of a group of ten, and the few more
//! nodes of a deeper tree.
//!
//! Each guard is judged twice: as things are, and with a list planted of as many things as there are members, partitions or
//! offsets, which it must notice.

#![expect(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one hands everything on to the system's"
)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use coordinator::group::classic::{Heartbeat, Join, JoinAnswer, Protocols, Sync};
use coordinator::group::consumer::ConsumerHeartbeat;
use coordinator::group::offsets::commit::{Commit, Committer, NewOffset};
use coordinator::group::{
    Answer, Epoch, Generation, GroupConfig, GroupGround, GroupRefusal, GroupShard, Millis,
};
use coordinator::{Decision, Ground, Shard as _, Token, Written};
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
    /// So many things are listed for each request: what is planted.
    listed: usize,
}

/// Lists so many things, one after the other.
fn list(things: usize) {
    let mut listed = Vec::new();
    (0..things).for_each(|thing| listed.push(thing));
    drop(black_box(listed));
}

/// Judges a guard as things are, and with what is planted.
fn judge(holds: impl Fn(bool) -> bool) {
    assert!(holds(false), "it takes more than it may");
    assert!(!holds(true), "what is planted goes unnoticed");
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
            listed: 0,
        }
    }

    /// Has the shard decide, and makes it so; what was said to whom, and how many bytes it all allocated.
    fn take<'r, R>(
        &mut self,
        decide: impl FnOnce(&GroupShard, &GroupGround<'_>) -> Decision<'r, GroupShard, R>,
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
        list(self.listed);
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

    /// A heartbeat that is taken in one with what is decided about it.
    fn hear(
        &mut self,
        member: &str,
        generation: Generation,
    ) -> Option<Result<Result<(), GroupRefusal>, GroupRefusal>> {
        let (image, config, token, random) = (&self.image, &self.config, Token(0), &Uuid([0; 16]));
        list(self.listed);
        let ground = Ground { now: self.now, image, config, token, random };
        self.shard.hear(&ground, Heartbeat { group: "g", member, instance: None, generation })
    }

    fn beat(&mut self, member: &str, generation: Generation) -> usize {
        let beat = Heartbeat { group: "g", member, instance: None, generation };
        self.take(|shard, ground| shard.heartbeat(ground, beat).unwrap()).1
    }
}

/// What the last of so many members allocates: to join, to fetch its part, to beat, to join again.
fn costs(members: usize, planted: bool) -> [usize; 4] {
    let mut stage = Stage::new();
    let mut joins: Vec<usize> = (1..members).map(|_| stage.join("")).collect();
    stage.listed = if planted { members } else { 0 };
    joins.push(stage.join(""));
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
fn consumer_costs(members: usize, planted: bool) -> [usize; 2] {
    let mut stage = Stage::new();
    stage.topic(10);
    for member in 1..members {
        stage.consumer_beat(&format!("m{member}"), Epoch::JOINING);
    }
    stage.listed = if planted { members } else { 0 };
    let (join, epoch) = stage.consumer_beat("m0", Epoch::JOINING);
    let (beat, _) = stage.consumer_beat("m0", epoch);
    [join, beat]
}

/// What one of two members allocates to leave that read a topic of so many partitions.
fn cost_of_leaving(partitions: i32, planted: bool) -> usize {
    let mut stage = Stage::new();
    stage.topic(partitions);
    for member in ["m0", "m1"] {
        stage.consumer_beat(member, Epoch::JOINING);
    }
    stage.listed = if planted { usize::try_from(partitions).unwrap() } else { 0 };
    stage.consumer_beat("m1", Epoch::NONE).0
}

#[test]
fn who_leaves_does_not_have_topics_looked_at_that_others_read() {
    judge(|planted| {
        let (few, many) = (cost_of_leaving(10, planted), cost_of_leaving(5_000, planted));
        println!("leave: {few} bytes where a topic has 10 partitions, {many} where it has 5,000");
        many <= few * 2
    });
}

/// What commits of so many offsets each allocate, one after the other.
fn costs_of_commits(counts: [i32; 3], planted: bool) -> Vec<usize> {
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
    let cost = |offsets: i32| {
        let commit = commit(offsets);
        stage.listed = if planted { commit.offsets.len() } else { 0 };
        let before = ALLOCATIONS.with(Cell::get);
        stage.take(|shard, ground| shard.commit_offsets(ground, &commit).unwrap());
        ALLOCATIONS.with(Cell::get) - before
    };
    counts.into_iter().map(cost).collect()
}

#[test]
fn a_commit_allocates_no_more_for_more_offsets() {
    judge(|planted| {
        let seen = costs_of_commits([1000, 10, 1000], planted);
        println!("1000 offsets that are new, of 10 and of 1000 that are known: {seen:?} allocations");
        seen[2] <= seen[1] + 2 && seen[2] <= 10
    });
}

#[test]
fn a_heartbeat_keeps_nothing_of_what_it_says() {
    judge(|planted| {
        let mut stage = Stage::new();
        for _ in 0..100 {
            stage.join("");
        }
        let told = stage.joined();
        let leader = told.iter().find(|told| told.leader == told.member).unwrap();
        stage.sync(leader);
        stage.listed = usize::from(planted);
        let before = ALLOCATIONS.with(Cell::get);
        let heard = stage.hear(&told[50].member, told[50].generation);
        assert_eq!(heard, Some(Ok(Ok(()))));
        ALLOCATIONS.with(Cell::get) == before
    });
}

#[test]
fn a_heartbeat_of_the_consumer_protocol_allocates_no_more_in_a_large_group() {
    judge(|planted| {
        let (small, large) = (consumer_costs(10, planted), consumer_costs(5_000, planted));
        println!("join, heartbeat: {small:?} bytes of 10 members, {large:?} of 5,000");
        // Each of the two is noticed by itself.
        let holds = |(small, large): (usize, usize)| large <= small * 2 && large <= BYTES_MAX;
        let mut judged = small.into_iter().zip(large).map(holds);
        if planted { judged.any(|holds| holds) } else { judged.all(|holds| holds) }
    });
}

#[test]
fn who_waits_for_others_has_nothing_of_the_group_copied() {
    judge(|planted| {
        let [_, sync, _, again] = costs(1_000, planted);
        println!("to wait for one's part: {sync} bytes, to join again: {again}");
        // The list of what changes, which is that the member waits.
        if planted { sync.min(again) <= 512 } else { sync.max(again) <= 512 }
    });
}

#[test]
fn a_request_of_a_member_allocates_no_more_in_a_large_group() {
    judge(|planted| {
        let (small, large) = (costs(10, planted), costs(5_000, planted));
        println!("join, sync, heartbeat, join again: {small:?} bytes of 10 members, {large:?} of 5,000");
        let holds = |(small, large): (usize, usize)| large <= small.max(1 << 10) * 6 && large <= BYTES_MAX;
        let mut judged = small.into_iter().zip(large).map(holds);
        if planted { judged.any(|holds| holds) } else { judged.all(|holds| holds) }
    });
}
