//! A log directory whose device begins to fail under load: it goes offline alone, says so everywhere, is never tried again
//! before the next start, and then holds every record that was acknowledged as durable.
//!
//! The device is real to the broker: fsync fails in the kernel ([`crate::mounted`]). It needs to be
//! root. With `--calls` single system calls fail instead, of a broker that strace holds. Apache Kafka is not asked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use conformance::broker_process::{BrokerProcess, Kind, Launch};
use conformance::connection::{Answer, Connection};
use conformance::partition_client::{produce, produce_until_done, read_all, read_some};
use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use serde_json::{Value, json};

use crate::full_disk::{batch, value};
use crate::injected::{Injected, SOON};
use crate::mounted::Frail;

const PARTITIONS: i32 = 4;
const TOPIC: &str = "durable";
/// The calls that fail, where it is not a device.
const WRITE: &str = "pwrite64";
const SYNC: &str = "fdatasync";
const READ: &str = "pread64";
const SEND: &str = "sendfile";
/// How each fails: as disks do, as file systems that are broken or lie elsewhere do, and where room that was promised is missing.
const TROUBLES: [(&str, &str); 9] = [
    (WRITE, "EIO"),
    (WRITE, "EUCLEAN"),
    (SYNC, "EIO"),
    (SYNC, "ENOSPC"),
    (SYNC, "EDQUOT"),
    (READ, "EIO"),
    (READ, "ESTALE"),
    (SEND, "EIO"),
    (SEND, "EBADMSG"),
];
/// How many records each partition begins with, and of how many bytes these are and those that come later.
const BEGUN: u64 = 5;
const SMALL: usize = 64 << 10;
const LARGE: usize = 256 << 10;
/// What the failing device holds.
const SIZE: u64 = 64 << 20;

/// What fails.
#[derive(clap::Args)]
pub struct BrokenDisk {
    /// Writes, fsyncs, reads, and the sending of what is in memory, one after the other, in place of a device.
    #[arg(long)]
    calls: bool,
}

/// What fails in a story.
enum Trouble {
    Device(Frail),
    Call(Injected),
}

struct Story {
    launch: Launch,
    broker: Option<BrokerProcess>,
    trouble: Trouble,
    http: SocketAddr,
    bad: PathBuf,
    /// How many batches of each partition were acknowledged.
    acknowledged: Vec<u64>,
    /// How many batches of each partition were refused.
    refused: Vec<u64>,
    /// The partitions that lie on the failing device.
    struck: Vec<i32>,
}

impl BrokenDisk {
    /// Runs the story; an error if anything is not as it must be.
    pub fn run(&self) -> Result<()> {
        if !self.calls {
            let directory = tempfile::tempdir()?;
            let bad = directory.path().join("bad");
            let device = Frail::mount(&bad, SIZE)?;
            // A directory of its own: ext4 has one at the root that is not ours.
            return Story::play(directory.path(), bad.join("logs"), Trouble::Device(device));
        }
        for (call, error) in TROUBLES {
            println!("== {call} fails with {error}");
            let directory = tempfile::tempdir()?;
            let trouble = Trouble::Call(Injected::failing((call, error), directory.path().join("calls")));
            Story::play(directory.path(), directory.path().join("bad"), trouble)
                .with_context(|| format!("{call} fails with {error}"))?;
        }
        Ok(())
    }
}

impl Story {
    fn play(directory: &Path, bad: PathBuf, trouble: Trouble) -> Result<()> {
        let good = directory.join("good");
        let http = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let launch = Launch::new(Kind::Headwater, directory)?
            .set("log.dirs", format!("{},{}", good.display(), bad.display()))
            .set("headwater.http.listen", http);
        let broker = Some(launch.start()?);
        let (acknowledged, refused) = (vec![0; PARTITIONS as usize], vec![0; PARTITIONS as usize]);
        let mut story =
            Story { launch, broker, trouble, http, bad, acknowledged, refused, struck: Vec::new() };
        story.begin()?;
        match &story.trouble {
            Trouble::Call(call) if call.call() == READ => story.fails_to_read()?,
            Trouble::Call(call) if call.call() == SEND => story.fails_to_send()?,
            _ => story.fails()?,
        }
        story.is_told()?;
        story.is_not_tried_again()?;
        story.starts_again()
    }

    /// From now on the directory cannot be relied on.
    fn break_down(&mut self) -> Result<()> {
        let struck = self.struck.iter();
        let files = struck.map(|index| self.bad.join(format!("{TOPIC}-{index}/00000000000000000000.log")));
        match &mut self.trouble {
            Trouble::Device(device) => device.fail(),
            Trouble::Call(call) => {
                call.begin(self.broker.as_ref().context("a broker runs")?.id(), files.collect())
            }
        }
    }

    fn ask(&self, api: ApiKey, version: i16, request: &Value) -> Result<Value> {
        match Connection::open(self.launch.address())?.ask(api, version, request)? {
            Answer::Response(answer) => Ok(answer),
            other => anyhow::bail!("{} was answered with {other:?}", api.name()),
        }
    }

    fn begin(&mut self) -> Result<()> {
        let topic = json!({"Name": TOPIC, "NumPartitions": PARTITIONS, "ReplicationFactor": 1,
            "Configs": [{"Name": "flush.messages", "Value": "1"}]});
        let request = json!({"Topics": [topic], "timeoutMs": 10_000});
        let end = Instant::now() + SOON;
        loop {
            let answer = self.ask(ApiKey::CreateTopics, 5, &request)?;
            if answer["Topics"][0]["ErrorCode"] == 0 {
                break;
            }
            ensure!(Instant::now() < end, "CreateTopics: {answer}");
            std::thread::sleep(Duration::from_millis(50));
        }
        for _ in 0..BEGUN {
            for partition in 0..PARTITIONS {
                let sent = batch(self.acknowledged[partition as usize], SMALL);
                produce_until_done(self.launch.address(), (TOPIC, partition), &sent, SOON)?;
                self.acknowledged[partition as usize] += 1;
            }
        }
        let described = self.described()?;
        let there = described.iter().find(|it| it["LogDir"] == self.bad.display().to_string());
        let of_topic = there.and_then(|there| there["Topics"][0]["Partitions"].as_array());
        let indexes = of_topic.into_iter().flatten().filter_map(|it| it["PartitionIndex"].as_i64());
        self.struck = indexes.filter_map(|index| i32::try_from(index).ok()).collect();
        ensure!(self.struck.len() == 2, "half of the partitions lie on the device: {described:?}");
        Ok(())
    }

    fn described(&self) -> Result<Vec<Value>> {
        let answer = self.ask(ApiKey::DescribeLogDirs, 4, &json!({"Topics": null}))?;
        answer["Results"].as_array().cloned().context("results")
    }

    /// Writes to all partitions until the device has failed for each on it; the others go on.
    fn fails(&mut self) -> Result<()> {
        self.break_down()?;
        for _ in 0..200 {
            for partition in 0..PARTITIONS {
                let index = partition as usize;
                let sent = batch(self.acknowledged[index], LARGE);
                let mut connection = Connection::open(self.launch.address())?;
                let produced = produce(&mut connection, (TOPIC, partition), &sent)?;
                match produced.error {
                    ErrorCode::None => self.acknowledged[index] += 1,
                    _ if self.struck.contains(&partition) => self.refused[index] += 1,
                    _ => anyhow::bail!("partition {partition} lies elsewhere: {produced:?}"),
                }
                let told = matches!(
                    produced.error,
                    ErrorCode::None | ErrorCode::KafkaStorageError | ErrorCode::NotLeaderOrFollower
                );
                ensure!(told, "a record for the failing device: {produced:?}");
                if produced.error != ErrorCode::None && self.refused[index] == 1 {
                    println!("     partition {partition}: {:?} {:?}", produced.error, produced.message);
                }
            }
            if self.struck.iter().all(|partition| self.refused[*partition as usize] > 2) {
                println!("ok   {:?} are refused, the others go on", self.struck);
                return Ok(());
            }
        }
        anyhow::bail!("the device does not fail: {:?}", self.acknowledged)
    }

    /// Reads all partitions after a start, when nothing of them was looked at yet.
    fn fails_to_read(&mut self) -> Result<()> {
        self.broker.take().context("a broker runs")?.end()?;
        self.broker = Some(self.launch.start()?);
        self.break_down()?;
        for partition in 0..PARTITIONS {
            let mut connection = Connection::open(self.launch.address())?;
            let mut records = Vec::new();
            let error = read_some(&mut connection, (TOPIC, partition), &mut 0, &mut records)?;
            if self.struck.contains(&partition) {
                ensure!(records.is_empty(), "partition {partition} cannot be read: {}", records.len());
                let told = matches!(error, ErrorCode::KafkaStorageError | ErrorCode::NotLeaderOrFollower);
                ensure!(told, "a read of partition {partition}: {error:?}");
            } else {
                ensure!(error == ErrorCode::None && !records.is_empty(), "partition {partition}: {error:?}");
            }
        }
        println!("ok   {:?} are refused, the others go on", self.struck);
        Ok(())
    }

    /// Reads what was written a moment ago, which is sent without a look at it: who is being sent to when the directory
    /// fails is left without an answer, and all who come after are told.
    fn fails_to_send(&mut self) -> Result<()> {
        self.break_down()?;
        let mut left = 0;
        for partition in 0..PARTITIONS {
            for _ in 0..2 {
                let mut connection = Connection::open(self.launch.address())?;
                let mut records = Vec::new();
                let read = read_some(&mut connection, (TOPIC, partition), &mut 0, &mut records);
                let struck = self.struck.contains(&partition);
                match read {
                    Ok(ErrorCode::None) => {
                        ensure!(!struck && !records.is_empty(), "partition {partition}: {}", records.len());
                    }
                    Ok(ErrorCode::KafkaStorageError | ErrorCode::NotLeaderOrFollower)
                        if struck && left > 0 => {}
                    Err(_) if struck && left == 0 => left += 1,
                    other => anyhow::bail!("a read of partition {partition}, {left} left: {other:?}"),
                }
            }
        }
        ensure!(left == 1, "nobody was being sent to");
        println!("ok   {:?} are refused, the others go on", self.struck);
        Ok(())
    }

    /// Logs, DescribeLogDirs and metrics name it.
    fn is_told(&self) -> Result<()> {
        let output = std::fs::read_to_string(self.launch.output())?;
        let name = self.bad.display().to_string();
        let line = output.lines().find(|line| line.contains("goes offline") && line.contains(&name));
        println!("ok   {}", line.context("the output does not name the directory")?.trim());
        for directory in self.described()? {
            let expected =
                if directory["LogDir"] == name { i16::from(ErrorCode::KafkaStorageError) } else { 0 };
            ensure!(directory["ErrorCode"] == expected, "DescribeLogDirs: {directory}");
        }
        let mut stream = TcpStream::connect(self.http)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")?;
        let mut metrics = String::new();
        stream.read_to_string(&mut metrics)?;
        let offline = "kafka_log_logmanager_offlinelogdirectorycount 1";
        ensure!(metrics.contains(offline), "the metrics do not say {offline}");
        println!("ok   DescribeLogDirs and the metrics name it");
        Ok(())
    }

    /// Though the device works again: what its page cache has dropped nobody knows.
    fn is_not_tried_again(&mut self) -> Result<()> {
        match &mut self.trouble {
            Trouble::Device(device) => device.mend()?,
            Trouble::Call(call) => {
                call.end()?;
                call.check_tried_once()?;
            }
        }
        for partition in &self.struck {
            let mut connection = Connection::open(self.launch.address())?;
            let produced = produce(&mut connection, (TOPIC, *partition), &batch(0, 100))?;
            ensure!(produced.error != ErrorCode::None, "partition {partition} takes records: {produced:?}");
        }
        println!("ok   it stays offline though the device works again");
        Ok(())
    }

    /// After a restart all that was acknowledged is there, and it goes on.
    fn starts_again(&mut self) -> Result<()> {
        self.broker.take().context("a broker runs")?.kill()?;
        if let Trouble::Device(device) = &mut self.trouble {
            device.mount_again()?;
        }
        self.broker = Some(self.launch.start()?);
        for partition in 0..PARTITIONS {
            let acknowledged = self.acknowledged[partition as usize];
            let sent = batch(acknowledged, 1000);
            produce_until_done(self.launch.address(), (TOPIC, partition), &sent, SOON)?;
            let contents = read_all(self.launch.address(), (TOPIC, partition))?;
            let (last, before) = contents.records.split_last().context("no record at all")?;
            let count = before.len() as u64;
            ensure!(count >= acknowledged, "partition {partition} ends at {count}, and had {acknowledged}");
            let (more, refused) = (count - acknowledged, self.refused[partition as usize]);
            ensure!(more <= refused, "partition {partition} has {more} more, of {refused} that were refused");
            for (number, record) in (0..).zip(before) {
                let bytes = if number < BEGUN { SMALL } else { LARGE };
                // What was refused may be there or not, each time as it was sent; nothing else may.
                let sent = value(number.min(acknowledged), bytes);
                ensure!(
                    record.value == Some(sent),
                    "partition {partition} holds another record at offset {number}, with {acknowledged} acknowledged"
                );
            }
            ensure!(last.value == Some(value(acknowledged, 1000)), "partition {partition} ends otherwise");
        }
        println!("ok   all acknowledged records are there after a restart: {:?}", self.acknowledged);
        Ok(())
    }
}
