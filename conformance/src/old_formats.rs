//! Logs in formats v0 and v1, as Apache Kafka 2.8 still writes them: the directories of its partitions are put into one of
//! ours as docs/operate/old-logs.md tells users to; the broker then serves them to clients of then and of now, finds times
//! in them, and compacts them to what Kafka 2.8's own cleaner leaves, record by record. kafka-dump-log reads what is left.
//!
//! And version 0 of OffsetCommit and OffsetFetch, which only a Kafka with ZooKeeper answers.
//!
//! What is compared is what a reader gets, whatever format it comes in.

mod kcat;
mod messages;
mod offsets;
mod take_over;
mod topics;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use conformance::broker_process::{Kind, Launch, free_port_pair};
use conformance::patience::{self, PATIENCE};
use protocol::api_key::ApiKey;
use serde_json::{Value, json};

use crate::there_and_back::dump;
use messages::{Read, read};
use take_over::take_over;
use topics::{Formats, TOPICS, Topic};

/// The versions in which clients of then and of now fetch.
const FETCHES: [i16; 5] = [0, 1, 2, 3, 12];
/// The version in which all that a record has is read.
const NEW: i16 = 12;

/// Between Apache Kafka 2.8 and us.
#[derive(clap::Args)]
pub struct OldFormats {
    /// Keep what is written, here.
    #[arg(long, value_name = "DIRECTORY")]
    keep: Option<PathBuf>,
}

impl OldFormats {
    /// Writes, takes over, compacts and compares; an error if anything differs.
    pub fn run(&self) -> Result<()> {
        let temporary = tempfile::tempdir()?;
        let directory = self.keep.clone().unwrap_or_else(|| temporary.path().to_owned());
        let launch = |kind, name: &str| -> Result<Launch> {
            let launch = Launch::new(kind, &directory.join(name))?.set("log.cleaner.backoff.ms", 100);
            // What compaction has replaced is removed while the rest goes on.
            Ok(launch.set("offsets.topic.num.partitions", 1).set("log.segment.delete.delay.ms", 1000))
        };
        let mut kafka = launch(Kind::ApacheKafka28, "kafka")?;
        let mut shown = Vec::new();
        let broker = kafka.start()?;
        for topic in &TOPICS {
            topic.fill(broker.address())?;
            let first = Shown::by(broker.address(), topic)?;
            // Of what its cleaner has left Kafka 2.8 misses some times.
            first.found_by(broker.address(), topic).context("Kafka itself")?;
            shown.push(first);
        }
        broker.end()?;
        let headwater = launch(Kind::Headwater, "headwater")?;
        take_over(&kafka, &headwater)?;
        let mut ours = headwater.start()?;
        for (topic, shown) in TOPICS.iter().zip(&shown) {
            shown.same_by(ours.address(), topic)?;
            println!(
                "ok   {}: {} records by Fetch {FETCHES:?} and kcat, and their times",
                topic.name,
                shown.records.len()
            );
        }
        // Its old ports may be somebody else's by now.
        kafka.port = free_port_pair()?;
        let broker = kafka.start()?;
        for round in 1..=2 {
            for topic in TOPICS.iter().filter(|topic| topic.compacted) {
                for launch in [&kafka, &headwater] {
                    compact(launch, topic)?;
                }
                let left = Shown::by(broker.address(), topic)?;
                left.same_by(ours.address(), topic).with_context(|| format!("compacted {round} times"))?;
                println!(
                    "ok   {}: compaction {round} leaves the same {} records",
                    topic.name,
                    left.records.len()
                );
                for address in [broker.address(), ours.address()] {
                    topic.go_on(address)?;
                }
            }
        }
        ours.restart()?;
        for topic in &TOPICS {
            Shown::by(broker.address(), topic)?.same_by(ours.address(), topic).context("after a kill")?;
        }
        println!("ok   the same after a kill");
        offsets::compare(broker.address(), ours.address())?;
        ours.end()?;
        let files = dump::partitions(&headwater.data_directory(), &TOPICS.map(|topic| topic.name))?;
        println!("ok   kafka-dump-log reads the {files} files that are left");
        println!(
            "{} passed, 0 failed",
            TOPICS.len() + 2 * TOPICS.iter().filter(|topic| topic.compacted).count() + 3
        );
        Ok(())
    }
}

/// What a broker shows of a topic.
struct Shown {
    records: Vec<Read>,
    /// Times to look for.
    times: Vec<i64>,
}

impl Shown {
    fn by(address: SocketAddr, topic: &Topic) -> Result<Self> {
        let records = read(address, topic.name, NEW)?;
        let mut times: Vec<_> =
            records.iter().map(|record| record.timestamp).filter(|time| *time >= 0).collect();
        times.sort_unstable();
        times.dedup();
        let step = times.len().div_ceil(20).max(1);
        let times = times.iter().step_by(step).flat_map(|time| [*time, *time + 1]).chain([0]).collect();
        ensure!(records.len() > 20, "{} holds {} records", topic.name, records.len());
        Ok(Self { records, times })
    }

    /// Whether a broker finds at each time the first record that is not older.
    fn found_by(&self, address: SocketAddr, topic: &Topic) -> Result<()> {
        // Kafka refuses to look into a topic of format v0 for a time.
        let times = if topic.formats == Formats::V0 { &[] } else { &self.times[..] };
        for time in times {
            let found = find(address, topic, *time)?;
            let first = self.records.iter().find(|record| record.timestamp >= *time);
            let wanted = first.map_or(json!([-1, -1]), |first| json!([first.offset, first.timestamp]));
            ensure!(found == wanted, "{}: time {time} is found at {found}, not {wanted}", topic.name);
        }
        Ok(())
    }

    /// Whether another broker shows the same to each client.
    fn same_by(&self, address: SocketAddr, topic: &Topic) -> Result<()> {
        let name = topic.name;
        for version in FETCHES {
            // Messages of the first versions have no timestamps.
            let (served, timed) = (read(address, name, version)?, version >= 2);
            self.same_records(&served, timed).with_context(|| format!("{name} by Fetch {version}"))?;
        }
        for broker in kcat::BROKERS {
            let (served, timed) = (kcat::read(address, name, broker)?, broker != Some("0.9.0"));
            self.same_records(&served, timed).with_context(|| format!("{name} by kcat, told {broker:?}"))?;
        }
        self.found_by(address, topic)
    }

    fn same_records(&self, served: &[Read], timed: bool) -> Result<()> {
        let different = served.iter().zip(&self.records).find(|(ours, theirs)| {
            let same = (ours.offset, &ours.key, &ours.value) == (theirs.offset, &theirs.key, &theirs.value);
            !same || (timed && ours.timestamp != theirs.timestamp)
        });
        ensure!(different.is_none(), "{different:?}");
        let (ours, theirs) = (served.len(), self.records.len());
        ensure!(ours == theirs, "{ours} of {theirs} records");
        Ok(())
    }
}

fn find(address: SocketAddr, topic: &Topic, time: i64) -> Result<Value> {
    let wanted = json!({"PartitionIndex": 0, "Timestamp": time});
    let request = json!({"ReplicaId": -1, "Topics": [{"Name": topic.name, "Partitions": [wanted]}]});
    let answer = patience::insist(address, ApiKey::ListOffsets, 1, &request)?;
    let found = &answer["Topics"][0]["Partitions"][0];
    Ok(json!([found["Offset"], found["Timestamp"]]))
}

/// Has a broker compact all but the segment it writes to.
fn compact(launch: &Launch, topic: &Topic) -> Result<()> {
    let data = launch.data_directory();
    let active = active_segment(&data, topic)?;
    set_ratio(launch.address(), topic, "0.0")?;
    let end = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(data.join("cleaner-offset-checkpoint")).unwrap_or_default();
        let prefix = format!("{} 0 ", topic.name);
        let clean = text.lines().find_map(|line| line.strip_prefix(&prefix)?.parse::<i64>().ok());
        if clean >= Some(active) {
            return set_ratio(launch.address(), topic, "1.0");
        }
        ensure!(
            Instant::now() < end,
            "{} is clean up to {clean:?}, not to {active}: {}",
            topic.name,
            data.display()
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Where the segment begins that is written to.
fn active_segment(data: &Path, topic: &Topic) -> Result<i64> {
    let mut bases = Vec::new();
    for entry in std::fs::read_dir(data.join(format!("{}-0", topic.name)))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        bases.extend(name.strip_suffix(".log").and_then(|base| base.parse::<i64>().ok()));
    }
    bases.into_iter().max().context("a segment")
}

fn set_ratio(address: SocketAddr, topic: &Topic, ratio: &str) -> Result<()> {
    topics::alter(address, topic.name, "min.cleanable.dirty.ratio", ratio)
}
