//! What a partition with a record in it keeps in memory: very many of them must fit.
#![expect(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one hands everything on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use benches::frames::{AnswerShape, Frame};
use benches::load::{Connection, IN_FLIGHT};
use benches::node::InProcess;
use benches::workload::WORKLOADS;
use protocol::id::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::records::build::{BatchBuilder, BatchOptions};
use storage::first_records::FIRST_RECORDS;

struct Held;

static BYTES: AtomicI64 = AtomicI64::new(0);
/// How many allocations are held that take so many times 16 bytes; the last counts all that take more.
static HELD_BY_SIZE: [AtomicI64; 64] = [const { AtomicI64::new(0) }; 64];

/// Notes that so many allocations more of a size are held.
fn note(size: usize, more: i64) {
    let bytes = taken(size);
    BYTES.fetch_add(more * bytes, Ordering::Relaxed);
    let place = (bytes as usize / 16).min(HELD_BY_SIZE.len() - 1);
    HELD_BY_SIZE[place].fetch_add(more, Ordering::Relaxed);
}

/// What an allocation takes of the heap: the system rounds up and adds its own word.
fn taken(size: usize) -> i64 {
    (size + 8).next_multiple_of(16).max(32) as i64
}

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Held {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 1);
        // SAFETY: the caller keeps the contract of this method, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(layout.size(), -1);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(layout.size(), -1);
        note(size, 1);
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
const BYTES_A_PARTITION_MAX: f64 = 1_080.0;
/// With files made or written to a moment ago, which are open.
const BYTES_WITH_FILES_MAX: f64 = 1_120.0;
/// With the leader epochs of four lives.
const BYTES_WITH_EPOCHS_MAX: f64 = 1_165.0;

/// What is held at a moment.
struct Snapshot {
    bytes: i64,
    by_size: Vec<i64>,
}

impl Snapshot {
    fn take() -> Self {
        let by_size = HELD_BY_SIZE.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        Self { bytes: BYTES.load(Ordering::Relaxed), by_size }
    }
}

/// What a partition takes, where nothing but these has come since, is at most this.
fn each_since(before: &Snapshot, what: &str, most: f64) {
    let each = each_now(before, what);
    assert!(each <= most, "{each:.0} bytes a partition {what}");
    assert!(each > 200.0, "{each:.0} bytes a partition {what}: is anything counted?");
}

fn each_now(before: &Snapshot, what: &str) -> f64 {
    // The answer comes a moment before what it took is given back.
    std::thread::sleep(Duration::from_millis(100));
    let now = Snapshot::take();
    let each = (now.bytes - before.bytes) as f64 / f64::from(PARTITIONS);
    println!("{each:.0} bytes a partition {what}");
    for (place, (now, before)) in now.by_size.iter().zip(&before.by_size).enumerate() {
        let count = (now - before) as f64 / f64::from(PARTITIONS);
        if count.abs() >= 0.05 {
            println!("  {count:.2} allocations of {} bytes", place * 16);
        }
    }
    each
}

/// A batch of a producer with an id, whom the partition remembers.
fn of_a_producer() -> Vec<u8> {
    let producer = (ProducerId(7), ProducerEpoch(0), Sequence(0));
    let mut builder = BatchBuilder::new(BatchOptions { producer, ..BatchOptions::default() });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock set since 1970").as_millis();
    builder.push(Timestamp(now as i64), None, Some(b"a value"), &[]);
    builder.finish_uncompressed()
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
    let send = |connection: &mut Connection, batch: &[u8], topic: &str, partitions: i32| {
        let mut frame = Frame::produce(topic, batch);
        let requests = (partitions as u32).max(IN_FLIGHT);
        let turn = |frame: &mut Frame, number: u32| frame.set_partition(number as i32 % partitions);
        connection.pump(&mut frame, AnswerShape::produce(topic), requests, turn).unwrap();
    };
    let write = |connection: &mut Connection, topic, partitions| send(connection, &batch, topic, partitions);
    write(&mut connection, "first", 1);
    let before = Snapshot::take();
    connection.create_topic(TOPIC, PARTITIONS, &[]).unwrap();
    write(&mut connection, TOPIC, PARTITIONS);
    each_since(&before, "as it is made", BYTES_A_PARTITION_MAX);
    // A log without files is little more than a plan, and that for a moment only.
    let first_records = directory.path().join(FIRST_RECORDS);
    let end = Instant::now() + FILES_MADE_WITHIN;
    while std::fs::metadata(&first_records).is_ok_and(|file| file.len() > 0) {
        assert!(Instant::now() < end, "logs stay without files");
        std::thread::sleep(Duration::from_millis(20));
    }
    each_since(&before, "with its files", BYTES_WITH_FILES_MAX);
    drop((connection, node));
    // A node of its own shows what is not the partitions', before and after somebody has come to it.
    let empty = tempfile::tempdir().unwrap();
    let node = InProcess::start(empty.path()).unwrap();
    let before = Snapshot::take();
    let mut connection = Connection::open(node.address().unwrap()).unwrap();
    connection.create_topic("first", 1, &[]).unwrap();
    write(&mut connection, "first", 1);
    let written = Snapshot::take();
    drop((connection, node));
    let node = InProcess::start(directory.path()).unwrap();
    each_since(&before, "after a restart", BYTES_A_PARTITION_MAX);
    let mut connection = Connection::open(node.address().unwrap()).unwrap();
    write(&mut connection, TOPIC, PARTITIONS);
    each_since(&written, "after a restart, with another record", BYTES_WITH_FILES_MAX);
    // Each life leaves a leader epoch in every log.
    let restart = |(connection, node): (Connection, InProcess)| {
        drop((connection, node));
        let node = InProcess::start(directory.path()).unwrap();
        (Connection::open(node.address().unwrap()).unwrap(), node)
    };
    let (mut connection, node) = restart((connection, node));
    write(&mut connection, TOPIC, PARTITIONS);
    let (mut connection, _node) = restart((connection, node));
    write(&mut connection, TOPIC, PARTITIONS);
    each_since(&written, "after a third restart, with a record of each life", BYTES_WITH_EPOCHS_MAX);
    // That each remembers something more is planted, and must be noticed.
    send(&mut connection, &of_a_producer(), TOPIC, PARTITIONS);
    let each = each_now(&written, "that remembers a producer");
    assert!(each > BYTES_WITH_EPOCHS_MAX, "what each remembers more goes unnoticed: {each:.0} bytes");
}
