//! End to end at a fixed rate: from the moment a record was meant to be sent until a consumer at the tail has it.
//!
//! The loop is open: a record is due at its time whether or not the ones before it were answered, so a broker that
//! stalls pays for all that waited. One record a batch, a batch a request; record number n has offset n, so a consumer
//! knows from a batch's base offset when it was due.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::frames::Frame;
use crate::load::{Connection, wait_for_partitions};
use crate::workload::{Direction, LONE, Workload};

/// How long after the last record is due it may come.
const GRACE: Duration = Duration::from_secs(10);
/// The most that one fetch brings.
const FETCH_BYTES: i32 = 1 << 20;

/// One rate.
#[derive(Clone, Copy, Debug)]
pub struct OpenLoop {
    /// Records a second.
    pub rate: u32,
    /// Bytes of a record's value.
    pub record_bytes: usize,
    /// How long.
    pub duration: Duration,
}

/// What a run gave, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// Half were faster.
    pub p50: f64,
    /// 99 of 100 were.
    pub p99: f64,
    /// 999 of 1,000 were.
    pub p999: f64,
}

impl OpenLoop {
    /// Runs it once against a topic of its own.
    pub fn run(self, address: SocketAddr) -> Result<Latency> {
        let topic = format!("end-to-end-{}", std::process::id());
        let mut admin = Connection::open(address)?;
        admin.create_topic(&topic, 1, &[])?;
        let workload = Workload {
            direction: Direction::Produce,
            record_bytes: self.record_bytes,
            batch_bytes: self.record_bytes,
            ..LONE
        };
        let (batch, _) = workload.batch()?;
        let produce = Frame::produce(&topic, &batch);
        wait_for_partitions(&mut admin, &topic, &batch, 1)?;
        let count = u64::from(self.rate) * self.duration.as_secs();
        // The first offset is the one that showed the partition to be there.
        let begin = Instant::now() + Duration::from_millis(200);
        let due =
            move |number: u64| begin + Duration::from_nanos(number * 1_000_000_000 / u64::from(self.rate));
        let samples = std::thread::scope(|scope| {
            let producer = scope.spawn(|| send(address, produce, count, due));
            let samples = receive(address, &topic, count, due);
            producer.join().map_err(|_| anyhow::anyhow!("the producer of the load panicked"))??;
            samples
        })?;
        admin.delete_topic(&topic)?;
        Ok(Latency::of(samples))
    }
}

/// Sends each record when it is due; answers are read by another thread and thrown away.
fn send(address: SocketAddr, mut frame: Frame, count: u64, due: impl Fn(u64) -> Instant) -> Result<()> {
    // A record that leaves late because the timer was coarse is not the broker's fault.
    rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1))?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut answers = stream.try_clone()?;
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || -> Result<()> {
            let mut scratch = vec![0; 64 * 1024];
            while answers.read(&mut scratch)? > 0 {}
            Ok(())
        });
        for number in 0..count {
            std::thread::sleep(due(number).saturating_duration_since(Instant::now()));
            frame.set_correlation(i32::try_from(number & 0x7fff_ffff)?);
            stream.write_all(frame.bytes())?;
        }
        // The broker answers all, then sees the end and closes.
        stream.shutdown(std::net::Shutdown::Write)?;
        reader.join().map_err(|_| anyhow::anyhow!("the reader of the answers panicked"))?
    })
}

/// Follows the tail and notes for each record how long after its time it came.
fn receive(
    address: SocketAddr,
    topic: &str,
    count: u64,
    due: impl Fn(u64) -> Instant,
) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(GRACE))?;
    let mut frame = Frame::fetch(topic, FETCH_BYTES);
    let mut samples = Vec::with_capacity(usize::try_from(count)?);
    let mut answer = Vec::new();
    let mut next: i64 = 1;
    while (samples.len() as u64) < count {
        frame.set_offset(next);
        stream.write_all(frame.bytes())?;
        let mut length = [0; 4];
        stream.read_exact(&mut length).context("waiting for records")?;
        answer.resize(usize::try_from(u32::from_be_bytes(length))?, 0);
        stream.read_exact(&mut answer)?;
        let now = Instant::now();
        let records = Frame::records_of_fetch(&answer, topic)?;
        let mut rest = records;
        while let Some((base, length)) = rest.first_chunk::<12>().map(|head| head.split_at(8)) {
            let base = i64::from_be_bytes(base.try_into()?);
            let length = 12 + usize::try_from(u32::from_be_bytes(length.try_into()?))?;
            let Some(behind) = rest.get(length..) else { break };
            rest = behind;
            if base < next {
                continue;
            }
            ensure!(base == next, "record {next} is missing: {base} came");
            samples.push(now.saturating_duration_since(due(u64::try_from(base - 1)?)));
            next += 1;
        }
        ensure!(now < due(count) + GRACE, "record {next} of {count} did not come within {GRACE:?}");
    }
    Ok(samples)
}

impl Latency {
    /// What these come to.
    pub fn of(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        let at = |share: f64| {
            let index = ((samples.len() as f64 * share) as usize).min(samples.len().saturating_sub(1));
            samples.get(index).copied().unwrap_or_default().as_secs_f64() * 1e3
        };
        Self { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_samples_is_faster_than_its_percentile() {
        let latency = Latency::of((0..1000).rev().map(Duration::from_millis).collect());
        assert_eq!((latency.p50, latency.p99, latency.p999), (500.0, 990.0, 999.0));
    }
}
