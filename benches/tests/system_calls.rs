//! How many system calls a batch costs: at 64 KiB and five requests in flight, three to produce it, and to fetch it two
//! and one for its partition. Waits in epoll are not counted, for how often a broker waits is a matter of timing.
//!
//! The broker is a process of its own, traced from here by ptrace while it is under load, so that nothing has to be
//! installed. A traced broker is slow, hence always has requests waiting, as a busy one has.

#![expect(clippy::unwrap_used, reason = "a guard that cannot measure fails")]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use benches::load::Prepared;
use benches::workload::{Direction, WORKLOADS, Workload};
use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// `epoll_wait`, `epoll_pwait` and `epoll_pwait2` on x86-64.
const WAITS: [u64; 3] = [232, 281, 441];
/// What stands for the result of a system call while it has none, `-ENOSYS`: so a stop before it is known from the one
/// after it.
const NOT_DONE: u64 = (-38i64).cast_unsigned();
/// What a node does by itself meanwhile: the quorum's timers, the housekeeping.
const BACKGROUND_MAX: u64 = 60;
const REQUESTS: u32 = 1_000;

/// Every thread of the process that this thread has started, and of no other.
const OURS: WaitPidFlag = WaitPidFlag::__WALL.union(WaitPidFlag::__WNOTHREAD);

/// A node in a process of its own.
struct Served(Child);

impl Served {
    fn start(directory: &std::path::Path) -> (Self, SocketAddr) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_headwater-benches"))
            .arg("serve")
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (Self(child), line.trim().parse().unwrap())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        // A traced process is gone when its tracer has taken note of the end of each of its threads.
        while waitpid(Pid::from_raw(-1), Some(OURS)).is_ok() {}
    }
}

/// Counts the system calls of all threads of process `id` while `load` runs, by their numbers.
fn count_while(id: u32, load: impl FnOnce() + Send + 'static) -> BTreeMap<u64, u64> {
    let threads: Vec<Pid> = std::fs::read_dir(format!("/proc/{id}/task"))
        .unwrap()
        .map(|entry| Pid::from_raw(entry.unwrap().file_name().to_str().unwrap().parse().unwrap()))
        .collect();
    let options = ptrace::Options::PTRACE_O_TRACESYSGOOD | ptrace::Options::PTRACE_O_TRACECLONE;
    for thread in &threads {
        ptrace::seize(*thread, options).unwrap();
        ptrace::interrupt(*thread).unwrap();
    }
    let mut counts = BTreeMap::new();
    let mut load = Some(load);
    let mut stopped = 0;
    let mut under_load = None;
    loop {
        if stopped == threads.len()
            && let Some(load) = load.take()
        {
            under_load = Some(std::thread::spawn(load));
        }
        if under_load.as_ref().is_some_and(std::thread::JoinHandle::is_finished) {
            under_load.unwrap().join().unwrap();
            return counts;
        }
        // A thread may be in no system call for long, and the load may end meanwhile.
        let status = waitpid(Pid::from_raw(-1), Some(OURS | WaitPidFlag::WNOHANG));
        let Some(thread) = step(&mut counts, &mut stopped, status) else {
            std::thread::yield_now();
            continue;
        };
        match ptrace::syscall(thread.0, thread.1) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => panic!("tracing {thread:?}: {error}"),
        }
    }
}

/// Takes one stop of a thread: which thread goes on, and with which signal.
fn step(
    counts: &mut BTreeMap<u64, u64>,
    stopped: &mut usize,
    status: nix::Result<WaitStatus>,
) -> Option<(Pid, Option<Signal>)> {
    match status.unwrap() {
        WaitStatus::StillAlive => None,
        WaitStatus::PtraceSyscall(thread) => {
            let registers = ptrace::getregs(thread).unwrap();
            if registers.rax == NOT_DONE {
                *counts.entry(registers.orig_rax).or_insert(0) += 1;
            }
            Some((thread, None))
        }
        WaitStatus::PtraceEvent(thread, _, _) => {
            *stopped += 1;
            Some((thread, None))
        }
        WaitStatus::Stopped(thread, signal) => Some((thread, Some(signal))),
        other => panic!("the broker ended: {other:?}"),
    }
}

/// Runs the 64 KiB workload of a direction and returns the calls a request, waits in epoll left out.
fn calls_a_request(direction: Direction) -> f64 {
    let wanted = |workload: &&Workload| workload.direction == direction && workload.name.ends_with("-64k");
    let workload = *WORKLOADS.iter().find(wanted).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (served, address) = Served::start(directory.path());
    let mut prepared = Prepared::new(address, workload, REQUESTS).unwrap();
    prepared.run(REQUESTS / 4).unwrap();
    let counts = count_while(served.0.id(), move || {
        prepared.run(REQUESTS).unwrap();
    });
    let total: u64 = counts.iter().filter(|(call, _)| !WAITS.contains(call)).map(|(_, count)| count).sum();
    println!("{}: {counts:?}", workload.name);
    assert!(total >= u64::from(REQUESTS), "only {total} calls were seen for {REQUESTS} requests");
    total.saturating_sub(BACKGROUND_MAX) as f64 / f64::from(REQUESTS)
}

#[test]
fn a_batch_is_produced_by_three_system_calls() {
    let calls = calls_a_request(Direction::Produce);
    assert!(calls <= 3.0, "{calls} system calls a batch");
}

#[test]
fn a_batch_is_fetched_by_two_system_calls_and_one_for_its_partition() {
    let calls = calls_a_request(Direction::Fetch);
    assert!(calls <= 3.0, "{calls} system calls a request of one partition");
}
