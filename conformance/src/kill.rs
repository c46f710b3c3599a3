//! A broker killed by SIGKILL while it is written to, read and administered, again and again, and the history of it all
//! judged: nothing acknowledged may be lost, doubled, moved or out of order, nothing deleted may come back.
//!
//! The run goes in acts of some kills each, every act with topics of its own: one with Kafka's defaults and one with
//! `flush.messages=1`, both in small segments, and one that comes and goes. Idempotent writers keep five batches in
//! flight and send what is not acknowledged once more; others do not know what became of theirs; readers read along;
//! somebody deletes records, somebody moves replicas between the three log directories, and two commit offsets to groups. At
//! the end of an act everything is read once more.

mod committer;
mod deletions;
mod fleeting;
mod moves;
mod plain;
pub mod story;
mod writer;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use conformance::broker_process::{BrokerProcess, Kind, Launch};
use conformance::partition_client::Isolation;
use conformance::patience::{self, READY_AFTER_KILL};
use protocol::api_key::ApiKey;
use serde_json::json;
use sim::history::{Expect, check, write_lines};

use crate::players::{Players, Progress};
use crate::reader;
use story::{Partition, Story};

/// How many partitions each topic has.
pub const PARTITIONS: i32 = 3;
/// What the groups are called that offsets are committed to, and whether by a member.
const COMMITTERS: [(&str, bool); 2] = [("of-a-member", true), ("of-nobody", false)];
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

impl Kill {
    /// Writes, kills, reads; an error if the history has an anomaly.
    pub fn run(&self) -> Result<()> {
        let directory = tempfile::tempdir()?;
        let kind = if self.apache_kafka { Kind::ApacheKafka } else { Kind::Headwater };
        let launch = Launch::new(kind, directory.path())?
            .set("log.dirs", directories(directory.path()).map(|path| path.display().to_string()).join(","))
            .set("group.initial.rebalance.delay.ms", 0)
            // Recovery begins in the midst of segments.
            .set("headwater.recovery.bytes", 100_000)
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
fn play(act: u32, kills: u32, launch: &Launch, broker: BrokerProcess) -> Result<BrokerProcess> {
    let story = Story::default();
    let topics = [(format!("relaxed-{act}"), None), (format!("flushed-{act}"), Some("1"))];
    for (topic, flush) in &topics {
        create(&broker, topic, *flush)?;
    }
    let stage: Vec<Vec<Partition>> = topics
        .iter()
        .map(|(topic, _)| (0..PARTITIONS).map(|index| story.partition(topic, index)).collect())
        .collect();
    // The idempotent writers and those who commit.
    let progress = Progress::of(stage.len() + COMMITTERS.len());
    let mut players = enter(launch, &story, &progress, &stage);
    for (number, (kind, is_member)) in COMMITTERS.into_iter().enumerate() {
        let (address, progress, topic) = (launch.address(), progress.clone(), topics[0].0.clone());
        let (group, number) = (format!("{kind}-{act}"), stage.len() + number);
        players.enter("who commits offsets", move || {
            committer::run(address, &progress, (number, &group, &topic), is_member)
        });
    }
    let survived = kill_again_and_again(kills, launch, broker, &progress);
    players.leave()?;
    let broker = survived?;
    broker.kill()?;
    let broker = launch.start().context("starting again to read")?;
    for partition in stage.iter().flatten() {
        reader::read_to_the_end(broker.address(), &story, partition, Isolation::Uncommitted)?;
    }
    judge(act, &story, &launch.directory)?;
    for (topic, _) in &topics {
        fleeting::delete(broker.address(), topic)?;
    }
    Ok(broker)
}

fn kill_again_and_again(
    kills: u32,
    launch: &Launch,
    mut broker: BrokerProcess,
    progress: &Progress,
) -> Result<BrokerProcess> {
    let mut took = Vec::new();
    for round in 1..=kills {
        // Rounds of ten lengths, so that the kill meets other moments.
        progress.wait_for(u64::from(round % 10 + 1) * 8)?;
        broker.kill()?;
        let begun = Instant::now();
        broker = launch.start().context("starting again after the kill")?;
        let ready = begun.elapsed();
        progress.wait_for(1)?;
        took.push((begun.elapsed(), ready));
        if launch.kind == Kind::Headwater {
            patience::hold(&format!("to be ready after kill {round}"), ready, READY_AFTER_KILL)?;
        }
    }
    took.sort_unstable();
    let (median, last) = (took[took.len() / 2].0, took[took.len() - 1].0);
    let ready = took.iter().map(|(_, ready)| *ready).max().unwrap_or_default();
    println!(
        "     ready within {} ms after each kill, every writer acknowledged within {} ms, within {} ms in half of them",
        ready.as_millis(),
        last.as_millis(),
        median.as_millis()
    );
    // One start may meet whatever else a machine does, half of them do not.
    ensure!(
        launch.kind != Kind::Headwater || median <= READY_AFTER_KILL * 5,
        "half of {kills} starts after a kill take more than {median:?} to acknowledge, and their figure is {READY_AFTER_KILL:?}"
    );
    progress.wait_for(20)?;
    Ok(broker)
}

fn enter(launch: &Launch, story: &Story, progress: &Progress, stage: &[Vec<Partition>]) -> Players {
    let mut players = Players::of(progress);
    let address = launch.address();
    let cast = || (story.clone(), progress.clone());
    for (writer, partitions) in stage.iter().enumerate() {
        let ((story, progress), partitions) = (cast(), partitions.clone());
        players.enter("an idempotent writer", move || {
            writer::run(address, &story, &progress, (writer, partitions))
        });
    }
    for partitions in stage {
        let ((story, progress), partitions) = (cast(), partitions.clone());
        players.enter("a plain writer", move || plain::run(address, &story, &progress, &partitions));
    }
    let everything: Vec<Partition> = stage.iter().flatten().cloned().collect();
    let ((story, progress), all) = (cast(), everything.clone());
    players.enter("a reader", move || {
        reader::follow(address, &story, &|| progress.is_over(), (&all, Isolation::Uncommitted))
    });
    let (story, progress) = cast();
    let shortened = vec![everything[1].clone(), everything[5].clone()];
    players.enter("who deletes records", move || deletions::run(address, &story, &progress, &shortened));
    let mut movable: Vec<(String, i32)> =
        everything.iter().map(|partition| (partition.topic.clone(), partition.index)).collect();
    movable.push((fleeting::TOPIC.to_owned(), 0));
    let (directories, (_, progress)) = (directories(&launch.directory), cast());
    players.enter("who moves replicas", move || moves::run(address, &progress, &directories, &movable));
    let (story, progress) = cast();
    players.enter("who makes and deletes topics", move || fleeting::run(address, &story, &progress));
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
    patience::insist(broker.address(), ApiKey::CreateTopics, 5, &request).map(drop)
}
