//! A disk filled to the last byte, on small file systems of its own: what must go on goes on, the broker starts on it
//! again after a kill and after a clean end, and takes records by itself once there is room.
//!
//! It mounts a tmpfs and an ext4 in a file, and so needs to be root. Apache Kafka is not asked: it exits.

use std::fs::File;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use conformance::broker_process::{BrokerProcess, Kind, Launch};
use conformance::connection::{Answer, Connection};
use conformance::partition_client::{produce, produce_while, read_all};
use conformance::patience::{self, READY_AFTER_KILL, SLOWER, asks_again};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::id::Timestamp;
use protocol::records::build::{BatchBuilder, BatchOptions};
use serde_json::{Value, json};

use crate::mounted::Mounted;

/// The bytes of each small file system.
const SIZE: u64 = 96 << 20;
/// How many logs are to have a first record only when the disk is full.
const FIRST: i32 = 20;
/// The thread that makes their files may come before that.
const TRIES: u8 = 5;
/// How soon a broker takes records again once there is room: it looks for some twice a second.
const ROOM_SEEN_WITHIN: Duration = Duration::from_millis(500);

/// On which file systems.
#[derive(clap::Args)]
pub struct FullDisk {
    /// Only this one: tmpfs or ext4.
    #[arg(long)]
    only: Option<String>,
}

impl FullDisk {
    /// Runs the story on each; an error if something did not go on.
    pub fn run(&self) -> Result<()> {
        for kind in ["tmpfs", "ext4"] {
            if self.only.as_ref().is_none_or(|only| only == kind) {
                println!("== {kind}");
                first_starts(kind).with_context(|| format!("a first start on {kind}"))?;
                story(kind).with_context(|| format!("on {kind}"))?;
            }
        }
        Ok(())
    }
}

/// A batch of one large record.
pub fn batch(number: u64, bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    // Old enough for retention, it would go.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = Timestamp(i64::try_from(now.as_millis()).unwrap_or(0));
    builder.push(now, None, Some(&value(number, bytes)), &[]);
    builder.finish_uncompressed()
}

/// What its record holds.
pub fn value(number: u64, bytes: usize) -> Vec<u8> {
    format!("{number:08}").into_bytes().into_iter().cycle().take(bytes).collect()
}

struct Story {
    launch: Launch,
    broker: Option<BrokerProcess>,
    disk: Mounted,
    /// How many batches of `kept` were acknowledged.
    acknowledged: u64,
}

fn story(kind: &str) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let disk = Mounted::mount(kind, &directory.path().join("data"), SIZE)?;
    let launch = Launch::new(Kind::Headwater, directory.path())?
        .set("log.segment.bytes", 4 << 20)
        .set("log.initial.task.delay.ms", 100)
        .set("log.retention.check.interval.ms", 500);
    let broker = Some(launch.start()?);
    let mut story = Story { launch, broker, disk, acknowledged: 0 };
    story.first_records()?;
    for topic in ["kept", "trimmed", "deleted", "retained"] {
        story.create(topic)?;
    }
    for number in 0..32 {
        for topic in ["trimmed", "deleted", "retained"] {
            story.put((topic, 0), &batch(number, 384 << 10))?;
        }
    }
    story.fill_up()?;
    story.what_goes_on()?;
    for round in ["kill -9", "kill -9 with a few bytes freed", "clean end"] {
        story.start_again(round)?;
    }
    story.room_comes_back()
}

/// The first start of all, with no room, and with a little more each time until that is enough: each that ends says where there is
/// none, by which setting, and the way out.
fn first_starts(kind: &str) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let disk = Mounted::mount(kind, &directory.path().join("data"), 4 << 20)?;
    let launch = Launch::new(Kind::Headwater, directory.path())?;
    let told = format!("hint: log.dirs={} has no room: make some", launch.data_directory().display());
    for pages in 0..100 {
        disk.clear()?;
        disk.fill()?;
        let filler = File::options().write(true).open(disk.filler())?;
        filler.set_len(filler.metadata()?.len().saturating_sub(pages << 12))?;
        let mut broker = launch.spawn()?;
        let begun = Instant::now();
        let said = loop {
            if let Some(said) = broker.ended()? {
                break said;
            }
            if patience::is_ready(launch.address()) {
                ensure!(pages > 0, "it starts with no room at all");
                println!("ok   {pages} first starts on a full disk say what there is to do");
                return broker.kill();
            }
            ensure!(begun.elapsed() < patience::PATIENCE, "with {pages} pages it neither starts nor ends");
            std::thread::sleep(Duration::from_millis(5));
        };
        let last = said.lines().last().unwrap_or_default();
        ensure!(last.starts_with(&told) && last.contains("--data"), "with {pages} pages it says {said}");
    }
    anyhow::bail!("it does not start with so many pages either")
}

impl Story {
    fn address(&self) -> SocketAddr {
        self.launch.address()
    }

    fn ask(&self, api: ApiKey, version: i16, request: &Value) -> Result<Value> {
        match Connection::open(self.address())?.ask(api, version, request)? {
            Answer::Response(answer) => Ok(answer),
            other => anyhow::bail!("{} was answered with {other:?}", api.name()),
        }
    }

    fn create(&self, topic: &str) -> Result<()> {
        let topic = json!({"Name": topic, "NumPartitions": 1, "ReplicationFactor": 1, "Configs": []});
        let answer = self.ask(ApiKey::CreateTopics, 5, &json!({"Topics": [topic]}))?;
        ensure!(answer["Topics"][0]["ErrorCode"] == 0, "creating a topic: {answer}");
        Ok(())
    }

    /// Sends a batch until it is taken: how a full disk refuses is waited out, as long as room may go unseen.
    fn put(&self, place: (&str, i32), batch: &[u8]) -> Result<i64> {
        let waited_out =
            |code: ErrorCode| code == ErrorCode::KafkaStorageError || asks_again(i16::from(code));
        produce_while(self.address(), place, batch, (ROOM_SEEN_WITHIN * SLOWER, waited_out))
    }

    /// Logs whose first records are all there is of them when the disk is full (ADR 0020): they are read, and shortened.
    fn first_records(&mut self) -> Result<()> {
        for attempt in 1..=TRIES {
            let name = format!("first-{attempt}");
            let topic = json!({"Name": name, "NumPartitions": FIRST, "ReplicationFactor": 1, "Configs": []});
            patience::insist(self.address(), ApiKey::CreateTopics, 5, &json!({"Topics": [topic]}))?;
            for partition in 0..FIRST {
                self.put((&name, partition), &batch(0, 200))?;
            }
            self.disk.fill()?;
            let made =
                |partition: &i32| self.launch.data_directory().join(format!("{name}-{partition}")).exists();
            let without_files = (0..FIRST).filter(|partition| !made(partition)).count();
            if without_files > 0 {
                for partition in 0..FIRST {
                    let contents = read_all(self.address(), (&name, partition))?;
                    let values: Vec<_> = contents.records.into_iter().map(|record| record.value).collect();
                    ensure!(values == [Some(value(0, 200))], "{name}-{partition} holds {values:?}");
                }
                self.delete_records(&name, 1)?;
            }
            std::fs::remove_file(self.disk.filler())?;
            self.delete_topic(&name)?;
            if without_files > 0 {
                println!("ok   {without_files} logs with a first record only are read on a full disk");
                return Ok(());
            }
        }
        anyhow::bail!("in {TRIES} tries every log had its files before the disk was full")
    }

    fn delete_records(&self, topic: &str, before: i64) -> Result<()> {
        let topic = json!({"Name": topic, "Partitions": [{"PartitionIndex": 0, "Offset": before}]});
        let request = json!({"Topics": [topic], "TimeoutMs": 10_000});
        patience::insist(self.address(), ApiKey::DeleteRecords, 2, &request).map(drop)
    }

    fn delete_topic(&self, topic: &str) -> Result<()> {
        let request = json!({"Topics": [{"Name": topic, "TopicId": "AAAAAAAAAAAAAAAAAAAAAA"}],
            "TopicNames": [topic], "TimeoutMs": 10_000});
        patience::insist(self.address(), ApiKey::DeleteTopics, 5, &request).map(drop)
    }

    /// Writes until there is no room, then lets another process take the very last bytes.
    fn fill_up(&mut self) -> Result<()> {
        let mut connection = Connection::open(self.address())?;
        let refused = loop {
            let produced = produce(&mut connection, ("kept", 0), &batch(self.acknowledged, 512 << 10))?;
            if produced.error != ErrorCode::None {
                break produced;
            }
            ensure!(produced.base_offset == self.acknowledged as i64, "{produced:?}");
            self.acknowledged += 1;
        };
        ensure!(refused.error == ErrorCode::KafkaStorageError, "a full disk is answered with {refused:?}");
        self.disk.fill()?;
        self.refused()?;
        println!("ok   filled by {} records, refused with {:?}", self.acknowledged, refused.message);
        Ok(())
    }

    /// Records are refused, with a sentence that says why.
    fn refused(&self) -> Result<()> {
        let produced = produce(&mut Connection::open(self.address())?, ("kept", 0), &batch(0, 200))?;
        let message = produced.message.clone().unwrap_or_default();
        let told = produced.error == ErrorCode::KafkaStorageError && message.contains("is full");
        ensure!(told, "a record for a full disk is answered with {produced:?}");
        Ok(())
    }

    /// Every acknowledged record is there, and nothing else.
    fn all_is_there(&self) -> Result<()> {
        let contents = read_all(self.address(), ("kept", 0))?;
        ensure!(
            contents.records.len() as u64 >= self.acknowledged,
            "{} of {}",
            contents.records.len(),
            self.acknowledged
        );
        for (number, record) in contents.records.iter().enumerate() {
            let value = record.value.as_deref().unwrap_or_default();
            let expected = format!("{number:08}");
            ensure!(
                record.offset == number as i64 && value.starts_with(expected.as_bytes()),
                "offset {} holds {:?}",
                record.offset,
                String::from_utf8_lossy(&value[..8.min(value.len())])
            );
        }
        Ok(())
    }

    /// Reads, metadata, new topics, configs and DeleteRecords on the full disk.
    fn what_goes_on(&self) -> Result<()> {
        self.all_is_there()?;
        for number in 0..5 {
            self.create(&format!("new-{number}"))?;
        }
        let produced = produce(&mut Connection::open(self.address())?, ("new-0", 0), &batch(0, 200))?;
        ensure!(produced.error == ErrorCode::KafkaStorageError, "a new topic takes records: {produced:?}");
        self.configure("kept", "retention.ms", "3600000")?;
        let answer = self.ask(ApiKey::Metadata, 9, &json!({"Topics": null}))?;
        ensure!(answer["Topics"].as_array().is_some_and(|topics| topics.len() == 9), "metadata: {answer}");
        println!("ok   reads, new topics, configs go on");
        Ok(())
    }

    fn configure(&self, topic: &str, key: &str, value: &str) -> Result<()> {
        let config = json!({"Name": key, "ConfigOperation": 0, "Value": value});
        let resource = json!({"ResourceType": 2, "ResourceName": topic, "Configs": [config]});
        let configs = json!({"Resources": [resource], "ValidateOnly": false});
        let answer = self.ask(ApiKey::IncrementalAlterConfigs, 1, &configs)?;
        ensure!(answer["Responses"][0]["ErrorCode"] == 0, "changing a config: {answer}");
        Ok(())
    }

    /// Ends the broker one way or the other and starts it on the full disk.
    fn start_again(&mut self, how: &str) -> Result<()> {
        if how.contains("freed") {
            let filler = File::options().write(true).open(self.disk.filler())?;
            let length = filler.metadata()?.len();
            filler.set_len(length.saturating_sub(8192))?;
        } else {
            self.disk.fill()?;
        }
        let broker = self.broker.take().context("a broker runs")?;
        if how.starts_with("kill") {
            broker.kill()?;
        } else {
            broker.end()?;
        }
        let begun = Instant::now();
        self.broker = Some(self.launch.start().with_context(|| format!("starting after a {how}"))?);
        let took = begun.elapsed();
        self.all_is_there().with_context(|| format!("after a {how}"))?;
        self.disk.fill()?;
        let produced = produce(&mut Connection::open(self.address())?, ("kept", 0), &batch(0, 4 << 20))?;
        ensure!(produced.error != ErrorCode::None, "after a {how} there is room: {produced:?}");
        let took_ms = took.as_millis();
        patience::hold(&format!("to be ready after a {how}"), took, READY_AFTER_KILL)?;
        println!("ok   starts on the full disk after a {how}, within {took_ms} ms");
        Ok(())
    }

    /// Room by DeleteRecords, then by DeleteTopics, then by retention, then by another process: records are taken again by
    /// themselves.
    fn room_comes_back(&mut self) -> Result<()> {
        self.refused_until_full()?;
        self.delete_records("trimmed", 30)?;
        self.takes_records_again("DeleteRecords")?;
        self.disk.fill()?;
        self.refused_until_full()?;
        self.delete_topic("deleted")?;
        self.takes_records_again("DeleteTopics")?;
        self.disk.fill()?;
        self.refused_until_full()?;
        self.configure("retained", "retention.bytes", "1048576")?;
        self.takes_records_again("retention")?;
        self.disk.fill()?;
        self.refused_until_full()?;
        std::fs::remove_file(self.disk.filler())?;
        self.takes_records_again("room made by others")?;
        self.put(("new-0", 0), &batch(0, 200))?;
        self.start_again_with_room()
    }

    /// Sends records until they are refused for want of room.
    fn refused_until_full(&mut self) -> Result<()> {
        let mut connection = Connection::open(self.address())?;
        for _ in 0..10_000 {
            let produced = produce(&mut connection, ("kept", 0), &batch(self.acknowledged, 64 << 10))?;
            if produced.error != ErrorCode::None {
                return self.refused();
            }
            self.acknowledged += 1;
        }
        anyhow::bail!("the disk does not fill")
    }

    fn takes_records_again(&mut self, after: &str) -> Result<()> {
        let begun = Instant::now();
        let sent = batch(self.acknowledged, 4 << 10);
        self.put(("kept", 0), &sent).with_context(|| after.to_owned())?;
        self.acknowledged += 1;
        println!("ok   takes records again {} ms after {after}", begun.elapsed().as_millis());
        Ok(())
    }

    fn start_again_with_room(&mut self) -> Result<()> {
        self.broker.take().context("a broker runs")?.kill()?;
        self.broker = Some(self.launch.start()?);
        self.all_is_there()?;
        println!("ok   all {} acknowledged records are there at the end", self.acknowledged);
        Ok(())
    }
}
