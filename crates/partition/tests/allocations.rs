//! An append allocates nothing once its buffers have grown, however many bytes and records it has and whatever
//! their codec.
#![expect(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one hands everything on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use partition::{Append, AppendDecision, AppendRules, Origin, Partition, Scratch, Verification};
use protocol::id::{LeaderEpoch, NodeId, ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::offset::Offset;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::{Codec, Compressors};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of this method, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const EPOCH: LeaderEpoch = LeaderEpoch(0);
const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn batch(codec: Codec, sequence: i32, records: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions {
        compression: codec.into(),
        producer: (ProducerId(7), ProducerEpoch(0), Sequence(sequence)),
        ..BatchOptions::default()
    });
    for record in 0..records {
        let value = format!("{record:0100}");
        builder.push(NOW, Some(b"key"), Some(value.as_bytes()), &[]);
    }
    builder.finish(&mut Compressors::default()).expect("records in memory compress")
}

#[test]
fn appends_allocate_nothing() {
    let client = Origin::Client { zstd: true, verification: Verification::NotRequired };
    let append = Append { origin: client, leader_epoch: EPOCH, now: NOW };
    for codec in Codec::ALL {
        let mut partition = Partition::empty(Offset::ZERO);
        partition.become_leader(EPOCH, NodeId(1), 1, [NodeId(1)]);
        let (rules, mut scratch) = (AppendRules::default(), Scratch::default());
        for round in 0..8 {
            let mut bytes = batch(codec, round * 600, 600);
            let before = ALLOCATIONS.with(Cell::get);
            let decision = partition.decide_append(&rules, append, &mut bytes, &mut scratch);
            let Ok(AppendDecision::Append(plan)) = decision else { panic!("{decision:?}") };
            partition.appended(&plan);
            let allocations = ALLOCATIONS.with(Cell::get) - before;
            // The first round makes the codec's state and the producer's entry, the second room for its batches.
            let most = [usize::MAX, 1, 0][round.min(2) as usize];
            assert!(allocations <= most, "{codec}: {allocations} in round {round}");
        }
    }
}

#[test]
fn allocations_are_counted() {
    let before = ALLOCATIONS.with(Cell::get);
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 1);
}
