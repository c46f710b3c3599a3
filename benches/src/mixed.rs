//! `mixed`: everything at once, for long: records of 10 bytes to a megabyte, compressed and not, in topics of one partition and of a
//! hundred; readers at the end and of what is old; groups that commit, come and go, and so do connections and topics; ten times as
//! much for a tenth of the time.
//!
//! Nothing of the broker may rise without end meanwhile: memory, descriptors, threads, how long an acknowledgement takes, what a
//! request costs. With `--planted` the load leaves something behind all the time, and it fails where that goes unnoticed.

mod groups;
mod judge;
mod load;
mod readers;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use benches::contender::{Contender, Running};
use benches::cost::{Cpu, resident_megabytes};
use benches::latency::Latency;
use benches::machine::{describe, pin_load};
use benches::side::first_ack;

use self::judge::{Figure, Windows};
use self::load::Load;

/// How often the figures that go up and down are looked at within a window; the least counts, for a burst is no rise.
const LOOKS: u32 = 20;
/// How many windows a run of seconds has.
const SHORT_WINDOWS: u32 = 8;
/// How many times the load bursts in a window.
const BURSTS_A_WINDOW: u32 = 4;

/// Everything at once, for long: does anything rise without end?
#[derive(clap::Args)]
pub struct Mixed {
    /// How long, a line a minute.
    #[arg(long, conflicts_with = "seconds")]
    minutes: Option<u32>,
    /// How long instead: to see that it works, and what rises fast.
    #[arg(long, default_value_t = 16)]
    seconds: u32,
    /// Have the load leave something behind, and fail unless that is noticed.
    #[arg(long)]
    planted: bool,
    /// Where the data goes; a temporary directory by default.
    #[arg(long)]
    directory: Option<PathBuf>,
}

impl Mixed {
    /// Runs it, prints a line a window and judges.
    pub fn run(&self) -> Result<()> {
        let (count, window) = match self.minutes {
            Some(minutes) => (minutes, Duration::from_secs(60)),
            None => (SHORT_WINDOWS, Duration::from_secs(self.seconds.into()) / SHORT_WINDOWS),
        };
        println!("{}", describe());
        pin_load()?;
        let temporary = tempfile::tempdir()?;
        let directory = self.directory.as_deref().unwrap_or(temporary.path());
        let contender = Contender::headwater().set("log.retention.check.interval.ms", "2000");
        let running = contender.spawn(&directory.join("mixed"))?;
        first_ack(&running, Instant::now())?;
        let load = Load::prepare(running.address(), window / BURSTS_A_WINDOW, self.planted)?;
        let windows = std::thread::scope(|scope| {
            let threads = load.start(scope);
            let windows = watch(&running, &load, count, window);
            load.stop();
            for thread in threads {
                thread.join().map_err(|_| anyhow::anyhow!("a thread of the load panicked"))??;
            }
            windows
        })?;
        let risen = windows.risen();
        running.end()?;
        if self.planted {
            let told = risen.iter().find(|risen| risen.starts_with(Figure::Descriptors.name()));
            let told = told.context("the connections that the load leaves behind go unnoticed")?;
            println!("what was planted is noticed: {told}");
            return Ok(());
        }
        ensure!(risen.is_empty(), "it rises without end: {}", risen.join("; "));
        println!("nothing rises without end");
        Ok(())
    }
}

/// Looks at the broker window by window.
fn watch(running: &Running, load: &Load, count: u32, window: Duration) -> Result<Windows> {
    let mut windows = Windows::default();
    println!("{}", Figure::ALL.map(|figure| format!("{:>16}", figure.name())).concat());
    let begin = Instant::now();
    for number in 0..count {
        let (cpu, done) = (Cpu::of(running.id())?, load.requests());
        load.samples();
        let mut least = [f64::INFINITY; 3];
        for look in 1..=LOOKS {
            let due = window * number + window * look / LOOKS;
            std::thread::sleep(due.saturating_sub(begin.elapsed()));
            for (least, now) in least.iter_mut().zip(held(running)?) {
                *least = least.min(now);
            }
            load.failed()?;
        }
        let cpu = Cpu::of(running.id())?.since(cpu).total();
        let requests = (load.requests() - done) as f64;
        let [memory, descriptors, threads] = least;
        let figures = [
            memory,
            descriptors,
            threads,
            Latency::of(load.samples()).p99,
            cpu / requests.max(1.0) * 1e6,
            requests,
        ];
        println!("{}", figures.map(|figure| format!("{figure:>16.1}")).concat());
        windows.push(figures);
    }
    Ok(windows)
}

/// Resident megabytes, descriptors and threads.
fn held(running: &Running) -> Result<[f64; 3]> {
    let entries = |of: &str| -> Result<f64> {
        let path = format!("/proc/{}/{of}", running.id());
        Ok(std::fs::read_dir(&path).with_context(|| path)?.count() as f64)
    };
    Ok([resident_megabytes(running.id())?, entries("fd")?, entries("task")?])
}
