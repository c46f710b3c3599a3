//! Producers whose acknowledgements wait for stable storage, and what the disk itself does with the same bytes.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::frames::{AnswerShape, Frame};
use crate::load::Connection;

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
