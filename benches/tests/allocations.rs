//! How often a broker asks for memory to answer a request: a few times, and no more for more bytes.
#![expect(clippy::unwrap_used, reason = "a guard that cannot measure fails")]
#![expect(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one hands everything on to the system's"
)]

#[allow(dead_code, reason = "another guard uses the rest")]
mod member;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use benches::asker::{Asker, Encoded};
use benches::consumer_beat;
use benches::guard::Guard;
use benches::load::{Connection, Prepared, wait_for_logs, wait_for_partitions};
use benches::node::InProcess;
use benches::resting::Resting;
use benches::workload::{Direction, LONE, WORKLOADS, Workload};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

fn count(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
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

/// The load allocates nothing once it runs, so that all is the broker's.
const REQUESTS: u32 = 500;
/// To produce hardly ever, to fetch a few times.
const PRODUCE_ALLOCATIONS_MAX: f64 = 0.5;
const FETCH_ALLOCATIONS_MAX: f64 = 3.5;
/// What small things an answer is made of; far less than any batch here.
const BYTES_A_REQUEST_MAX: f64 = 4096.0;

/// Makes one allocation more, of so many bytes, where a guard counts: as a copy of a name would be one, or of what is at hand.
fn plant(bytes: usize) {
    drop(black_box(Vec::<u8>::with_capacity(black_box(bytes))));
}

const fn guard(what: &'static str, most: f64) -> Guard {
    Guard { what, most, planted: "with one more" }
}

/// Allocations and allocated bytes a request.
fn cost(node: &InProcess, workload: Workload) -> (f64, f64) {
    let mut prepared = Prepared::new(node.address().unwrap(), workload, REQUESTS).unwrap();
    prepared.run(REQUESTS).unwrap();
    let before = (ALLOCATIONS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    prepared.run(REQUESTS).unwrap();
    let after = (ALLOCATIONS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    prepared.finish().unwrap();
    let each = |before: u64, after: u64| (after - before) as f64 / f64::from(REQUESTS);
    (each(before.0, after.0), each(before.1, after.1))
}

/// How often a consumer at rest asks while it is counted, and how long it waits each time.
const POLLS: u32 = 20;
const POLL: Duration = Duration::from_millis(10);
/// What a consumer at rest takes for asking and being answered, with what its own request takes.
const BYTES_A_POLL_MAX: f64 = 6144.0;
const PLANTED_BYTES: usize = 4096;

/// Judges the allocated bytes of a request of a fetch session of so many partitions in which nothing happens.
fn judge_at_rest(node: &InProcess, directory: &Path, partitions: i32) {
    let topic = format!("at-rest-{partitions}");
    let mut connection = Connection::open(node.address().unwrap()).unwrap();
    connection.create_topic(&topic, partitions, &[]).unwrap();
    let (batch, _) = LONE.batch().unwrap();
    wait_for_partitions(&mut connection, &topic, &batch, partitions).unwrap();
    wait_for_logs(directory, &[(&topic, partitions.unsigned_abs())]).unwrap();
    let mut consumer = Resting::open(node.address().unwrap(), 1, &[(topic, partitions)], POLL).unwrap();
    consumer.rest(3).unwrap();
    let mut cost = |planted: usize| {
        let before = BYTES.load(Ordering::Relaxed);
        for _ in 0..POLLS {
            consumer.rest(1).unwrap();
            plant(planted);
        }
        (BYTES.load(Ordering::Relaxed) - before) as f64 / f64::from(POLLS)
    };
    let (is, planted) = (cost(0), cost(PLANTED_BYTES));
    println!("{partitions} partitions");
    guard("bytes for a request at rest", BYTES_A_POLL_MAX).judge(is, planted);
}

/// How often the member of a group has memory asked for: with a heartbeat, when it asks for its part, as somebody new who asks
/// for an id, and with a heartbeat of the consumer protocol. All of it is served on the spot, without a copy of the request and a
/// future of its own.
const MEMBERS: [Guard; 4] = [
    guard("allocations for a heartbeat", 0.1),
    guard("allocations for a part", 6.1),
    guard("allocations for an id", 17.0),
    guard("allocations for a heartbeat of the consumer protocol", 0.1),
];

/// Judges the allocations of each of these requests.
fn judge_members(node: &InProcess, directory: &Path) {
    let address = node.address().unwrap();
    let mut asker = Asker::open(address).unwrap();
    let member = member::joined(&mut asker);
    Connection::open(address).unwrap().create_topic("read", 1, &[]).unwrap();
    let consumer = consumer_beat::settled(&mut asker, "consumers", "read").unwrap();
    wait_for_logs(directory, &[("read", 1), ("__consumer_offsets", 50)]).unwrap();
    let mut cost = |request: &Encoded, planted: bool| {
        let mut ask = || {
            asker.send(request).unwrap();
            asker.receive(request).unwrap();
            if planted {
                plant(1);
            }
        };
        ask();
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        (0..REQUESTS).for_each(|_| ask());
        (ALLOCATIONS.load(Ordering::Relaxed) - before) as f64 / f64::from(REQUESTS)
    };
    for (guard, request) in
        MEMBERS.into_iter().zip([member.heartbeat(), member.sync(), member::newcomer(), consumer])
    {
        guard.judge(cost(&request, false), cost(&request, true));
    }
}

/// What every request is made to do more, to see that it is noticed: wait for the disk, or look at all that it sends.
const SYNCED: (&str, &str) = ("headwater.durability", "fsync");
const CHECKED: (&str, &str) = ("headwater.fetch.check", "always");

/// Allocations and allocated bytes a request of a broker with a setting.
fn cost_with((key, value): (&str, &str), workload: Workload) -> (f64, f64) {
    let directory = tempfile::tempdir().unwrap();
    let settings = [(key.to_owned(), value.to_owned())];
    let node = InProcess::start_with(directory.path(), &settings).unwrap();
    let (allocations, bytes) = cost(&node, workload);
    println!("{}, {key}={value}: {allocations} allocations, {bytes} bytes a request", workload.name);
    (allocations, bytes)
}

/// One test, for the count is of the whole process.
#[test]
fn a_request_allocates_a_few_times_whatever_its_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let node = InProcess::start(directory.path()).unwrap();
    judge_members(&node, directory.path());
    for partitions in [1, 1_000] {
        judge_at_rest(&node, directory.path(), partitions);
    }
    for direction in [Direction::Produce, Direction::Fetch] {
        let most = match direction {
            Direction::Produce => PRODUCE_ALLOCATIONS_MAX,
            Direction::Fetch => FETCH_ALLOCATIONS_MAX,
        };
        let template = WORKLOADS.into_iter().find(|workload| workload.direction == direction).unwrap();
        let mut seen = Vec::new();
        for batch_bytes in [4 << 10, 64 << 10, 512 << 10] {
            let (allocations, bytes) = cost(&node, Workload { batch_bytes, ..template });
            println!("{direction:?} of {batch_bytes}: {allocations} allocations, {bytes} bytes a request");
            assert!(allocations <= most, "{direction:?} of {batch_bytes}: {allocations}");
            assert!(bytes <= BYTES_A_REQUEST_MAX, "{direction:?} of {batch_bytes}: {bytes} bytes");
            seen.push(allocations);
        }
        assert!(seen[2] <= seen[0] + 2.0, "{direction:?} allocates more for more bytes: {seen:?}");
    }
    drop(node);
    let of = |name| *WORKLOADS.iter().find(|workload| workload.name == name).unwrap();
    let (allocations, _) = cost_with(SYNCED, of("produce-16k"));
    assert!(allocations > PRODUCE_ALLOCATIONS_MAX, "a wait for each batch goes unnoticed: {allocations}");
    let (allocations, bytes) = cost_with(CHECKED, of("fetch-16k"));
    assert!(allocations > FETCH_ALLOCATIONS_MAX, "a copy of each batch goes unnoticed: {allocations}");
    assert!(bytes > BYTES_A_REQUEST_MAX, "a copy of each batch goes unnoticed: {bytes} bytes");
}
