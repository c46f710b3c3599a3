//! What a process asks of the kernel while it is under load: its system calls, traced by ptrace, so that nothing has to be
//! installed; and how often its threads are switched.
//!
//! A traced broker is slow, hence always has requests waiting, as a busy one has. What traces is a thread of its own, and
//! lets go of the broker as it ends.

use std::collections::BTreeMap;
use std::fs::{read_dir, read_to_string};

use anyhow::{Context, Result, anyhow, bail};
use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// `epoll_wait`, `epoll_pwait` and `epoll_pwait2` on x86-64.
const WAITS: [u64; 3] = [232, 281, 441];
/// `futex`, and what it answers whose time has run out, `-ETIMEDOUT`.
const FUTEX: u64 = 202;
const RAN_OUT: u64 = (-110i64).cast_unsigned();
/// What stands for the result of a system call while it has none, `-ENOSYS`: so a stop before it is known from the one
/// after it.
const NOT_DONE: u64 = (-38i64).cast_unsigned();
/// The calls that copy bytes into or out of the process's memory: `read`, `write`, `pread64`, `pwrite64`, `readv`,
/// `writev`, `sendto`, `recvfrom`, `sendmsg`, `recvmsg`, `preadv`, `pwritev`, `preadv2` and `pwritev2`.
const COPYING: [u64; 14] = [0, 1, 17, 18, 19, 20, 44, 45, 46, 47, 295, 296, 327, 328];
/// Every thread of the process that this thread has seized, and of no other.
const SEIZED: WaitPidFlag = WaitPidFlag::__WALL.union(WaitPidFlag::__WNOTHREAD);

/// What a process asked of the kernel.
#[derive(Debug, Default)]
pub struct Calls {
    /// How often, by the numbers of the calls.
    pub counts: BTreeMap<u64, u64>,
    /// Bytes that went into or out of its memory.
    pub copied: u64,
}

impl Calls {
    /// How many there were.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How many there were but waits in epoll: how often a broker waits is a matter of timing.
    pub fn without_waits(&self) -> u64 {
        self.counts.iter().filter(|(call, _)| !WAITS.contains(call)).map(|(_, count)| count).sum()
    }
}

/// How often threads of process `id` that are there by now were switched, whoever wanted it.
pub fn switches(id: u32) -> Result<u64> {
    let mut total = 0;
    for entry in read_dir(format!("/proc/{id}/task"))? {
        // A thread may have ended by now.
        let Ok(status) = read_to_string(entry?.path().join("status")) else { continue };
        for line in status.lines().filter(|line| line.contains("ctxt_switches:")) {
            let (_, count) = line.split_once(':').context("a count")?;
            total += count.trim().parse::<u64>()?;
        }
    }
    Ok(total)
}

/// Counts the system calls of all threads of process `id` while `load` runs, and answers with what that comes to.
pub fn count_while<T: Send + 'static>(
    id: u32,
    load: impl FnOnce() -> T + Send + 'static,
) -> Result<(Calls, T)> {
    let tracer = std::thread::spawn(move || trace(id, load));
    tracer.join().map_err(|_| anyhow!("the thread that traces panicked"))?
}

fn trace<T: Send + 'static>(id: u32, load: impl FnOnce() -> T + Send + 'static) -> Result<(Calls, T)> {
    let seized = seize(id)?;
    let mut calls = Calls::default();
    let mut load = Some(load);
    let mut stopped = 0;
    let mut under_load = None;
    loop {
        if stopped >= seized
            && let Some(load) = load.take()
        {
            under_load = Some(std::thread::spawn(load));
        }
        if let Some(done) = under_load.take_if(|load| load.is_finished()) {
            return Ok((calls, done.join().map_err(|_| anyhow!("the load panicked"))?));
        }
        // A thread may be in no system call for long, and the load may end meanwhile.
        let status = waitpid(Pid::from_raw(-1), Some(SEIZED | WaitPidFlag::WNOHANG))?;
        let Some((thread, signal)) = step(&mut calls, &mut stopped, id, status)? else {
            std::thread::yield_now();
            continue;
        };
        match ptrace::syscall(thread, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(error).context("tracing a thread"),
        }
    }
}

/// Seizes every thread; says how many. One may end before it is seized.
fn seize(id: u32) -> Result<usize> {
    let options = ptrace::Options::PTRACE_O_TRACESYSGOOD | ptrace::Options::PTRACE_O_TRACECLONE;
    let mut seized = 0;
    for entry in read_dir(format!("/proc/{id}/task"))? {
        let thread = entry?.file_name().to_string_lossy().parse().context("the number of a thread")?;
        let thread = Pid::from_raw(thread);
        match ptrace::seize(thread, options).and_then(|()| ptrace::interrupt(thread)) {
            Ok(()) => seized += 1,
            Err(Errno::ESRCH) => {}
            Err(error) => return Err(error).with_context(|| format!("seizing thread {thread} of {id}")),
        }
    }
    Ok(seized)
}

/// Takes one stop of a thread: which thread goes on, and with which signal.
fn step(
    calls: &mut Calls,
    stopped: &mut usize,
    id: u32,
    status: WaitStatus,
) -> Result<Option<(Pid, Option<Signal>)>> {
    Ok(match status {
        WaitStatus::StillAlive => None,
        WaitStatus::PtraceSyscall(thread) => {
            // A thread that was killed meanwhile has no registers.
            let Ok(registers) = ptrace::getregs(thread) else { return Ok(None) };
            if registers.rax == NOT_DONE {
                *calls.counts.entry(registers.orig_rax).or_insert(0) += 1;
            } else if registers.orig_rax == FUTEX && registers.rax == RAN_OUT {
                // A thread that looks again from time to time does nothing for a request, and the more the slower the machine is.
                if let Some(count) = calls.counts.get_mut(&FUTEX) {
                    *count = count.saturating_sub(1);
                }
            } else if COPYING.contains(&registers.orig_rax) {
                // An error is negative, and copied nothing.
                calls.copied += u64::try_from(registers.rax.cast_signed()).unwrap_or(0);
            }
            Some((thread, None))
        }
        WaitStatus::PtraceEvent(thread, _, _) => {
            *stopped += 1;
            Some((thread, None))
        }
        WaitStatus::Stopped(thread, signal) => Some((thread, Some(signal))),
        WaitStatus::Exited(thread, _) if thread.as_raw().unsigned_abs() != id => None,
        other => bail!("the broker ended: {other:?}"),
    })
}
