//! Producers whose acknowledgements wait for stable storage, and what the disk itself does with the same bytes: in one file,
//! and in as many as there are partitions, by the calls that a broker makes for them and nothing else.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use storage::RealDisk;
use storage::disk::{Access, Disk};

use crate::cost::Cpu;
use crate::frames::{AnswerShape, Frame};
use crate::load::Connection;

/// So many threads sync the files of a group, as in `storage::group_commit`.
const THREADS: usize = 16;

/// What came of a while of it.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledged {
    /// Batches that were acknowledged, or synced.
    pub batches: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl Acknowledged {
    /// Microseconds of the clock for each.
    pub fn micros_each(self) -> f64 {
        self.elapsed.as_secs_f64() * 1e6 / self.batches as f64
    }
}

/// So many producers, each with one batch under way to a partition of its own, for a while.
pub fn produce(
    address: SocketAddr,
    topic: &str,
    batch: &[u8],
    producers: usize,
    duration: Duration,
) -> Result<Acknowledged> {
    let mut connections = (0..producers).map(|_| Connection::open(address)).collect::<Result<Vec<_>>>()?;
    let begin = Instant::now();
    let batches = std::thread::scope(|scope| {
        let running: Vec<_> = connections
            .iter_mut()
            .enumerate()
            .map(|(partition, connection)| {
                scope.spawn(move || -> Result<u64> {
                    let mut frame = Frame::produce(topic, batch);
                    frame.set_partition(i32::try_from(partition)?);
                    let mut batches = 0;
                    while begin.elapsed() < duration {
                        connection.send(&mut frame)?;
                        connection.receive(AnswerShape::produce(topic))?;
                        batches += 1;
                    }
                    Ok(batches)
                })
            })
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("a producer does not panic"))
            .sum::<Result<u64>>()
    })?;
    Ok(Acknowledged { batches, elapsed: begin.elapsed() })
}

/// What the disk does: so many batches written one behind the other, then synced together, again and again.
pub fn write(directory: &Path, batch: &[u8], together: usize, duration: Duration) -> Result<Acknowledged> {
    let path = directory.join("synced");
    let file = File::create(&path)?;
    let (begin, mut batches, mut end) = (Instant::now(), 0, 0);
    while begin.elapsed() < duration {
        for _ in 0..together {
            file.write_all_at(batch, end)?;
            end += batch.len() as u64;
        }
        file.sync_data()?;
        batches += together as u64;
    }
    let elapsed = begin.elapsed();
    drop(file);
    std::fs::remove_file(path)?;
    Ok(Acknowledged { batches, elapsed })
}

/// What the calls cost that bring each batch to a file of its own: all are written, and synced as a broker does it that many
/// files at a time, again and again. Microseconds of CPU for each, of this process.
pub fn cost_of_files(directory: &Path, batch: &[u8], files: usize, duration: Duration) -> Result<f64> {
    let path = |number: usize| directory.join(format!("synced-{number}"));
    let opened = (0..files).map(|number| RealDisk.open(&path(number), Access::Create));
    let opened = opened.collect::<Result<Vec<_>, _>>()?;
    let each = cost_beside(&opened, batch, duration)?;
    for number in 0..files {
        std::fs::remove_file(path(number))?;
    }
    Ok(each)
}

/// By one call for each file, several at a time.
fn cost_beside(opened: &[File], batch: &[u8], duration: Duration) -> Result<f64> {
    let files = opened.len();
    let threads = THREADS.min(files);
    let (barrier, next, ended) = (Barrier::new(threads), AtomicUsize::new(0), AtomicBool::new(false));
    // Whatever happens all meet at the barrier, or some would wait there for ever.
    let sync = || -> std::io::Result<()> {
        let mut outcome = Ok(());
        while let Some(file) = opened.get(next.fetch_add(1, Ordering::Relaxed)) {
            outcome = outcome.and(RealDisk.fdatasync(file));
        }
        barrier.wait();
        outcome
    };
    let help = || -> std::io::Result<()> {
        let mut outcome = Ok(());
        loop {
            barrier.wait();
            if ended.load(Ordering::Acquire) {
                return outcome;
            }
            outcome = outcome.and(sync());
        }
    };
    let before = Cpu::of(std::process::id())?;
    std::thread::scope(|scope| -> Result<f64> {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(help)).collect();
        let begin = Instant::now();
        let (mut batches, mut end, mut outcome) = (0, 0, Ok(()));
        while begin.elapsed() < duration && outcome.is_ok() {
            let written = opened.iter().try_for_each(|file| RealDisk.pwrite(file, batch, end).map(drop));
            let written = written
                .and_then(|()| opened.iter().try_for_each(|file| RealDisk.begin_writeback(file, 0, 0)));
            next.store(0, Ordering::Relaxed);
            barrier.wait();
            outcome = sync().and(written);
            (batches, end) = (batches + files, end + batch.len() as u64);
        }
        let cost = Cpu::of(std::process::id()).map(|cpu| cpu.since(before).total());
        ended.store(true, Ordering::Release);
        barrier.wait();
        for helper in helpers {
            helper.join().map_err(|_| anyhow!("a thread that syncs panicked"))??;
        }
        outcome?;
        Ok(cost? * 1e6 / batches as f64)
    })
}
