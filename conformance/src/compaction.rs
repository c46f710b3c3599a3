//! The same segments compacted by Apache Kafka and by Headwater: what survives must be the same, batch by batch and
//! record by record, in segments of the same names with the same transaction indexes.
//!
//! Kafka takes a history of random keys, codecs, tombstones, idempotent and transactional producers, while a dirty ratio
//! of 1 keeps its cleaner away. The partition's directory is copied; then Kafka is let loose on its own, and our cleaner
//! on the copy. Kafka's result is what the next round goes on from, so that horizons set in one round are met in the next.

mod contents;
mod history;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, anyhow, ensure};
use conformance::broker_process::{BrokerProcess, Kind, Launch};
use conformance::connection::{Answer, Connection};
use conformance::patience::{self, PATIENCE};
use partition::Millis;
use partition::compaction::CompactionRules;
use protocol::api_key::ApiKey;
use protocol::id::{LeaderEpoch, NodeId, PartitionIndex, Timestamp, Uuid};
use protocol::offset::Offset;
use serde_json::json;
use storage::cleaner::{Cleaner, CleanerOptions, Pace};
use storage::descriptors::Descriptors;
use storage::log::{Checkpoints, Log};
use storage::log_directory::LogDirectory;
use storage::{LogConfig, RealDisk, SharedLog, TopicPartition};

use contents::Contents;
use history::History;

const SEGMENT_BYTES: u32 = 16_384;

/// How long, and from which seed.
#[derive(clap::Args)]
pub struct Compaction {
    /// How many times the history goes on and is compacted.
    #[arg(long, default_value_t = 4)]
    rounds: u64,
    /// Another seed is another history.
    #[arg(long, default_value_t = 2)]
    seed: u64,
}

/// Topics that differ in whose clock stamps their records.
const TOPICS: [(&str, &str); 2] = [("created", "CreateTime"), ("stamped", "LogAppendTime")];

impl Compaction {
    /// Compacts and compares; an error if anything differs.
    pub fn run(&self) -> Result<()> {
        let directory = tempfile::tempdir()?;
        let launch = Launch::new(Kind::ApacheKafka, directory.path())?.set("log.cleaner.backoff.ms", 100);
        let broker = launch.start()?;
        for (topic, timestamp_type) in TOPICS {
            create(&broker, topic, timestamp_type)?;
        }
        let mut histories = Vec::new();
        for (topic, _) in TOPICS {
            histories.push(History::begin(broker.address(), topic, self.seed)?);
        }
        let mut different = 0;
        for round in 1..=self.rounds {
            for history in &mut histories {
                history.go_on(round == self.rounds)?;
                different += usize::from(!compare(&broker, directory.path(), history.topic(), round)?);
            }
        }
        let compared = self.rounds * TOPICS.len() as u64;
        println!("{} of {compared} compactions came out the same", compared - different as u64);
        ensure!(different == 0, "{different} compactions came out differently");
        Ok(())
    }
}

fn create(broker: &BrokerProcess, topic: &str, timestamp_type: &str) -> Result<()> {
    let config = |(name, value): (&str, String)| json!({"Name": name, "Value": value});
    let configs: Vec<_> = [
        ("cleanup.policy", "compact".to_owned()),
        ("internal.segment.bytes", SEGMENT_BYTES.to_string()),
        ("min.cleanable.dirty.ratio", "1.0".to_owned()),
        ("delete.retention.ms", "0".to_owned()),
        ("message.timestamp.type", timestamp_type.to_owned()),
    ]
    .into_iter()
    .map(config)
    .collect();
    let request =
        json!({"Topics": [{"Name": topic, "NumPartitions": 1, "ReplicationFactor": 1, "Configs": configs}]});
    patience::insist(broker.address(), ApiKey::CreateTopics, 5, &request).map(drop)
}

/// Has a partition compacted by both; says whether that came out the same.
fn compare(broker: &BrokerProcess, directory: &Path, topic: &str, round: u64) -> Result<bool> {
    let data = directory.join("data");
    let name = format!("{topic}-0");
    let ours = directory.join(format!("ours-{topic}-{round}"));
    copy(&data.join(&name), &ours.join(&name))?;
    let before = Contents::read(&ours.join(&name))?;
    let end = clean(&Arc::new(Mutex::new(open(&ours, topic, checkpoint(&data, topic)?)?)))?;
    set_ratio(broker, topic, "0.0")?;
    wait_for_checkpoint(&data, topic, end)?;
    set_ratio(broker, topic, "1.0")?;
    let (theirs, mine) = (Contents::read(&data.join(&name))?, Contents::read(&ours.join(&name))?);
    let difference = theirs.first_difference(&mine);
    println!(
        "{} {topic}, round {round}: {} batches of {} records became {} of {} in {} segments, {} empty, {} with a delete horizon",
        if difference.is_none() { "ok  " } else { "FAIL" },
        before.batches(),
        before.records(),
        theirs.batches(),
        theirs.records(),
        theirs.segments(),
        theirs.empty_batches(),
        theirs.horizons(),
    );
    if let Some(difference) = &difference {
        println!("{difference}");
    }
    Ok(difference.is_none())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        // What Kafka deletes later may go at any moment.
        if !name.to_string_lossy().ends_with(".deleted") {
            std::fs::copy(entry.path(), to.join(&name)).with_context(|| format!("copying {name:?}"))?;
        }
    }
    Ok(())
}

/// Up to where Kafka says the partition is clean.
fn checkpoint(data: &Path, topic: &str) -> Result<Option<Offset>> {
    let text = std::fs::read_to_string(data.join("cleaner-offset-checkpoint")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{topic} 0 ")));
    Ok(line.map(str::parse).transpose()?.map(Offset))
}

fn wait_for_checkpoint(data: &Path, topic: &str, end: Offset) -> Result<()> {
    let limit = Instant::now() + PATIENCE;
    loop {
        let reached = checkpoint(data, topic)?;
        if reached == Some(end) {
            return Ok(());
        }
        ensure!(Instant::now() < limit, "Kafka is clean up to {reached:?}, and we up to {end}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn set_ratio(broker: &BrokerProcess, topic: &str, ratio: &str) -> Result<()> {
    let config = json!({"Name": "min.cleanable.dirty.ratio", "ConfigOperation": 0, "Value": ratio});
    let resource = json!({"ResourceType": 2, "ResourceName": topic, "Configs": [config]});
    let request = json!({"Resources": [resource], "ValidateOnly": false});
    let answer = Connection::open(broker.address())?.ask(ApiKey::IncrementalAlterConfigs, 1, &request)?;
    match answer {
        Answer::Response(answer) if answer["Responses"][0]["ErrorCode"] == 0 => Ok(()),
        other => Err(anyhow!("the dirty ratio cannot be set: {other:?}")),
    }
}

fn open(directory: &Path, topic: &str, cleaned_to: Option<Offset>) -> Result<Log> {
    let home = LogDirectory::start(directory, Uuid([1; 16]), Descriptors::new(RealDisk, 200), 0)?;
    let mut config = LogConfig::default();
    config.roll.segment_bytes = SEGMENT_BYTES;
    config.retention.delete = false;
    config.append.compacted = true;
    config.compaction =
        CompactionRules { compact: true, delete_retention: Millis(0), ..CompactionRules::default() };
    // Kafka's files are as they are: nothing but the active segment is made anew.
    let checkpoints = Checkpoints {
        clean: false,
        recovery_point: Offset(i64::MAX),
        log_start: Offset::ZERO,
        high_watermark: Offset(i64::MAX),
        cleaned_to,
    };
    let name = TopicPartition::new(topic, PartitionIndex(0));
    let mut log = Log::open(Arc::new(home), (name, None), Arc::new(config), checkpoints, now())?.log;
    log.become_leader(LeaderEpoch(99), NodeId(1), 1, [NodeId(1)])?;
    Ok(log)
}

struct Freely;

impl Pace for Freely {
    fn go_on(&mut self, _bytes: u64) -> bool {
        true
    }
}

fn clean(log: &SharedLog) -> Result<Offset> {
    let cleanable = log.lock().map_err(|_| anyhow!("poisoned"))?.cleanable(now())?;
    let cleanable = cleanable.context("the log is compacted")?;
    let options = CleanerOptions { map_bytes: 1 << 27, map_load: 0.9, buffer_bytes: 1 << 18 };
    let cleaned = Cleaner::new(options).clean(log, &cleanable, now(), &mut Freely)?;
    Ok(cleaned.context("nobody else cleans it")?.end)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Where the files of a log lie, by their suffix.
fn files(directory: &Path, suffix: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(suffix) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
