//! One of the brokers that are compared, running on the broker's core.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::contender::{Contender, Running};
use crate::cost::{Cpu, resident_megabytes};
use crate::load::{Moved, Prepared};
use crate::machine::warm_memory;
use crate::workload::{Direction, WORKLOADS, Workload};

/// The most that warming up writes or reads a workload, so that a fast broker does not fill the disk with it.
const WARM_UP_BYTES: u64 = 4_000_000_000;
/// How long each look at the cost takes while a broker is warmed up.
const WARM_UP_WINDOW: Duration = Duration::from_secs(2);
/// A window that saves less than this part of the cost of the one before finds the broker warm.
const WARM_UP_GAIN: f64 = 0.03;
/// How much memory is written and dropped before a load that writes nothing.
const WARM_MEMORY_OF_FETCHES: u64 = 256 << 20;

/// A broker under load.
#[derive(Debug)]
pub struct Side {
    /// What tables call it.
    pub name: String,
    contender: Contender,
    directory: PathBuf,
    running: Running,
    /// How often it was started again.
    restarts: u32,
    given_up: bool,
    /// Resident megabytes before any load.
    pub idle_megabytes: f64,
    /// The share of a core it took while nothing was asked of it.
    pub idle_share: f64,
}

/// What one run of a workload cost the broker.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// What was moved.
    pub moved: Moved,
    /// The broker's CPU.
    pub cpu: Cpu,
}

impl Side {
    /// Starts a broker, lets it settle and watches it do nothing for `idle`.
    pub fn start(contender: &Contender, directory: &Path, idle: Duration) -> Result<Self> {
        let running = contender.spawn(directory)?;
        // Until the broker has registered it refuses topics.
        first_ack(&running, Instant::now()).with_context(|| contender.name.clone())?;
        std::thread::sleep(Duration::from_secs(2));
        let before = Cpu::of(running.id())?;
        std::thread::sleep(idle);
        let idle_share = Cpu::of(running.id())?.since(before).total() / idle.as_secs_f64().max(1.0);
        let idle_megabytes = resident_megabytes(running.id())?;
        Ok(Self {
            name: contender.name.clone(),
            contender: contender.clone(),
            directory: directory.to_owned(),
            running,
            restarts: 0,
            given_up: false,
            idle_megabytes,
            idle_share,
        })
    }

    /// Starts another one in its place, in a directory of its own: what the other left behind is not looked at.
    pub fn start_again(&mut self) -> Result<()> {
        self.restarts += 1;
        let mut directory = self.directory.clone().into_os_string();
        directory.push(format!("-again-{}", self.restarts));
        self.running = self.contender.spawn(Path::new(&directory))?;
        first_ack(&self.running, Instant::now())?;
        Ok(())
    }

    /// How its process ended, if it has, with the last it said. What a process leaves behind is there a moment before its end is.
    pub fn ended(&mut self) -> Result<Option<String>> {
        self.running.ended(Duration::from_secs(1))
    }

    /// Nothing is asked of it any more.
    pub fn give_up(&mut self) {
        self.given_up = true;
    }

    /// Whether nothing is asked of it any more.
    pub fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// The broker's process.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Resident megabytes now.
    pub fn megabytes(&self) -> Result<f64> {
        resident_megabytes(self.running.id())
    }

    /// How many files and sockets it has open now.
    pub fn descriptors(&self) -> Result<f64> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.running.id()))?.count() as f64)
    }

    /// What it has used since it began.
    pub fn cpu(&self) -> Result<Cpu> {
        Cpu::of(self.running.id())
    }

    /// Runs a workload unmeasured until its cost falls no more, so that the code is compiled: `at_most` so long.
    pub fn warm_up(&self, workload: Workload, at_most: Duration) -> Result<()> {
        let begin = Instant::now();
        let step = (workload.requests / 20).max(1);
        let mut prepared = Prepared::new(self.running.address(), workload, step)?;
        let (mut bytes, mut last) = (0, f64::INFINITY);
        while begin.elapsed() < at_most && bytes < WARM_UP_BYTES {
            let (window, before, mut requests) = (Instant::now(), self.cpu()?, 0_u64);
            while window.elapsed() < WARM_UP_WINDOW.min(at_most) && bytes < WARM_UP_BYTES {
                bytes += prepared.run(step)?.logical_bytes;
                requests += u64::from(step);
            }
            let each = self.cpu()?.since(before).total() / requests as f64;
            if each > last * (1.0 - WARM_UP_GAIN) {
                break;
            }
            last = each;
        }
        prepared.finish()
    }

    /// Runs a workload once and measures it.
    pub fn measure(&self, workload: Workload, requests: u32, directory: &Path) -> Result<Run> {
        let mut prepared = Prepared::new(self.running.address(), workload, requests)?;
        let written = match workload.direction {
            Direction::Produce => u64::from(requests) * workload.batch_bytes as u64,
            Direction::Fetch => WARM_MEMORY_OF_FETCHES,
        };
        warm_memory(directory, written)?;
        let before = self.cpu()?;
        let moved = prepared.run(requests)?;
        let cpu = self.cpu()?.since(before);
        prepared.finish()?;
        // What was deleted leaves the disk after a second; it must not do so within the next measurement.
        std::thread::sleep(Duration::from_millis(1500));
        Ok(Run { moved, cpu })
    }
}

impl Run {
    /// Seconds of CPU a gigabyte of records, or microseconds a request.
    pub fn cost(&self, workload: Workload) -> f64 {
        if workload.by_request {
            return self.cpu.total() / f64::from(self.moved.requests) * 1e6;
        }
        self.cpu.total() / (self.moved.logical_bytes as f64 / 1e9)
    }
}

/// Makes a topic and writes to it as soon as the broker lets us; how long after `begin` the first ack came.
pub fn first_ack(broker: &Running, begin: Instant) -> Result<Duration> {
    let lone =
        WORKLOADS.into_iter().find(|workload| workload.by_request).context("a workload of lone records")?;
    let at_most = Duration::from_secs(60);
    broker.wait_until_listening(at_most)?;
    // Each attempt makes a topic of its own: one that failed may have left its topic behind.
    for attempt in 0.. {
        match Prepared::new(broker.address(), lone, attempt) {
            Ok(_) => break,
            Err(refusal) => ensure!(begin.elapsed() < at_most, "no acknowledgement: {refusal}"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(begin.elapsed())
}
