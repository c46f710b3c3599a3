//! Decoding allocates nothing, whatever the bytes say, and neither does iterating what was decoded.
#![expect(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one hands everything on to the system's"
)]

mod model;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use model::Entropy;
use protocol::messages::catalogue;

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

fn allocations_of<R>(work: impl FnOnce() -> R) -> (usize, R) {
    let before = ALLOCATIONS.with(Cell::get);
    let result = work();
    (ALLOCATIONS.with(Cell::get) - before, result)
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(step).collect()
}

#[test]
fn allocations_are_counted() {
    assert_eq!(allocations_of(|| drop(std::hint::black_box(Box::new(1)))).0, 1);
}

#[test]
fn decoding_and_iterating_allocate_nothing() {
    let mut out = Vec::with_capacity(1 << 20);
    for seed in 0..16 {
        let noise = noise(seed, 300);
        for entry in catalogue::all() {
            for version in entry.schema.versions.iter() {
                let name = entry.schema.name;
                let flexible = entry.schema.flexible.contains(version);
                let model = model::fields(entry.schema.fields, version, &mut Entropy::new(&noise));
                let mut sound = Vec::new();
                model::write(entry.schema.fields, &model, version, flexible, &mut sound);
                let mut broken = sound.clone();
                broken.iter_mut().step_by(7).for_each(|byte| *byte = !*byte);
                for bytes in [&sound, &broken, &noise] {
                    let (decoding, _) = allocations_of(|| (entry.decode)(bytes, version).is_ok());
                    assert_eq!(decoding, 0, "decoding {name} {version}");
                    out.clear();
                    let (writing, _) = allocations_of(|| (entry.recode)(bytes, version, &mut out).is_ok());
                    assert_eq!(writing, 0, "iterating {name} {version}");
                }
            }
        }
    }
}
