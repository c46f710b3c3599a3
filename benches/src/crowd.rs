//! Many connections at once, driven from one thread: each round sends on all of them before it reads from any.

use std::net::SocketAddr;

use anyhow::Result;

use crate::frames::{AnswerShape, Frame};
use crate::load::{Connection, wait_for_partitions};
use crate::workload::Workload;

/// A shape of load with many connections or many partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    /// So many consumers wait at the end of one partition, to which a producer writes batches of 16 KiB.
    Tailing(usize),
    /// So many producers, each on a connection of its own with one batch of 16 KiB under way.
    Producers(usize),
    /// Fetches of so many partitions at once, 4 KiB each.
    WideFetch(i32),
}

/// A crowd, connected, with its topic there.
#[derive(Debug)]
pub struct Gathered {
    crowd: Crowd,
    topic: String,
    admin: Connection,
    members: Vec<Connection>,
    batch: Vec<u8>,
    records: i64,
    next: i64,
}

impl Crowd {
    /// Its name in reports.
    pub fn name(self) -> String {
        match self {
            Self::Tailing(consumers) => format!("{consumers} consumers tail"),
            Self::Producers(producers) => format!("{producers} producers"),
            Self::WideFetch(partitions) => format!("fetch {partitions} partitions"),
        }
    }

    /// How many rounds a full run has.
    pub fn rounds(self) -> u32 {
        match self {
            Self::Tailing(_) | Self::Producers(_) => 1_000,
            Self::WideFetch(_) => 10_000,
        }
    }

    /// Connects and makes the topic.
    pub fn gather(self, address: SocketAddr) -> Result<Gathered> {
        let (members, partitions, bytes) = match self {
            Self::Tailing(consumers) => (consumers, 1, 16_384),
            Self::Producers(producers) => (producers, i32::try_from(producers)?, 16_384),
            Self::WideFetch(partitions) => (1, partitions, 4_096),
        };
        let topic = format!("crowd-{}", std::process::id());
        let mut admin = Connection::open(address)?;
        admin.create_topic(&topic, partitions, &[])?;
        let workload = Workload { batch_bytes: bytes, ..crate::workload::SMALL_BATCHES };
        let (batch, records) = workload.batch()?;
        wait_for_partitions(&mut admin, &topic, &batch, partitions)?;
        let members = (0..members).map(|_| Connection::open(address)).collect::<Result<_>>()?;
        let records = i64::from(records);
        Ok(Gathered { crowd: self, topic, admin, members, batch, records, next: records })
    }
}

impl Gathered {
    /// Runs so many rounds; answers with how many requests of members were answered.
    pub fn run(&mut self, rounds: u32) -> Result<u64> {
        let members = self.members.len() as u64;
        match self.crowd {
            Crowd::Tailing(_) => self.tail(rounds)?,
            Crowd::Producers(_) => self.produce(rounds)?,
            Crowd::WideFetch(partitions) => self.fetch(rounds, partitions)?,
        }
        Ok(u64::from(rounds) * members)
    }

    /// How many bytes each batch has.
    pub fn batch_bytes(&self) -> usize {
        self.batch.len()
    }

    /// Deletes the topic.
    pub fn finish(mut self) -> Result<()> {
        self.admin.delete_topic(&self.topic)
    }

    fn tail(&mut self, rounds: u32) -> Result<()> {
        let mut fetch = Frame::fetch(&self.topic, 1 << 20);
        let produce = Frame::produce(&self.topic, &self.batch);
        for _ in 0..rounds {
            fetch.set_offset(self.next);
            for member in &mut self.members {
                member.send(&mut fetch)?;
            }
            self.admin.ask(produce.clone(), AnswerShape::produce(&self.topic))?;
            for member in &mut self.members {
                let received = member.receive(AnswerShape::fetch(&self.topic))?;
                anyhow::ensure!(received > self.batch.len() as u64, "a consumer at the tail got nothing");
            }
            self.next += self.records;
        }
        Ok(())
    }

    fn produce(&mut self, rounds: u32) -> Result<()> {
        let mut frame = Frame::produce(&self.topic, &self.batch);
        for _ in 0..rounds {
            for (partition, member) in self.members.iter_mut().enumerate() {
                frame.set_partition(i32::try_from(partition)?);
                member.send(&mut frame)?;
            }
            for member in &mut self.members {
                member.receive(AnswerShape::produce(&self.topic))?;
            }
        }
        Ok(())
    }

    fn fetch(&mut self, rounds: u32, partitions: i32) -> Result<()> {
        let mut frame = Frame::fetch_from_start(&self.topic, partitions, i32::try_from(self.batch.len())?);
        let wanted = self.batch.len() as u64 * u64::try_from(partitions)?;
        for _ in 0..rounds {
            for member in &mut self.members {
                member.send(&mut frame)?;
                let received = member.receive(AnswerShape::fetch(&self.topic))?;
                anyhow::ensure!(received > wanted, "{received} bytes came where {wanted} were asked for");
            }
        }
        Ok(())
    }
}
