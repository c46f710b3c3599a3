//! Who makes the load: producers that keep to a pace, readers, members of groups, and who comes and goes, each on a thread of its
//! own. An answer with an error ends the run.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use benches::frames::{AnswerShape, Frame};
use benches::load::{Connection, wait_for_partitions};
use benches::workload::{Direction, LONE, Workload};
use protocol::records::compression::Codec;

use super::groups;
use super::readers::Reader;

/// The topics, with their partitions. Little of each stays, so that what is stored settles within three minutes, before what rises
/// afterwards is told.
pub const TOPICS: [(&str, i32); 3] = [("one", 1), ("few", 12), ("many", 100)];
const CONFIGS: [(&str, &str); 3] =
    [("segment.bytes", "2097152"), ("retention.bytes", "2097152"), ("max.message.bytes", "2097152")];
/// Bytes of a record, how many make a batch, how they are compressed, and how often of a hundred times it is sent.
const BATCHES: [(usize, usize, Codec, u32); 9] = [
    (10, 1, Codec::None, 25),
    (10, 500, Codec::Lz4, 15),
    (100, 10, Codec::None, 20),
    (1_000, 16, Codec::Gzip, 10),
    (1_000, 16, Codec::None, 15),
    (16_384, 4, Codec::Snappy, 6),
    (65_536, 1, Codec::None, 5),
    (262_144, 2, Codec::Zstd, 2),
    (1_048_576, 1, Codec::None, 2),
];
/// Threads that produce, and how often a second each does while nothing bursts.
const PRODUCERS: u64 = 4;
const PRODUCED: u32 = 40;
/// How often a second somebody comes and goes.
const VISITS: u32 = 10;
/// A tenth of the time it is ten times as much.
const BURST: u32 = 10;
/// What is left behind where that is planted: so much of a frame on so many connections each time.
const LEFT_BYTES: usize = 200 << 10;
const LEFT_CONNECTIONS: usize = 8;

/// The load, its topics made.
pub struct Load {
    pub address: SocketAddr,
    /// From one burst to the next.
    period: Duration,
    begin: Instant,
    planted: bool,
    stopped: AtomicBool,
    requests: AtomicU64,
    samples: Mutex<Vec<Duration>>,
    failure: Mutex<Option<String>>,
}

impl Load {
    pub fn prepare(address: SocketAddr, period: Duration, planted: bool) -> Result<Self> {
        let mut admin = Connection::open(address)?;
        let (lone, _) = LONE.batch()?;
        for (topic, partitions) in TOPICS {
            admin.create_topic(topic, partitions, &CONFIGS)?;
            wait_for_partitions(&mut admin, topic, &lone, partitions)?;
        }
        Ok(Self {
            address,
            period,
            begin: Instant::now(),
            planted,
            stopped: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            samples: Mutex::default(),
            failure: Mutex::default(),
        })
    }

    /// Starts all of it.
    pub fn start<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
    ) -> Vec<ScopedJoinHandle<'scope, Result<()>>> {
        let mut works: Vec<Box<dyn FnOnce() -> Result<()> + Send + 'scope>> = Vec::new();
        for seed in 1..=PRODUCERS {
            works.push(Box::new(move || self.produce(Dice(seed))));
        }
        for (topic, partitions) in TOPICS {
            works.push(Box::new(move || Reader::new(self, topic, partitions)?.tail()));
        }
        works.push(Box::new(|| Reader::new(self, "many", 100)?.read_old(Dice(77))));
        works.push(Box::new(|| groups::of_classic_members(self)));
        works.push(Box::new(|| groups::of_consumers(self)));
        works.push(Box::new(|| self.visit(Dice(99))));
        works.push(Box::new(|| self.make_topics()));
        if self.planted {
            works.push(Box::new(|| self.leave_behind()));
        }
        let run = |work: Box<dyn FnOnce() -> Result<()> + Send + 'scope>| {
            scope.spawn(move || {
                let done = work();
                if let Err(error) = &done {
                    *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(format!("{error:#}"));
                    self.stop();
                }
                done
            })
        };
        works.into_iter().map(run).collect()
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub fn goes_on(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
    }

    /// Fails if any of it has.
    pub fn failed(&self) -> Result<()> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(failure.is_none(), "the load failed: {}", failure.as_deref().unwrap_or_default());
        Ok(())
    }

    /// Notes that so many requests more were answered.
    pub fn note(&self, requests: u64) {
        self.requests.fetch_add(requests, Ordering::Relaxed);
    }

    /// How many requests were answered.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How long acknowledgements took since this was last asked.
    pub fn samples(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.samples.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A pace of so many a second while nothing bursts.
    pub fn pace(&self, each_second: u32) -> Pace<'_> {
        Pace { load: self, each_second, due: Instant::now() }
    }

    fn produce(&self, mut dice: Dice) -> Result<()> {
        let mut connection = Connection::open(self.address)?;
        let mut kinds = Vec::new();
        for (topic, partitions) in TOPICS {
            for (record_bytes, records, codec, weight) in BATCHES {
                let workload = Workload {
                    direction: Direction::Produce,
                    record_bytes,
                    batch_bytes: record_bytes * records,
                    codec,
                    ..LONE
                };
                let frame = Frame::produce(topic, &workload.batch()?.0);
                kinds.push((weight, frame, AnswerShape::produce(topic), partitions));
            }
        }
        let all: u32 = kinds.iter().map(|(weight, ..)| weight).sum();
        for due in self.pace(PRODUCED) {
            let mut left = dice.below(all.into()) as u32;
            let chosen = kinds.iter_mut().find(|(weight, ..)| match left.checked_sub(*weight) {
                Some(rest) => {
                    left = rest;
                    false
                }
                None => true,
            });
            let (_, frame, shape, partitions) = chosen.context("a batch to send")?;
            frame.set_partition(i32::try_from(dice.below((*partitions).try_into()?))?);
            connection.send(frame)?;
            connection.receive(*shape).context("producing")?;
            self.note(1);
            self.samples.lock().unwrap_or_else(PoisonError::into_inner).push(due.elapsed());
        }
        Ok(())
    }

    /// Somebody connects, produces a record and leaves; every fifth in the midst of another request.
    fn visit(&self, mut dice: Dice) -> Result<()> {
        let (lone, _) = LONE.batch()?;
        let mut frame = Frame::produce("few", &lone);
        let mut pace = self.pace(VISITS);
        while pace.next().is_some() {
            let mut connection = Connection::open(self.address)?;
            frame.set_partition(i32::try_from(dice.below(12))?);
            connection.send(&mut frame)?;
            connection.receive(AnswerShape::produce("few")).context("a visit")?;
            self.note(1);
            if dice.below(5) == 0 {
                TcpStream::connect(self.address)?.write_all(&frame.bytes()[..frame.bytes().len() / 2])?;
            }
        }
        Ok(())
    }

    /// Topics come, are written to, and go.
    fn make_topics(&self) -> Result<()> {
        let mut connection = Connection::open(self.address)?;
        let (lone, _) = LONE.batch()?;
        for number in 0.. {
            std::thread::sleep(self.period / 4);
            if !self.goes_on() {
                break;
            }
            let topic = format!("passing-{number:06}");
            connection.create_topic(&topic, 20, &[])?;
            for _ in 0..2 {
                wait_for_partitions(&mut connection, &topic, &lone, 20)?;
            }
            connection.delete_topic(&topic)?;
            self.note(42);
        }
        Ok(())
    }

    /// What is planted: connections that say no more in the midst of a frame.
    fn leave_behind(&self) -> Result<()> {
        let mut kept = Vec::new();
        while self.goes_on() {
            for _ in 0..LEFT_CONNECTIONS {
                let mut stream = TcpStream::connect(self.address)?;
                stream.write_all(&(1_i32 << 20).to_be_bytes())?;
                stream.write_all(&vec![0; LEFT_BYTES])?;
                kept.push(stream);
            }
            std::thread::sleep(self.period);
        }
        Ok(())
    }
}

/// Says when the next request is due, and waits until then; none once the load has been stopped.
pub struct Pace<'a> {
    load: &'a Load,
    each_second: u32,
    due: Instant,
}

impl Iterator for Pace<'_> {
    type Item = Instant;

    fn next(&mut self) -> Option<Instant> {
        let into = self.due.duration_since(self.load.begin).as_nanos() % self.load.period.as_nanos();
        let bursts = into < self.load.period.as_nanos() / u128::from(BURST);
        let rate = if bursts { self.each_second * BURST } else { self.each_second };
        self.due += Duration::from_secs(1) / rate;
        std::thread::sleep(self.due.saturating_duration_since(Instant::now()));
        self.load.goes_on().then_some(self.due)
    }
}

/// The same numbers in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: u64) -> u64 {
        // The multiplier and increment of MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }
}
