//! A broker killed by SIGKILL while it is written to, again and again: what was acknowledged must be there, once.
//!
//! Two idempotent writers keep five batches in flight, one to a topic with Kafka's defaults and one to a topic with
//! `flush.messages=1`. When the broker dies they connect again and send what is not acknowledged once more, with the
//! same sequences. Afterwards each partition is read whole: offsets without gaps, the numbers written in their order
//! without one twice, and every acknowledged record at the offset that was acknowledged.

mod reader;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use conformance::broker_process::{BrokerProcess, Kind, Launch};
use conformance::connection::{Answer, Connection};
use protocol::api_key::ApiKey;
use serde_json::json;

use writer::{Writer, Written};

/// How many partitions each topic has.
pub const PARTITIONS: i32 = 3;

/// How often, and whom.
#[derive(clap::Args)]
pub struct Kill {
    /// How many times the broker is killed.
    #[arg(long, default_value_t = 5)]
    times: u32,
    /// Kill Apache Kafka instead, to see that the examination itself is right.
    #[arg(long)]
    apache_kafka: bool,
}

/// What the writers and the one who kills tell each other.
#[derive(Clone, Default)]
pub struct Progress {
    /// Whether to write no more.
    pub stop: Arc<AtomicBool>,
    /// How many batches of each writer are acknowledged.
    acknowledged: Arc<[AtomicU64; 2]>,
}

impl Progress {
    /// Notes that a writer had so many more batches acknowledged.
    pub fn add(&self, writer: usize, batches: usize) {
        self.acknowledged[writer].fetch_add(batches as u64, Ordering::Relaxed);
    }

    /// Waits until each writer had so many more batches acknowledged.
    fn wait_for(&self, batches: u64) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(90);
        let goals = self.acknowledged.each_ref().map(|count| count.load(Ordering::Relaxed) + batches);
        for (count, goal) in self.acknowledged.iter().zip(goals) {
            while count.load(Ordering::Relaxed) < goal {
                ensure!(Instant::now() < end, "not {batches} more acknowledgements within 90 s");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }
}

impl Kill {
    /// Writes, kills, reads; an error if a record is lost, doubled or in the wrong place.
    pub fn run(&self) -> Result<()> {
        let directory = tempfile::tempdir()?;
        let kind = if self.apache_kafka { Kind::ApacheKafka } else { Kind::Headwater };
        let launch = Launch::new(kind, directory.path())?;
        let mut broker = launch.start()?;
        let topics = [("relaxed", None), ("flushed", Some("1"))];
        for (topic, flush) in topics {
            create(&broker, topic, flush)?;
        }
        let progress = Progress::default();
        let writers = [0, 1].map(|writer| {
            let (address, progress, topic) = (launch.address(), progress.clone(), topics[writer].0);
            std::thread::spawn(move || {
                let done = |batches| progress.add(writer, batches);
                let written =
                    Writer::new(address, topic).and_then(|writer| writer.run(&progress.stop, &done));
                written.inspect_err(|error| println!("the writer to {topic} gave up: {error:#}"))
            })
        });
        for round in 1..=self.times {
            // Rounds of ten lengths, so that the kill meets other moments.
            progress.wait_for(u64::from(round % 10 + 1) * 40)?;
            broker.kill()?;
            broker = launch.start().context("starting again after the kill")?;
            println!("killed and started again: {round} of {}", self.times);
        }
        progress.wait_for(20)?;
        progress.stop.store(true, Ordering::Relaxed);
        let mut written = Vec::new();
        for writer in writers {
            written.push(writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))??);
        }
        broker.kill()?;
        let broker = launch.start().context("starting again to read")?;
        report(&broker, &topics.map(|(topic, _)| topic), &written)
    }
}

fn report(broker: &BrokerProcess, topics: &[&str], written: &[Written]) -> Result<()> {
    let (mut passed, mut failed) = (0, 0);
    for (topic, written) in topics.iter().zip(written) {
        for partition in 0..PARTITIONS {
            match reader::verify(broker.address(), topic, partition, written) {
                Ok(records) => {
                    println!("ok   {topic}-{partition}: {records} records");
                    passed += 1;
                }
                Err(error) => {
                    println!("FAIL {topic}-{partition}: {error:#}");
                    failed += 1;
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    ensure!(failed == 0, "{failed} partitions are not what was acknowledged");
    Ok(())
}

fn create(broker: &BrokerProcess, topic: &str, flush: Option<&str>) -> Result<()> {
    let configs: Vec<_> =
        flush.into_iter().map(|every| json!({"Name": "flush.messages", "Value": every})).collect();
    let request = json!({"Topics": [{"Name": topic, "NumPartitions": PARTITIONS, "ReplicationFactor": 1,
        "Configs": configs}]});
    for _ in 0..200 {
        match Connection::open(broker.address())?.ask(ApiKey::CreateTopics, 5, &request)? {
            Answer::Response(answer) if answer["Topics"][0]["ErrorCode"] == 0 => return Ok(()),
            // A broker that has not yet registered has nowhere to put partitions.
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
    bail!("topic {topic} could not be created")
}
