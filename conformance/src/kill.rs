//! A broker killed by SIGKILL while it is written to, read and administered, again and again, and the history of it all
//! judged: nothing acknowledged may be lost, doubled, moved or out of order, nothing deleted may come back.
//!
//! The run goes in acts of some kills each, every act with topics of its own: one with Kafka's defaults and one with
//! `flush.messages=1`, both in small segments, and one that comes and goes. Idempotent writers keep five batches in
//! flight and send what is not acknowledged once more; others do not know what became of theirs; readers read along;
//! somebody deletes records, and somebody moves replicas between the three log directories. At the end of an act everything is read once more.

mod deletions;
mod fleeting;
mod moves;
mod plain;
mod reader;
pub mod story;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use conformance::broker_process::{BrokerProcess, Kind, Launch};
use conformance::connection::{Answer, Connection};
use conformance::patience::PATIENCE;
use protocol::api_key::ApiKey;
use serde_json::json;
use sim::history::{Expect, check, write_lines};

use story::{Partition, Story};

/// How many partitions each topic has.
pub const PARTITIONS: i32 = 3;
/// How many kills an act has at most: its history must fit into memory.
const KILLS_AN_ACT: u32 = 20;

/// How often, and whom.
#[derive(clap::Args)]
pub struct Kill {
    /// How many times the broker is killed.
    #[arg(long, default_value_t = 20)]
    times: u32,
    /// Kill Apache Kafka instead, to see that the examination itself is right.
    #[arg(long)]
    apache_kafka: bool,
}

/// What those who write and the one who kills tell each other.
#[derive(Clone, Default)]
pub struct Progress {
    /// Whether to do no more.
    stop: Arc<AtomicBool>,
    /// How many batches of each idempotent writer are acknowledged.
    acknowledged: Arc<[AtomicU64; 2]>,
}

impl Progress {
    /// Whether to do no more.
    pub fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Notes that a writer had so many more batches acknowledged.
    pub fn add(&self, writer: usize, batches: usize) {
        self.acknowledged[writer].fetch_add(batches as u64, Ordering::Relaxed);
    }

    /// Waits until each writer had so many more batches acknowledged.
    fn wait_for(&self, batches: u64) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        let goals = self.acknowledged.each_ref().map(|count| count.load(Ordering::Relaxed) + batches);
        for (count, goal) in self.acknowledged.iter().zip(goals) {
            while count.load(Ordering::Relaxed) < goal {
                ensure!(Instant::now() < end, "not {batches} more acknowledgements within {PATIENCE:?}");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }
}

type Player = (&'static str, JoinHandle<Result<()>>);

impl Kill {
    /// Writes, kills, reads; an error if the history has an anomaly.
    pub fn run(&self) -> Result<()> {
        let directory = tempfile::tempdir()?;
        let kind = if self.apache_kafka { Kind::ApacheKafka } else { Kind::Headwater };
        let launch = Launch::new(kind, directory.path())?
            .set("log.dirs", directories(directory.path()).map(|path| path.display().to_string()).join(","))
            // Slow enough for kills to come in the midst of moves.
            .set("replica.alter.log.dirs.io.max.bytes.per.second", 8 << 20);
        let mut broker = launch.start()?;
        let (mut left, mut act) = (self.times, 0);
        while left > 0 {
            act += 1;
            let kills = left.min(KILLS_AN_ACT);
            left -= kills;
            let outcome = play(act, kills, &launch, broker);
            broker = outcome.inspect_err(|_| keep(directory.path()))?;
            println!("ok   act {act}: {} of {} kills", self.times - left, self.times);
        }
        if kind == Kind::Headwater {
            let output = std::fs::read_to_string(launch.output())?;
            let arrived = output.matches("a replica has moved").count();
            let resumed = output.matches("a replica goes on moving").count();
            println!("     {arrived} replicas have moved, {resumed} moves went on after a kill");
            ensure!(arrived > 0, "no replica has moved");
        }
        println!("{act} passed, 0 failed");
        Ok(())
    }
}

/// Plays one act and judges it; hands the broker on.
fn play(act: u32, kills: u32, launch: &Launch, mut broker: BrokerProcess) -> Result<BrokerProcess> {
    let (story, progress) = (Story::default(), Progress::default());
    let topics = [(format!("relaxed-{act}"), None), (format!("flushed-{act}"), Some("1"))];
    for (topic, flush) in &topics {
        create(&broker, topic, *flush)?;
    }
    let stage: Vec<Vec<Partition>> = topics
        .iter()
        .map(|(topic, _)| (0..PARTITIONS).map(|index| story.partition(topic, index)).collect())
        .collect();
    let players = enter(launch, &story, &progress, &stage);
    for round in 1..=kills {
        // Rounds of ten lengths, so that the kill meets other moments.
        progress.wait_for(u64::from(round % 10 + 1) * 8)?;
        broker.kill()?;
        broker = launch.start().context("starting again after the kill")?;
    }
    progress.wait_for(20)?;
    progress.stop.store(true, Ordering::Relaxed);
    for (name, player) in players {
        let outcome = player.join().map_err(|_| anyhow::anyhow!("{name} panicked"))?;
        outcome.with_context(|| format!("{name} gave up"))?;
    }
    broker.kill()?;
    let broker = launch.start().context("starting again to read")?;
    for partition in stage.iter().flatten() {
        reader::read_to_the_end(broker.address(), &story, partition)?;
    }
    judge(act, &story, &launch.directory)?;
    for (topic, _) in &topics {
        fleeting::delete(broker.address(), topic)?;
    }
    Ok(broker)
}

fn enter(launch: &Launch, story: &Story, progress: &Progress, stage: &[Vec<Partition>]) -> Vec<Player> {
    let mut players: Vec<Player> = Vec::new();
    let mut player = |name, part: Box<dyn FnOnce() -> Result<()> + Send>| {
        players.push((name, std::thread::spawn(part)));
    };
    let address = launch.address();
    let cast = || (story.clone(), progress.clone());
    for (writer, partitions) in stage.iter().enumerate() {
        let ((story, progress), partitions) = (cast(), partitions.clone());
        player(
            "an idempotent writer",
            Box::new(move || writer::run(address, &story, &progress, (writer, partitions))),
        );
    }
    for partitions in stage {
        let ((story, progress), partitions) = (cast(), partitions.clone());
        player("a plain writer", Box::new(move || plain::run(address, &story, &progress, &partitions)));
    }
    let everything: Vec<Partition> = stage.iter().flatten().cloned().collect();
    let ((story_of_reader, progress_of_reader), all) = (cast(), everything.clone());
    let read = move || reader::follow(address, &story_of_reader, &progress_of_reader, &all);
    player("a reader", Box::new(read));
    let (story_of_deletions, progress_of_deletions) = cast();
    let shortened = vec![everything[1].clone(), everything[5].clone()];
    let delete = move || deletions::run(address, &story_of_deletions, &progress_of_deletions, &shortened);
    player("who deletes records", Box::new(delete));
    let mut movable: Vec<(String, i32)> =
        everything.iter().map(|partition| (partition.topic.clone(), partition.index)).collect();
    movable.push((fleeting::TOPIC.to_owned(), 0));
    let (directories, (_, progress)) = (directories(&launch.directory), cast());
    let move_about = move || moves::run(address, &progress, &directories, &movable);
    player("who moves replicas", Box::new(move_about));
    let (story, progress) = cast();
    player("who makes and deletes topics", Box::new(move || fleeting::run(address, &story, &progress)));
    players
}

/// The log directories; as many as share no divisor with the number of replicas that move.
fn directories(below: &Path) -> [PathBuf; 3] {
    ["data", "data-2", "data-3"].map(|name| below.join(name))
}

fn judge(act: u32, story: &Story, directory: &Path) -> Result<()> {
    let history = story.end();
    let expect = Expect { duplicates: false, rebalances: false, read_to_the_end: true };
    let anomalies = check(&history, expect);
    let count = |holds: fn(&sim::history::Action) -> bool| {
        history.iter().flat_map(|operation| &operation.actions).filter(|action| holds(action)).count()
    };
    let sends = count(|action| matches!(action, sim::history::Action::Send { .. }));
    let reads = count(|action| matches!(action, sim::history::Action::Read { .. }));
    println!("     act {act}: {} operations, {sends} sends, {reads} reads", history.len());
    if anomalies.is_empty() {
        return Ok(());
    }
    let path = directory.join(format!("history-{act}.jsonl"));
    std::fs::write(&path, write_lines(&history))?;
    for anomaly in anomalies.iter().take(20) {
        println!("FAIL {anomaly:?}");
    }
    for (key, name) in story.names().iter().enumerate() {
        println!("     key {key} is {name}");
    }
    bail!("{} anomalies; the history is in {}", anomalies.len(), path.display())
}

/// Keeps the data and the output of a run that failed.
fn keep(directory: &Path) {
    let kept = directory.with_extension("kept");
    match std::fs::rename(directory, &kept) {
        Ok(()) => println!("data and output of the broker are kept in {}", kept.display()),
        Err(error) => println!("data and output of the broker cannot be kept: {error}"),
    }
}

fn create(broker: &BrokerProcess, topic: &str, flush: Option<&str>) -> Result<()> {
    let mut configs = vec![json!({"Name": "segment.bytes", "Value": "1048576"})];
    configs.extend(flush.map(|every| json!({"Name": "flush.messages", "Value": every})));
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
