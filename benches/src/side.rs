//! One of the two brokers that are compared, pinned to the broker's core.

use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use conformance::broker_process::{BrokerProcess, Kind, Launch};

use crate::cost::{Cpu, resident_megabytes};
use crate::load::{Moved, Prepared};
use crate::machine::{broker_wrapper, warm_memory};
use crate::workload::{WORKLOADS, Workload};

/// The most that warming up writes or reads a workload, so that a fast broker does not fill the disk with it.
const WARM_UP_BYTES: u64 = 4_000_000_000;

/// A broker under load.
#[derive(Debug)]
pub struct Side {
    broker: BrokerProcess,
    /// Resident megabytes before any load.
    pub idle_megabytes: f64,
}

/// What one run of a workload cost the broker.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// What was moved.
    pub moved: Moved,
    /// The broker's CPU.
    pub cpu: Cpu,
}

/// A launch on the broker's core that frees what is deleted at once, and checks nothing in the background.
pub fn launch(kind: Kind, directory: &Path) -> Result<Launch> {
    let mut launch = Launch::new(kind, directory)?.set("log.segment.delete.delay.ms", 1000);
    launch.wrapper = broker_wrapper();
    Ok(launch)
}

impl Side {
    /// Starts a broker and lets it settle.
    pub fn start(kind: Kind, directory: &Path) -> Result<Self> {
        let broker = launch(kind, directory)?.start()?;
        // Until the broker has registered it refuses topics.
        first_ack(&broker, Instant::now())?;
        std::thread::sleep(Duration::from_secs(2));
        let idle_megabytes = resident_megabytes(broker.id())?;
        Ok(Self { broker, idle_megabytes })
    }

    /// Resident megabytes now.
    pub fn megabytes(&self) -> Result<f64> {
        resident_megabytes(self.broker.id())
    }

    /// Runs every workload for about `each`, unmeasured, so that the code is compiled.
    pub fn warm_up(&self, each: Duration) -> Result<()> {
        for workload in WORKLOADS {
            let begin = Instant::now();
            let step = (workload.requests / 10).max(1);
            let mut prepared = Prepared::new(self.broker.address(), workload, step)?;
            let mut bytes = 0;
            while begin.elapsed() < each && bytes < WARM_UP_BYTES {
                bytes += prepared.run(step)?.logical_bytes;
            }
            prepared.finish()?;
        }
        Ok(())
    }

    /// Runs a workload once and measures it.
    pub fn measure(&self, workload: Workload, requests: u32, directory: &Path) -> Result<Run> {
        let mut prepared = Prepared::new(self.broker.address(), workload, requests)?;
        warm_memory(directory, u64::from(requests) * workload.batch_bytes as u64)?;
        let before = Cpu::of(self.broker.id())?;
        let moved = prepared.run(requests)?;
        let cpu = Cpu::of(self.broker.id())?.since(before);
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
pub fn first_ack(broker: &BrokerProcess, begin: Instant) -> Result<Duration> {
    let lone =
        WORKLOADS.into_iter().find(|workload| workload.by_request).context("a workload of lone records")?;
    let waited = || begin.elapsed() < Duration::from_secs(60);
    // A refused connection is all that a starting broker gives; knocking must cost no more than it must.
    while TcpStream::connect(broker.address()).is_err() {
        ensure!(waited(), "{} accepts no connection", broker.address());
        std::thread::sleep(Duration::from_micros(200));
    }
    // Each attempt makes a topic of its own: one that failed may have left its topic behind.
    for attempt in 0.. {
        match Prepared::new(broker.address(), lone, attempt) {
            Ok(_) => break,
            Err(refusal) => ensure!(waited(), "no acknowledgement: {refusal}"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(begin.elapsed())
}
