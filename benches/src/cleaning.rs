//! `cleaning`: how long a lone producer waits for its acknowledgements beside a compaction, and without one.
//!
//! Rounds of a quiet stretch and one in which the partition written to and its neighbours are compacted, in turn, so that
//! what else the machine does falls on both.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use benches::frames::{AnswerShape, Frame};
use benches::goals::Goals;
use benches::load::Connection;
use benches::machine::describe;
use conformance::broker_process::{Kind, Launch};
use conformance::patience;
use protocol::api_key::ApiKey;
use protocol::id::Timestamp;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::{Codec, Compressors};
use serde_json::json;

const TOPIC: &str = "cleaned";
const PARTITIONS: i32 = 4;
/// Records of a batch, and bytes of their values.
const RECORDS: usize = 64;
const VALUE_BYTES: usize = 1000;
/// Batches of other keys; each stretch writes all of them to each partition a few times.
const BATCHES: usize = 256;
const TIMES: usize = 4;
/// How much longer 99 of 100 acknowledgements may take beside a compaction, which is not to hurt them.
const RATIO_MAX: f64 = 1.25;
/// One request each millisecond, as a steady producer sends them.
const PACE: Duration = Duration::from_millis(1);

/// How long a lone producer waits beside a compaction.
#[derive(clap::Args)]
pub struct Cleaning {
    /// Apache Kafka instead.
    #[arg(long)]
    apache_kafka: bool,
    /// How often it is compacted.
    #[arg(long, default_value_t = 4)]
    rounds: u32,
    /// Of compressed batches.
    #[arg(long)]
    zstd: bool,
    /// Where the data goes; a temporary directory by default.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Fail if a goal is not reached.
    #[arg(long)]
    strict: bool,
}

impl Cleaning {
    /// Runs it and prints what it found.
    pub fn run(&self) -> Result<()> {
        let temporary = tempfile::tempdir()?;
        let directory = self.directory.as_deref().unwrap_or(temporary.path());
        let kind = if self.apache_kafka { Kind::ApacheKafka } else { Kind::Headwater };
        println!("machine     {}", describe());
        let launch = Launch::new(kind, directory)?
            .set("log.cleaner.backoff.ms", 100)
            .set("log.segment.delete.delay.ms", 1000);
        let broker = launch.start()?;
        let address = broker.address();
        let configs = [
            ("cleanup.policy", "compact"),
            ("segment.bytes", "16777216"),
            ("min.cleanable.dirty.ratio", "1.0"),
        ];
        Connection::open(address)?.create_topic(TOPIC, PARTITIONS, &configs)?;
        patience::insist(address, ApiKey::ListOffsets, 5, &ends())?;
        let codec = if self.zstd { Codec::Zstd } else { Codec::None };
        let frames = frames(codec)?;
        let (mut quiet, mut beside) = (Waits::default(), Waits::default());
        for round in 1..=self.rounds {
            let goal = fill(address, &frames)?;
            let begun = Instant::now();
            quiet.measure(address, &frames, || begun.elapsed() > Duration::from_secs(5))?;
            set_ratio(address, "0.0")?;
            let begun = Instant::now();
            let checkpoint = directory.join("data/cleaner-offset-checkpoint");
            beside.measure(address, &frames, || is_clean(&checkpoint, &goal))?;
            println!("round {round}     compacted in {:.2} s", begun.elapsed().as_secs_f64());
            set_ratio(address, "1.0")?;
        }
        println!("without     {quiet}");
        println!("beside      {beside}");
        let (ratio, goals) = (beside.at(0.99) / quiet.at(0.99), Goals::default());
        let goal = goals.at_most("99 % of acknowledgements beside a compaction", ratio, RATIO_MAX, "");
        println!("ratio       {ratio:.2} at the 99th percentile{goal}");
        broker.end()?;
        goals.end(self.strict)
    }
}

/// How long each acknowledgement took, in microseconds.
#[derive(Default)]
struct Waits(Vec<f64>);

impl Waits {
    /// Sends at a steady pace until it is over.
    fn measure(&mut self, address: SocketAddr, frames: &[Frame], over: impl Fn() -> bool) -> Result<()> {
        let mut connection = Connection::open(address)?;
        let shape = AnswerShape::produce(TOPIC);
        let (mut due, end) = (Instant::now(), Instant::now() + Duration::from_secs(120));
        for number in 0.. {
            let mut frame = frames[number % frames.len()].clone();
            frame.set_partition(0);
            let sent = Instant::now();
            connection.ask(frame, shape)?;
            self.0.push(sent.elapsed().as_secs_f64() * 1e6);
            if number % 64 == 0 && over() {
                break;
            }
            ensure!(Instant::now() < end, "it goes on and on");
            due = (due + PACE).max(Instant::now());
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        self.0.sort_by(f64::total_cmp);
        Ok(())
    }

    fn at(&self, part: f64) -> f64 {
        let index = (self.0.len() as f64 * part) as usize;
        self.0.get(index.min(self.0.len().saturating_sub(1))).copied().unwrap_or(0.0)
    }
}

impl std::fmt::Display for Waits {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{} acknowledgements, in microseconds: half within {:.0}, 99 % within {:.0}, 99.9 % within {:.0}, all within {:.0}",
            self.0.len(),
            self.at(0.5),
            self.at(0.99),
            self.at(0.999),
            self.at(1.0)
        )
    }
}

/// Requests of batches with keys of their own.
fn frames(codec: Codec) -> Result<Vec<Frame>> {
    let mut frames = Vec::new();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let now = Timestamp(i64::try_from(now.as_millis())?);
    for batch in 0..BATCHES {
        let options = BatchOptions { compression: codec.into(), ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        for record in 0..RECORDS {
            let key = format!("key-{batch}-{record}");
            let value: Vec<u8> =
                (0..VALUE_BYTES).map(|at| b'a' + (at * (batch + 7) / (record + 3) % 26) as u8).collect();
            builder.push(now, Some(key.as_bytes()), Some(&value), &[]);
        }
        frames.push(Frame::produce(TOPIC, &builder.finish(&mut Compressors::default())?));
    }
    Ok(frames)
}

/// Writes every key to every partition a few times; where each partition ended before.
fn fill(address: SocketAddr, frames: &[Frame]) -> Result<Vec<i64>> {
    let answer = patience::insist(address, ApiKey::ListOffsets, 5, &ends())?;
    let partitions = answer["Topics"][0]["Partitions"].as_array().context("partitions")?;
    let mut goal = vec![0; partitions.len()];
    for partition in partitions {
        let index = partition["PartitionIndex"].as_u64().context("an index")?;
        goal[usize::try_from(index)?] = partition["Offset"].as_i64().context("an offset")?;
    }
    let mut connection = Connection::open(address)?;
    let shape = AnswerShape::produce(TOPIC);
    for partition in 0..PARTITIONS {
        for number in 0..TIMES * frames.len() {
            let mut frame = frames[number % frames.len()].clone();
            frame.set_partition(partition);
            connection.ask(frame, shape)?;
        }
    }
    Ok(goal)
}

fn ends() -> serde_json::Value {
    let partition = |index| json!({"PartitionIndex": index, "Timestamp": -1});
    let partitions: Vec<_> = (0..PARTITIONS).map(partition).collect();
    json!({"ReplicaId": -1, "Topics": [{"Name": TOPIC, "Partitions": partitions}]})
}

/// Whether every partition is compacted beyond its goal.
fn is_clean(checkpoint: &Path, goal: &[i64]) -> bool {
    let text = std::fs::read_to_string(checkpoint).unwrap_or_default();
    goal.iter().enumerate().all(|(partition, goal)| {
        let prefix = format!("{TOPIC} {partition} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&prefix)?.parse::<i64>().ok());
        line.is_some_and(|clean| clean > *goal)
    })
}

fn set_ratio(address: SocketAddr, ratio: &str) -> Result<()> {
    let config = json!({"Name": "min.cleanable.dirty.ratio", "ConfigOperation": 0, "Value": ratio});
    let resource = json!({"ResourceType": 2, "ResourceName": TOPIC, "Configs": [config]});
    let request = json!({"Resources": [resource], "ValidateOnly": false});
    patience::insist(address, ApiKey::IncrementalAlterConfigs, 1, &request)?;
    Ok(())
}
