//! What is asked of a broker: the shapes of load that are compared.

use anyhow::Result;
use protocol::id::Timestamp;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::{Codec, Compression, Compressors};

use crate::load::IN_FLIGHT;
use crate::report::Goal;

/// Writing or reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Produce with acks=1.
    Produce,
    /// Fetch of what was produced right before.
    Fetch,
}

/// One shape of load: requests of one batch each, round the partitions of one topic.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Its name in reports and on the command line.
    pub name: &'static str,
    /// Writing or reading.
    pub direction: Direction,
    /// Bytes of all records of a batch, uncompressed.
    pub batch_bytes: usize,
    /// Bytes of a record's value.
    pub record_bytes: usize,
    /// Over how many partitions.
    pub partitions: i32,
    /// How the batches are compressed.
    pub codec: Codec,
    /// How many requests a full run sends.
    pub requests: u32,
    /// Whether the cost is quoted a request rather than a gigabyte.
    pub by_request: bool,
    /// How many requests are under way at once.
    pub in_flight: u32,
    /// What its cost must reach.
    pub goal: Goal,
    /// What it must reach where only the headers of compressed batches are looked at.
    pub headers_goal: Option<Goal>,
}

const fn produce(
    name: &'static str,
    batch_bytes: usize,
    partitions: i32,
    requests: u32,
    goal: Goal,
) -> Workload {
    Workload {
        name,
        direction: Direction::Produce,
        batch_bytes,
        record_bytes: 1024,
        partitions,
        codec: Codec::None,
        requests,
        by_request: false,
        in_flight: IN_FLIGHT,
        goal,
        headers_goal: None,
    }
}

const fn fetch(name: &'static str, batch_bytes: usize, requests: u32, goal: Goal) -> Workload {
    Workload { direction: Direction::Fetch, in_flight: 1, ..produce(name, batch_bytes, 1, requests, goal) }
}

/// As Kafka checks it, at most `full` of what that costs Kafka; with its headers alone looked at, `headers`.
const fn compressed(name: &'static str, codec: Codec, full: f64, headers: f64) -> Workload {
    let goal = Goal { of_kafka: Some(full), ..Goal::NONE };
    let headers_goal = Some(Goal::ratios(headers, 1.3));
    Workload { codec, headers_goal, ..produce(name, 65_536, 8, 20_000, goal) }
}

/// One small record a request.
pub const LONE: Workload = Workload {
    by_request: true,
    record_bytes: 100,
    ..produce("produce-lone", 100, 1, 120_000, Goal::ratios(0.25, 1.4))
};
const HUNDRED_BYTES: Workload = Workload {
    record_bytes: 100,
    ..produce("produce-16k-100b", 16_384, 1, 40_000, Goal::ratios(0.25, 1.35))
};
/// The batches that the Java client makes by default.
pub const SMALL_BATCHES: Workload = produce("produce-16k", 16_384, 64, 40_000, Goal::ratios(0.35, 1.35));

/// All that are compared, the costliest warm-up first.
pub const WORKLOADS: [Workload; 10] = [
    produce("produce-1m", 1_048_576 - 16_384, 1, 2_000, Goal::ratios(0.30, 1.5)),
    produce("produce-64k", 65_536, 8, 20_000, Goal::ratios(0.40, 1.3)),
    SMALL_BATCHES,
    HUNDRED_BYTES,
    compressed("produce-64k-lz4", Codec::Lz4, 0.60, 0.30),
    compressed("produce-64k-zstd", Codec::Zstd, 0.65, 0.25),
    LONE,
    fetch("fetch-1m", 1_048_576 - 16_384, 4_000, Goal::ratios(0.85, 1.2)),
    fetch("fetch-64k", 65_536, 30_000, Goal::ratios(0.80, 1.1)),
    fetch("fetch-16k", 16_384, 40_000, Goal::ratios(0.50, 1.2)),
];

impl Workload {
    /// The batch that is sent, and how many records it holds.
    pub fn batch(&self) -> Result<(Vec<u8>, u32)> {
        let count = (self.batch_bytes / self.record_bytes).max(1);
        let compression = Compression { codec: self.codec, ..Compression::default() };
        let mut builder = BatchBuilder::new(BatchOptions { compression, ..BatchOptions::default() });
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let now = Timestamp(i64::try_from(now.as_millis())?);
        for _ in 0..count {
            let value = if self.codec == Codec::None {
                random.bytes(self.record_bytes)
            } else {
                random.sentences(self.record_bytes)
            };
            builder.push(now, None, Some(&value), &[]);
        }
        Ok((builder.finish(&mut Compressors::default())?, u32::try_from(count)?))
    }
}

/// The same bytes in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| (self.next() >> 32) as u8).collect()
    }

    /// Text like that of an event in JSON, which lz4 takes to about a third.
    fn sentences(&mut self, count: usize) -> Vec<u8> {
        let mut text = String::with_capacity(count + 100);
        while text.len() < count {
            let (user, item, amount) = (self.next() % 1_000_000, self.next() % 5_000, self.next() % 10_000);
            text.push_str(&format!(
                r#"{{"user_id":{user},"event":"purchase","item":"item-{item}","amount":{amount},"currency":"EUR"}},"#
            ));
        }
        text.truncate(count);
        text.into_bytes()
    }
}
