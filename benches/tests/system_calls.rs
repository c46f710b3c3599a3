//! How many system calls a batch costs: at 64 KiB and five requests in flight, three to produce it, and to fetch it two
//! and one for its partition, however old it is to a reader who goes through a log in order. Waits in epoll are not counted, for how often a broker waits is a matter of timing.
//! And how many bytes these calls copy: a batch that is produced comes in once and goes to its file once, and one that
//! is fetched passes by.
//!
//! The broker is a process of its own, traced while it is under load. That the guards trip is seen on brokers that are set to
//! do more, to check all that they send or to wait for the disk, and on requests that come in two pieces.

#![expect(clippy::unwrap_used, reason = "a guard that cannot measure fails")]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod served;

use std::net::SocketAddr;

use benches::calls::count_while;
use benches::crowd::Crowd;
use benches::frames::{AnswerShape, Frame};
use benches::guard::Guard;
use benches::load::{Connection, IN_FLIGHT, Prepared};
use benches::workload::{WORKLOADS, Workload};

use self::served::{BACKGROUND_MAX, Home, Served, each_of};

const REQUESTS: u32 = 1_000;
/// How often a byte that is produced is copied at most: in, and to its file.
const COPIES_MAX: f64 = 2.05;

/// What is planted: settings that have a broker do more, or requests that come in two pieces, as to one that receives lengths first.
#[derive(Clone, Copy, Default)]
struct Plant {
    settings: &'static [&'static str],
    torn: bool,
}

const AS_IT_IS: Plant = Plant { settings: &[], torn: false };
const TORN: Plant = Plant { torn: true, ..AS_IT_IS };
/// What every batch is asked of the disk.
const SYNCED: Plant = Plant { settings: &["headwater.durability=fsync"], ..AS_IT_IS };
/// Compressed batches are unpacked and written as what they hold: more bytes than came.
const UNPACKED: Plant = Plant { settings: &["compression.type=uncompressed"], ..AS_IT_IS };
/// What is sent is looked at, whatever was looked at before.
const CHECKED: Plant = Plant { settings: &["headwater.fetch.check=always"], ..AS_IT_IS };

const fn guard(what: &'static str, most: f64, planted: &'static str) -> Guard {
    Guard { what, most, planted }
}

/// Runs a workload with so many requests in flight; returns the calls a request, waits in epoll left out, and how often each
/// byte of a batch was copied.
fn measured(name: &str, in_flight: u32, plant: Plant) -> (f64, f64) {
    let workload = *WORKLOADS.iter().find(|workload| workload.name == name).unwrap();
    let workload = Workload { in_flight, ..workload };
    let bytes = workload.batch().unwrap().0.len() as u64 * u64::from(REQUESTS);
    let home = Home::new();
    let (served, address) = Served::start_with(home.path(), plant.settings);
    let mut prepared = Prepared::new(address, workload, REQUESTS).unwrap();
    prepared.run(REQUESTS / 4).unwrap();
    prepared.tear(plant.torn);
    let (calls, _) = count_while(served.id(), move || prepared.run(REQUESTS).unwrap()).unwrap();
    println!("{}: {calls:?} for {bytes} bytes", workload.name);
    (each_of(REQUESTS, &calls), calls.copied as f64 / bytes as f64)
}

/// The oldest records of a log of many segments, one batch a request in the order of their offsets: calls a request.
fn calls_to_catch_up(address: SocketAddr, id: u32, batch: usize, records: u32) -> f64 {
    let mut connection = Connection::open(address).unwrap();
    let mut frame = Frame::fetch(OLD, i32::try_from(batch).unwrap());
    let counted = count_while(id, move || {
        let turn = |frame: &mut Frame, number: u32| frame.set_offset(i64::from(number * records));
        let received = connection.pump(&mut frame, AnswerShape::fetch(OLD), REQUESTS, turn).unwrap();
        assert!(received >= u64::from(REQUESTS) * batch as u64);
    });
    let (calls, ()) = counted.unwrap();
    println!("old records: {calls:?}");
    each_of(REQUESTS, &calls)
}

const OLD: &str = "old";
/// More than the latest batches that a log remembers, behind those that are read.
const STORED: u32 = REQUESTS + 1_100;

/// Fills a log, of several segments where the batches are so many, with those of a workload; answers with the bytes and records of
/// each.
fn fill(address: SocketAddr, workload: &str, stored: u32) -> (usize, u32) {
    let workload = *WORKLOADS.iter().find(|known| known.name == workload).unwrap();
    let (batch, records) = workload.batch().unwrap();
    let mut connection = Connection::open(address).unwrap();
    connection.create_topic(OLD, 1, &[("segment.bytes", "16777216")]).unwrap();
    let mut frame = Frame::produce(OLD, &batch);
    connection.pump(&mut frame, AnswerShape::produce(OLD), stored, |_, _| ()).unwrap();
    (batch.len(), records)
}

/// A log of so many such batches, with the bytes and records of each; whoever wrote it has ended.
fn filled(workload: &str, stored: u32) -> (Home, (usize, u32)) {
    let home = Home::new();
    let (served, address) = Served::start(home.path());
    let filled = fill(address, workload, stored);
    served.stop();
    (home, filled)
}

#[test]
fn old_batches_read_in_order_cost_no_more_than_new_ones() {
    let home = Home::new();
    let (served, address) = Served::start(home.path());
    let (batch, records) = fill(address, "produce-64k", STORED);
    let new = calls_to_catch_up(address, served.id(), batch, records);
    served.stop();
    // Where the batches of a log that was closed lie is learned several at a time.
    let of_a_closed_one = |plant: Plant| {
        let (served, address) = Served::start_with(home.path(), plant.settings);
        let calls = calls_to_catch_up(address, served.id(), batch, records);
        served.stop();
        calls
    };
    let (closed, planted) = (of_a_closed_one(AS_IT_IS), of_a_closed_one(CHECKED));
    guard("system calls for old batches", 3.0, "with each looked at").judge(new, planted);
    guard("system calls for old batches of a log that was closed", 3.0, "with each looked at")
        .judge(closed, planted);
}

/// Looks so many batches up one at a time, of `stored` of them, in an order without order; says how many calls each takes.
fn calls_of_look_ups(address: SocketAddr, id: u32, (stored, records): (u32, u32), torn: bool) -> f64 {
    let mut connection = Connection::open(address).unwrap();
    connection.tear(torn);
    let counted = count_while(id, move || {
        let mut frame = Frame::fetch(OLD, 1);
        for number in 0..REQUESTS {
            // A prime larger than all offsets comes by each of these places once.
            let batch = u64::from(number) * 2_654_435_761 % u64::from(stored);
            frame.set_offset(batch as i64 * i64::from(records));
            connection.ask(frame.clone(), AnswerShape::fetch(OLD)).unwrap();
        }
    });
    let (calls, ()) = counted.unwrap();
    println!("looked up: {calls:?}");
    each_of(REQUESTS, &calls)
}

/// However much is stored: a look-up of a place takes as many calls as one at the tail, receive, read and send, and the
/// first of it one for its index and two to find it, which it tells of as behind another. What is old is looked at before it is
/// sent, and read for that only.
#[test]
fn a_look_up_in_a_large_log_costs_three_calls_more_at_first_and_none_again() {
    const STORED: u32 = 6_000;
    let (home, (_, records)) = filled("fetch-16k", STORED);
    let look_ups = |torn| {
        let (served, address) = Served::start(home.path());
        let look_up = || calls_of_look_ups(address, served.id(), (STORED, records), torn);
        let found = (look_up(), look_up());
        served.stop();
        found
    };
    let ((first, again), (first_torn, again_torn)) = (look_ups(false), look_ups(true));
    home.judge(guard("system calls of a first look-up", 6.3, IN_PIECES), first, first_torn);
    home.judge(guard("system calls of a look-up", 3.1, IN_PIECES), again, again_torn);
    assert!(home.or_unjudged(again >= 2.5), "{again} system calls for a look-up: what is counted?");
}

/// Bytes that a process has read, by whatever call; what `sendfile` sends counts too.
fn bytes_read(id: u32) -> u64 {
    let counters = std::fs::read_to_string(format!("/proc/{id}/io")).unwrap();
    counters.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

/// Reads a log through twice after a start, in order and of so many batches one; says how many bytes were read each time for
/// each that was sent.
fn bytes_to_read_through(home: &Home, (batch, records): (usize, u32), plant: Plant, of: u32) -> (f64, f64) {
    let (served, address) = Served::start_with(home.path(), plant.settings);
    let mut connection = Connection::open(address).unwrap();
    let mut read_through = || {
        let before = bytes_read(served.id());
        let mut frame = Frame::fetch(OLD, i32::try_from(batch).unwrap());
        let turn = |frame: &mut Frame, number: u32| frame.set_offset(i64::from(number * of * records));
        let sent = connection.pump(&mut frame, AnswerShape::fetch(OLD), REQUESTS / of, turn).unwrap();
        (bytes_read(served.id()) - before) as f64 / sent as f64
    };
    let found = (read_through(), read_through());
    served.stop();
    found
}

/// One batch of so many is asked for: then the others are found for nobody.
const HALF: u32 = 2;
const FOR_NOBODY: &str = "with every other one for nobody";

/// After a start nothing is known of a log: where its batches lie is learned by walking over them, and all that is sent is
/// held against its checksums (ADR 0008). Each of the two costs reading it once, in pieces of a megabyte and more, and not
/// once for each request that it is sent by.
#[test]
fn what_is_found_and_checked_on_its_way_to_a_reader_is_read_once_for_each() {
    let (home, of) = filled("produce-64k", STORED);
    let (first, again) = bytes_to_read_through(&home, of, AS_IT_IS, 1);
    let (first_planted, _) = bytes_to_read_through(&home, of, AS_IT_IS, HALF);
    let (_, again_planted) = bytes_to_read_through(&home, of, CHECKED, 1);
    guard("bytes read to find, check and send one", 3.3, FOR_NOBODY).judge(first, first_planted);
    assert!(first >= 2.9, "{first} bytes are read to find, check and send one: what is counted?");
    guard("bytes read to send one that was checked", 1.1, "with each looked at").judge(again, again_planted);
}

/// Where everything is checked each time it is sent, that costs reading it once more each time, and nothing else is read along.
#[test]
fn what_is_checked_each_time_is_read_once_to_check_it_and_once_to_send_it() {
    let (home, of) = filled("produce-64k", STORED);
    let (first, again) = bytes_to_read_through(&home, of, CHECKED, 1);
    let (first_planted, _) = bytes_to_read_through(&home, of, CHECKED, HALF);
    guard("bytes read to find, check and send one, each checked", 3.3, FOR_NOBODY)
        .judge(first, first_planted);
    guard("bytes read to check and send one", 2.1, "with each to be found").judge(again, first);
    assert!(again >= 1.9, "{again} bytes are read to check and send one: what is counted?");
}

/// Who looks something up right behind what somebody else has looked up is taken for nobody who reads on: what is little is
/// looked at as it is sent, and nothing is read ahead of it on another thread.
#[test]
fn small_batches_looked_up_here_and_there_after_a_start_are_read_once_each() {
    const STORED: u32 = 512;
    let (home, (_, records)) = filled("produce-16k", STORED);
    let here_and_there = |plant: Plant| {
        let (served, address) = Served::start_with(home.path(), plant.settings);
        let (before, id) = (bytes_read(served.id()), served.id());
        let counted = count_while(id, move || {
            let mut connection = Connection::open(address).unwrap();
            connection.tear(plant.torn);
            let mut frame = Frame::fetch(OLD, 1);
            // Pairs of neighbours, the last first.
            let turn = |frame: &mut Frame, number: u32| {
                frame.set_offset(i64::from(((STORED - 1 - number) ^ 1) * records));
            };
            connection.pump_in_flight(&mut frame, AnswerShape::fetch(OLD), (STORED, 1), turn).unwrap()
        });
        let (calls, sent) = counted.unwrap();
        println!("here and there: {calls:?}");
        let found = (each_of(STORED, &calls), (bytes_read(id) - before) as f64 / sent as f64);
        served.stop();
        found
    };
    let ((calls, read), (torn, _)) = (here_and_there(AS_IT_IS), here_and_there(TORN));
    // To receive, to find, to look at and send, to answer.
    home.judge(guard("system calls of a small look-up", 4.1, IN_PIECES), calls, torn);
    home.judge(guard("bytes read for each that is sent", 1.7, "with a tenth more"), read, read * 1.1);
}

const IN_PIECES: &str = "with requests that come in two pieces";

#[test]
fn a_batch_is_produced_by_three_system_calls_and_two_copies() {
    let (calls, copies) = measured("produce-64k", IN_FLIGHT, AS_IT_IS);
    let (synced, _) = measured("produce-64k", IN_FLIGHT, SYNCED);
    guard("system calls a batch", 3.0, "with a sync for each").judge(calls, synced);
    let (_, compressed) = measured("produce-64k-lz4", IN_FLIGHT, AS_IT_IS);
    let (_, unpacked) = measured("produce-64k-lz4", IN_FLIGHT, UNPACKED);
    guard("copies of each byte", COPIES_MAX, "with what was unpacked").judge(copies, unpacked);
    guard("copies of each compressed byte", COPIES_MAX, "with what was unpacked").judge(compressed, unpacked);
}

#[test]
fn a_batch_is_fetched_by_two_system_calls_and_one_for_its_partition() {
    let ((calls, copies), (more_calls, more_copies)) =
        (measured("fetch-64k", IN_FLIGHT, AS_IT_IS), measured("fetch-64k", IN_FLIGHT, CHECKED));
    guard("system calls a request of one partition", 3.0, "with each looked at").judge(calls, more_calls);
    guard("copies of each byte", 0.05, "with each looked at").judge(copies, more_copies);
}

#[test]
fn a_small_batch_leaves_with_its_headers_also_for_who_asks_for_one_at_a_time() {
    let ((calls, copies), (torn, _)) = (measured("fetch-16k", 1, AS_IT_IS), measured("fetch-16k", 1, TORN));
    // Of many at once most are looked at apart from the sending.
    let (_, more) = of_many_partitions(CHECKED);
    guard("system calls a request of one small batch", 3.05, IN_PIECES).judge(calls, torn);
    guard("copies of each byte of a small batch", 2.1, "with each read once more to look at it")
        .judge(copies, more);
}

/// System calls for each of many partitions of a fetch, and how often each byte of their batches is copied.
fn of_many_partitions(plant: Plant) -> (f64, f64) {
    const PARTITIONS: i32 = 100;
    const ROUNDS: u32 = 50;
    let home = Home::new();
    let (served, address) = Served::start_with(home.path(), plant.settings);
    let mut gathered = Crowd::WideFetch(PARTITIONS).gather(address).unwrap();
    gathered.run(10).unwrap();
    let batches = f64::from(ROUNDS) * f64::from(PARTITIONS);
    let bytes = batches * gathered.batch_bytes() as f64;
    let (calls, _) = count_while(served.id(), move || gathered.run(ROUNDS).unwrap()).unwrap();
    println!("{PARTITIONS} partitions: {calls:?}");
    let counted = calls.without_waits().saturating_sub(BACKGROUND_MAX);
    (counted as f64 / batches, calls.copied as f64 / bytes)
}

#[test]
fn small_batches_of_many_partitions_leave_together() {
    let (each, _) = of_many_partitions(AS_IT_IS);
    // One read a partition, and a few sends for all.
    guard("system calls for each of many partitions", 1.25, "with each looked at")
        .judge(each, of_many_partitions(CHECKED).0);
    assert!(each >= 1.0, "{each} system calls for each of many partitions: what is counted?");
}

/// Offsets are told where they were asked for: no other thread has a hand in it. By time takes a look at headers and at the batch.
#[test]
fn an_offset_is_told_by_two_system_calls_and_two_for_a_look_into_the_log() {
    let home = Home::new();
    let (served, address) = Served::start(home.path());
    let workload = *WORKLOADS.iter().find(|workload| workload.name == "produce-64k").unwrap();
    let (batch, _) = workload.batch().unwrap();
    let mut connection = Connection::open(address).unwrap();
    connection.create_topic(OLD, 1, &[]).unwrap();
    for _ in 0..8 {
        connection.ask(Frame::produce(OLD, &batch), AnswerShape::produce(OLD)).unwrap();
    }
    for (timestamp, most) in [(-1, 2.0), (-2, 2.0), (1, 4.0)] {
        let calls = |torn| {
            let mut connection = Connection::open(address).unwrap();
            let (mut frame, shape) = (Frame::list_offsets(OLD, timestamp), AnswerShape::list_offsets(OLD));
            connection.pump(&mut frame, shape, IN_FLIGHT, |_, _| ()).unwrap();
            connection.tear(torn);
            // Several at a time would come by one call, and leave by one.
            let counted = count_while(served.id(), move || {
                connection.pump_in_flight(&mut frame, shape, (REQUESTS, 1), |_, _| ()).unwrap();
            });
            let (calls, ()) = counted.unwrap();
            println!("offset of {timestamp}: {calls:?}");
            each_of(REQUESTS, &calls)
        };
        let guard = guard("system calls for an offset", most, IN_PIECES);
        match timestamp {
            0.. => home.judge(guard, calls(false), calls(true)),
            _ => guard.judge(calls(false), calls(true)),
        }
    }
}
