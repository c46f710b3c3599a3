//! What a partition with a record in it keeps in memory: very many of them must fit.
#![expect(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one hands everything on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use benches::frames::{AnswerShape, Frame};
use benches::load::{Connection, IN_FLIGHT};
use benches::node::InProcess;
use benches::workload::WORKLOADS;
use storage::first_records::FIRST_RECORDS;

struct Held;

static BYTES: AtomicI64 = AtomicI64::new(0);

fn note(bytes: i64) {
    BYTES.fetch_add(bytes, Ordering::Relaxed);
}

/// What an allocation takes of the heap: the system rounds up and adds its own word.
fn taken(size: usize) -> i64 {
    (size + 8).next_multiple_of(16).max(32) as i64
}

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Held {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(taken(layout.size()));
        // SAFETY: the caller keeps the contract of this method, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(-taken(layout.size()));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(taken(size) - taken(layout.size()));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Held = Held;

const TOPIC: &str = "memory";
const PARTITIONS: i32 = 3_000;
/// Two seconds' work of the thread that makes them, on a machine that does much else.
const FILES_MADE_WITHIN: Duration = Duration::from_secs(120);
/// A hundred thousand are to fit into 150 MB with all the rest.
const BYTES_A_PARTITION_MAX: f64 = 1_400.0;
/// With files made a moment ago, which are open and have their indexes at hand.
const BYTES_WITH_FILES_MAX: f64 = 1_450.0;

/// What a partition takes, where nothing but these has come since so many bytes were held.
fn each_since(before: i64, what: &str, most: f64) {
    // The answer comes a moment before what it took is given back.
    std::thread::sleep(Duration::from_millis(100));
    let each = (BYTES.load(Ordering::Relaxed) - before) as f64 / f64::from(PARTITIONS);
    println!("{each:.0} bytes a partition {what}");
    assert!(each <= most, "{each:.0} bytes a partition {what}");
    assert!(each > 200.0, "{each:.0} bytes a partition {what}: is anything counted?");
}

/// One test, for the count is of the whole process.
#[test]
fn a_partition_with_a_record_keeps_little_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let node = InProcess::start(directory.path()).unwrap();
    let mut connection = Connection::open(node.address().unwrap()).unwrap();
    // Whatever the first topic brings along is not a partition's.
    connection.create_topic("first", 1, &[]).unwrap();
    let lone = WORKLOADS.iter().find(|workload| workload.by_request).unwrap();
    let (batch, _) = lone.batch().unwrap();
    let write = |connection: &mut Connection, topic: &str, partitions: i32| {
        let mut frame = Frame::produce(topic, &batch);
        let requests = (partitions as u32).max(IN_FLIGHT);
        let turn = |frame: &mut Frame, number: u32| frame.set_partition(number as i32 % partitions);
        connection.pump(&mut frame, AnswerShape::produce(topic), requests, turn).unwrap();
    };
    write(&mut connection, "first", 1);
    let before = BYTES.load(Ordering::Relaxed);
    connection.create_topic(TOPIC, PARTITIONS, &[]).unwrap();
    write(&mut connection, TOPIC, PARTITIONS);
    each_since(before, "as it is made", BYTES_A_PARTITION_MAX);
    // A log without files is little more than a plan, and that for a moment only.
    let first_records = directory.path().join(FIRST_RECORDS);
    let end = Instant::now() + FILES_MADE_WITHIN;
    while std::fs::metadata(&first_records).is_ok_and(|file| file.len() > 0) {
        assert!(Instant::now() < end, "logs stay without files");
        std::thread::sleep(Duration::from_millis(20));
    }
    each_since(before, "with its files", BYTES_WITH_FILES_MAX);
    drop((connection, node));
    // A node of its own shows what is not the partitions'.
    let empty = tempfile::tempdir().unwrap();
    let node = InProcess::start(empty.path()).unwrap();
    let before = BYTES.load(Ordering::Relaxed);
    drop(node);
    let _node = InProcess::start(directory.path()).unwrap();
    each_since(before, "after a restart", BYTES_A_PARTITION_MAX);
}
