//! One connection that keeps a number of requests in flight, with blocking reads and writes.
//!
//! Answers come in order, so that no request needs remembering: for every answer read one request is sent.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::frames::{AnswerShape, Frame};
use crate::guard;
use crate::workload::{Direction, Workload};

/// How many batches a fetch workload reads round and round.
const STORED_BATCHES_MAX: u32 = 512;

/// How many requests are under way at once where a load does not say otherwise.
pub const IN_FLIGHT: u32 = 5;

/// A connection to a broker.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    scratch: Vec<u8>,
    sent: i32,
    answered: i32,
    /// Whether requests leave in two pieces.
    torn: bool,
}

/// What a run of a workload moved.
#[derive(Clone, Copy, Debug)]
pub struct Moved {
    /// Requests answered.
    pub requests: u32,
    /// Bytes of their batches, as on the wire.
    pub bytes: u64,
    /// Bytes of their records, uncompressed.
    pub logical_bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream, scratch: vec![0; 256 * 1024], sent: 0, answered: 0, torn: false })
    }

    /// Has requests leave in two pieces from here on, or whole: what is planted to see guards of system calls trip.
    pub fn tear(&mut self, torn: bool) {
        self.torn = torn;
    }

    /// Sends one request.
    pub fn send(&mut self, frame: &mut Frame) -> Result<()> {
        frame.set_correlation(self.sent);
        self.sent = self.sent.wrapping_add(1);
        Ok(guard::send(&self.stream, frame.bytes(), self.torn)?)
    }

    /// Reads one answer and returns how many bytes it had.
    pub fn receive(&mut self, shape: AnswerShape) -> Result<u64> {
        // One read brings small answers whole; nothing beyond this answer is read, so that none is lost.
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).context("waiting for an answer")?;
        let length = usize::try_from(i32::from_be_bytes(length))?;
        let mut left = length;
        let prefix = left.min(AnswerShape::PREFIX);
        self.stream.read_exact(&mut self.scratch[..prefix])?;
        let answered = self.answered;
        self.answered = answered.wrapping_add(1);
        let verdict = shape.check(&self.scratch[..prefix], answered);
        left -= prefix;
        while left > 0 {
            let step = left.min(self.scratch.len());
            self.stream.read_exact(&mut self.scratch[..step]).context("in the midst of an answer")?;
            left -= step;
        }
        verdict?;
        Ok(length as u64)
    }

    /// One request and its answer.
    pub fn ask(&mut self, mut frame: Frame, shape: AnswerShape) -> Result<u64> {
        self.send(&mut frame)?;
        self.receive(shape)
    }

    /// Where the only partition of a topic ends.
    pub fn latest_offset(&mut self, topic: &str) -> Result<i64> {
        let shape = AnswerShape::list_offsets(topic);
        self.ask(Frame::list_offsets(topic, -1), shape)?;
        shape.offset(&self.scratch).context("an answer with an offset")
    }

    /// Makes a topic.
    pub fn create_topic(&mut self, topic: &str, partitions: i32, configs: &[(&str, &str)]) -> Result<()> {
        self.ask(Frame::create_topic(topic, partitions, configs), AnswerShape::topics(topic))
            .with_context(|| format!("creating topic {topic}"))?;
        Ok(())
    }

    /// Deletes a topic.
    pub fn delete_topic(&mut self, topic: &str) -> Result<()> {
        self.ask(Frame::delete_topic(topic), AnswerShape::topics(topic))
            .with_context(|| format!("deleting topic {topic}"))?;
        Ok(())
    }

    /// Sends `requests` frames, each made ready by `turn`, [`IN_FLIGHT`] at a time; returns the bytes of all answers.
    pub fn pump(
        &mut self,
        frame: &mut Frame,
        shape: AnswerShape,
        requests: u32,
        turn: impl FnMut(&mut Frame, u32),
    ) -> Result<u64> {
        self.pump_in_flight(frame, shape, (requests, IN_FLIGHT), turn)
    }

    /// The same, with so many of them under way at once.
    pub fn pump_in_flight(
        &mut self,
        frame: &mut Frame,
        shape: AnswerShape,
        (requests, in_flight): (u32, u32),
        mut turn: impl FnMut(&mut Frame, u32),
    ) -> Result<u64> {
        let mut bytes = 0;
        for number in 0..requests + in_flight {
            if number >= in_flight {
                bytes += self.receive(shape)?;
            }
            if number < requests {
                turn(frame, number);
                self.send(frame)?;
            }
        }
        Ok(bytes)
    }
}

/// A workload set up on a broker: its topic is there and, to be fetched, full.
#[derive(Debug)]
pub struct Prepared {
    workload: Workload,
    topic: String,
    batch: Vec<u8>,
    records: u32,
    stored: u32,
    connection: Connection,
}

impl Prepared {
    /// Makes the topic and fills it if it is to be read.
    pub fn new(address: SocketAddr, workload: Workload, requests: u32) -> Result<Self> {
        let mut connection = Connection::open(address)?;
        let topic = format!("{}-{:08x}", workload.name, std::process::id() ^ requests);
        connection.create_topic(&topic, workload.partitions, &[])?;
        let (batch, records) = workload.batch()?;
        let stored = requests.min(STORED_BATCHES_MAX);
        let mut prepared = Self { workload, topic, batch, records, stored, connection };
        wait_for_partitions(&mut prepared.connection, &prepared.topic, &prepared.batch, workload.partitions)?;
        let written = u32::try_from(workload.partitions)?;
        if workload.direction == Direction::Fetch {
            prepared.produce(stored - written)?;
        }
        Ok(prepared)
    }

    fn produce(&mut self, requests: u32) -> Result<u64> {
        let mut frame = Frame::produce(&self.topic, &self.batch);
        let partitions = self.workload.partitions;
        let shape = AnswerShape::produce(&self.topic);
        self.connection.pump_in_flight(
            &mut frame,
            shape,
            (requests, self.workload.in_flight),
            |frame, number| {
                frame.set_partition(number as i32 % partitions);
            },
        )
    }

    fn fetch(&mut self, requests: u32) -> Result<u64> {
        let bytes = i32::try_from(self.batch.len())?;
        let mut frame = Frame::fetch(&self.topic, bytes);
        let (records, stored) = (self.records, self.stored);
        let shape = AnswerShape::fetch(&self.topic);
        let received = self.connection.pump_in_flight(
            &mut frame,
            shape,
            (requests, self.workload.in_flight),
            |frame, number| {
                frame.set_offset(i64::from(number % stored) * i64::from(records));
            },
        )?;
        let wanted = u64::from(requests) * self.batch.len() as u64;
        ensure!(received >= wanted, "{received} bytes fetched where {wanted} were asked for");
        Ok(received)
    }

    /// Runs it once.
    pub fn run(&mut self, requests: u32) -> Result<Moved> {
        let begin = Instant::now();
        match self.workload.direction {
            Direction::Produce => self.produce(requests)?,
            Direction::Fetch => self.fetch(requests)?,
        };
        let elapsed = begin.elapsed();
        let logical = self.records as usize * self.workload.record_bytes;
        Ok(Moved {
            requests,
            bytes: u64::from(requests) * self.batch.len() as u64,
            logical_bytes: u64::from(requests) * logical as u64,
            elapsed,
        })
    }

    /// Has requests leave in two pieces from here on, or whole.
    pub fn tear(&mut self, torn: bool) {
        self.connection.tear(torn);
    }

    /// Deletes the topic.
    pub fn finish(mut self) -> Result<()> {
        let topic = self.topic.clone();
        self.connection.delete_topic(&topic)
    }
}

/// Waits until all partitions of topics have their directories: the files of a log are made some time after the topic, and are
/// no part of what a request costs.
///
/// # Errors
/// They are not there within a minute.
pub fn wait_for_logs(directory: &Path, topics: &[(&str, u32)]) -> Result<()> {
    let begun = Instant::now();
    let lacks = |(topic, count): &(&str, u32)| {
        (0..*count).any(|index| !directory.join(format!("{topic}-{index}/00000000000000000000.log")).exists())
    };
    while topics.iter().any(lacks) {
        ensure!(begun.elapsed() < Duration::from_secs(60), "the logs of {topics:?} are not made");
        std::thread::yield_now();
    }
    Ok(())
}

/// Writes one batch to each partition. The first append waits until the broker has heard of the partition, and makes
/// its files: neither is what is measured.
pub fn wait_for_partitions(
    connection: &mut Connection,
    topic: &str,
    batch: &[u8],
    partitions: i32,
) -> Result<()> {
    let mut frame = Frame::produce(topic, batch);
    let shape = AnswerShape::produce(topic);
    let end = Instant::now() + Duration::from_secs(30);
    for partition in 0..partitions {
        frame.set_partition(partition);
        while let Err(refusal) = connection.ask(frame.clone(), shape) {
            ensure!(Instant::now() < end, "{topic}-{partition}: {refusal}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}
