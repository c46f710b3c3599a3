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
use coordinator::group::{Answer, Generation, GroupConfig, GroupDecision, GroupGround, GroupShard, Millis};
use coordinator::{Ground, Shard as _, Token, Written};
use metadata::Image;
use protocol::id::{Timestamp, Uuid};
use protocol::offset::Offset;

struct Counting;

thread_local! {
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    BYTES.with(|all| all.set(all.get() + bytes));
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
            random: Uuid(u128::from(self.asked).to_be_bytes()),
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
                        Answer::Sync(answer) => panic!("{answer:?}"),
                    })
                    .collect();
            }
        }
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
        let beat = Heartbeat { group: "g".into(), member: member.into(), instance: None, generation };
        self.take(|shard, ground| shard.heartbeat(ground, &beat).unwrap()).1
    }
}

/// What the last of so many members allocates: to join, to beat, to fetch its part, to beat, to join again.
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

#[test]
fn a_request_of_a_member_allocates_no_more_in_a_large_group() {
    let (small, large) = (costs(10), costs(5_000));
    println!("join, sync, heartbeat, join again: {small:?} bytes of 10 members, {large:?} of 5,000");
    for (small, large) in small.into_iter().zip(large) {
        assert!(large <= small.max(1 << 10) * 6, "{large} bytes where a small group takes {small}");
        assert!(large <= BYTES_MAX, "{large} bytes");
    }
}
