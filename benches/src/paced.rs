//! A steady rate of requests over many connections: how long each acknowledgement takes, counted from when its request was
//! due.
//!
//! The loop is open: a request leaves at its time whatever became of those before it, so a broker that stalls pays for
//! all that waited. One thread sends, another reads whatever has come on any of the connections.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::frames::{AnswerShape, Frame};
use crate::latency::Latency;

/// How long the answers may stay away altogether.
const PATIENCE: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };
/// What is read at once of a connection: the answer to a produce is short.
const READ_BYTES: usize = 4096;

/// Connections that send in turn.
#[derive(Debug)]
pub struct Paced {
    streams: Vec<TcpStream>,
    frame: Frame,
    shape: AnswerShape,
    partitions: i32,
    rate: u32,
}

/// What has come on a connection.
#[derive(Debug, Default)]
struct Inbox {
    bytes: Vec<u8>,
    answered: u64,
}

impl Paced {
    /// Connections that produce `batch` to the partitions of a topic in turn, `rate` a second together.
    pub fn open(
        address: SocketAddr,
        connections: usize,
        rate: u32,
        (topic, partitions): (&str, i32),
        batch: &[u8],
    ) -> Result<Self> {
        let connect = |_| -> Result<TcpStream> {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let streams = (0..connections).map(connect).collect::<Result<_>>()?;
        let (frame, shape) = (Frame::produce(topic, batch), AnswerShape::produce(topic));
        Ok(Self { streams, frame, shape, partitions, rate })
    }

    /// Sends at the rate for so long; how long the acknowledgements took.
    pub fn run(&self, duration: Duration) -> Result<Latency> {
        let count = (duration.as_secs_f64() * f64::from(self.rate)) as u64;
        let begin = Instant::now() + Duration::from_millis(50);
        let due = |number: u64| begin + Duration::from_nanos(number * 1_000_000_000 / u64::from(self.rate));
        std::thread::scope(|scope| {
            let sender = scope.spawn(|| self.send(count, due));
            let samples = self.receive(count, due);
            sender.join().map_err(|_| anyhow::anyhow!("the sender of the load panicked"))??;
            Ok(Latency::of(samples?))
        })
    }

    fn send(&self, count: u64, due: impl Fn(u64) -> Instant) -> Result<()> {
        // A request that leaves late because the timer was coarse is not the broker's fault.
        rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1))?;
        let (mut frame, connections) = (self.frame.clone(), self.streams.len() as u64);
        for number in 0..count {
            std::thread::sleep(due(number).saturating_duration_since(Instant::now()));
            frame.set_correlation(i32::try_from(number / connections)?);
            frame.set_partition(i32::try_from(number % u64::from(self.partitions.unsigned_abs()))?);
            (&self.streams[usize::try_from(number % connections)?]).write_all(frame.bytes())?;
        }
        Ok(())
    }

    fn receive(&self, count: u64, due: impl Fn(u64) -> Instant) -> Result<Vec<Duration>> {
        let connections = self.streams.len();
        let readiness = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (number, stream) in self.streams.iter().enumerate() {
            let data = epoll::EventData::new_u64(number as u64);
            epoll::add(&readiness, stream, data, epoll::EventFlags::IN)?;
        }
        let mut inboxes: Vec<Inbox> = (0..connections).map(|_| Inbox::default()).collect();
        let mut samples = Vec::with_capacity(usize::try_from(count)?);
        let mut events = Vec::with_capacity(64);
        while (samples.len() as u64) < count {
            events.clear();
            // Whoever stops the process for a moment and lets it go on interrupts this.
            if let Err(error) = epoll::wait(&readiness, spare_capacity(&mut events), Some(&PATIENCE)) {
                ensure!(error == Errno::INTR, "cannot wait for acknowledgements: {error}");
                continue;
            }
            ensure!(!events.is_empty(), "{} of {count} acknowledgements came", samples.len());
            for event in &events {
                let number = usize::try_from(event.data.u64())?;
                let inbox = &mut inboxes[number];
                inbox.read(&self.streams[number])?;
                let now = Instant::now();
                while inbox.take(self.shape)? {
                    let request = (inbox.answered - 1) * connections as u64 + number as u64;
                    samples.push(now.saturating_duration_since(due(request)));
                }
            }
        }
        Ok(samples)
    }
}

impl Inbox {
    /// Takes in what has come.
    fn read(&mut self, stream: &TcpStream) -> Result<()> {
        let mut scratch = [0; READ_BYTES];
        let (_, read) = recv(stream, &mut scratch[..], RecvFlags::DONTWAIT)?;
        ensure!(read > 0, "the broker closed a connection");
        self.bytes.extend_from_slice(&scratch[..read]);
        Ok(())
    }

    /// Takes one whole answer out, if there is one.
    fn take(&mut self, shape: AnswerShape) -> Result<bool> {
        let Some(length) = self.bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)) else {
            return Ok(false);
        };
        let end = 4 + usize::try_from(length)?;
        let Some(answer) = self.bytes.get(4..end) else { return Ok(false) };
        let correlation = i32::try_from(self.answered).context("too many answers")?;
        shape.check(answer, correlation)?;
        self.bytes.drain(..end);
        self.answered += 1;
        Ok(true)
    }
}
