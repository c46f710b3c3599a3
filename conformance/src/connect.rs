//! A worker of Kafka Connect carries the lines of a file into a topic, exactly once, and on into another file, while its
//! broker is killed by SIGKILL and started again: the topic and the second file are the first one, line for line.
//!
//! The worker keeps its configs, offsets and states in topics of its own and is a group of its own kind; the source
//! writes in transactions. It is asked by its REST interface.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use conformance::broker_process::{Kind, Launch, free_port_pair, repository, tail};
use conformance::partition_client::{Isolation, read};
use conformance::patience::{self, PATIENCE};
use protocol::api_key::ApiKey;
use serde_json::{Value, json};

/// How often, and whom.
#[derive(clap::Args)]
pub struct Connect {
    /// How many times the broker is killed.
    #[arg(long, default_value_t = 2)]
    times: usize,
    /// Kill Apache Kafka instead, to see that the examination itself is right.
    #[arg(long)]
    apache_kafka: bool,
}

const TOPIC: &str = "lines";
/// So many lines are written between two kills, and after the last.
const LINES_A_KILL: usize = 1000;
/// So many at once.
const LINES_AT_ONCE: usize = 20;
/// Between those.
const PACE: Duration = Duration::from_millis(20);

impl Connect {
    /// Carries, kills; an error if a line is missing, doubled or in another place.
    pub fn run(&self) -> Result<()> {
        let directory = tempfile::tempdir()?;
        let directory = directory.path();
        let kind = if self.apache_kafka { Kind::ApacheKafka } else { Kind::Headwater };
        let launch = Launch::new(kind, &directory.join("broker"))?.set("group.initial.rebalance.delay.ms", 0);
        let mut broker = launch.start()?;
        let request = json!({"Topics": [{"Name": TOPIC, "NumPartitions": 1, "ReplicationFactor": 1}]});
        patience::insist(broker.address(), ApiKey::CreateTopics, 5, &request)?;
        let (from, to) = (directory.join("from.txt"), directory.join("to.txt"));
        let mut source = File::create(&from)?;
        let worker = Worker::start(directory, &launch.address().to_string())?;
        let told = || format!("the last the worker said:\n{}", tail(&worker.output));
        worker.carry(&from, &to).with_context(told)?;
        let mut written = 0;
        for kills in 0..=self.times {
            for _ in 0..LINES_A_KILL / LINES_AT_ONCE {
                let lines: String =
                    (0..LINES_AT_ONCE).map(|line| format!("line {}\n", written + line)).collect();
                source.write_all(lines.as_bytes())?;
                written += LINES_AT_ONCE;
                std::thread::sleep(PACE);
            }
            // Both are under way when the broker goes.
            let begun = |lines| lines > kills * LINES_A_KILL;
            wait_for(&to, begun).with_context(told)?;
            if kills < self.times {
                broker.restart().context("starting again after the kill")?;
            }
        }
        wait_for(&to, |lines| lines >= written).with_context(told)?;
        // A moment longer than the last, for what may come twice.
        std::thread::sleep(Duration::from_millis(500));
        let wanted = std::fs::read_to_string(&from)?;
        let records = read(launch.address(), (TOPIC, 0), Isolation::Committed)?.records;
        let values =
            records.iter().map(|record| String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()));
        let in_topic: String = values.map(|value| format!("{value}\n")).collect();
        same("the topic", &wanted, &in_topic).with_context(told)?;
        same("the file it ends in", &wanted, &std::fs::read_to_string(&to)?).with_context(told)?;
        println!(
            "ok   {written} lines went through a topic from file to file, each once, over {} kills",
            self.times
        );
        println!("1 passed, 0 failed");
        Ok(())
    }
}

/// Compares line for line, and names the first that differs.
fn same(what: &str, wanted: &str, got: &str) -> Result<()> {
    let (wanted, got): (Vec<_>, Vec<_>) = (wanted.lines().collect(), got.lines().collect());
    let pairs = wanted.iter().zip(&got).position(|(wanted, got)| wanted != got);
    let differs = pairs.or_else(|| (wanted.len() != got.len()).then_some(wanted.len().min(got.len())));
    let Some(at) = differs else { return Ok(()) };
    let (wanted_at, got_at) = (wanted.get(at), got.get(at));
    bail!(
        "{what} has {} lines of {}, and line {at} is {got_at:?} where {wanted_at:?} was to be",
        got.len(),
        wanted.len()
    )
}

fn wait_for(file: &Path, holds: impl Fn(usize) -> bool) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        // It is made with its first line.
        let lines = std::fs::read(file).unwrap_or_default().iter().filter(|&&byte| byte == b'\n').count();
        if holds(lines) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "{} has only {lines} lines after {PATIENCE:?}", file.display());
        std::thread::sleep(PACE);
    }
}

/// The worker, until this is dropped.
struct Worker {
    process: Child,
    port: u16,
    output: PathBuf,
}

impl Worker {
    fn start(directory: &Path, bootstrap: &str) -> Result<Self> {
        let port = free_port_pair()?;
        let mut properties = format!(
            "bootstrap.servers={bootstrap}\nlisteners=http://127.0.0.1:{port}\ngroup.id=carriers\n\
             exactly.once.source.support=enabled\noffset.flush.interval.ms=500\n"
        );
        for side in ["key", "value"] {
            properties += &format!("{side}.converter=org.apache.kafka.connect.storage.StringConverter\n");
        }
        for topic in ["offset", "config", "status"] {
            properties +=
                &format!("{topic}.storage.topic=carriers-{topic}\n{topic}.storage.replication.factor=1\n");
        }
        let file = directory.join("worker.properties");
        std::fs::write(&file, properties)?;
        let output = directory.join("worker.log");
        let said = File::create(&output)?;
        let process = Command::new(repository().join("conformance/connect/run"))
            .arg(bootstrap)
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()
            .context("starting conformance/connect/run")?;
        Ok(Self { process, port, output })
    }

    /// Has it carry lines from one file to the other.
    fn carry(&self, from: &Path, to: &Path) -> Result<()> {
        let connector = "org.apache.kafka.connect.file.FileStream";
        let source = json!({"connector.class": format!("{connector}SourceConnector"), "tasks.max": "1",
            "file": from, "topic": TOPIC, "transaction.boundary": "poll"});
        let sink = json!({"connector.class": format!("{connector}SinkConnector"), "tasks.max": "1",
            "file": to, "topics": TOPIC, "consumer.override.isolation.level": "read_committed"});
        self.configure("source", &source)?;
        self.configure("sink", &sink)
    }

    /// Again while it begins or its group rebalances.
    fn configure(&self, name: &str, config: &Value) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.put(&format!("/connectors/{name}/config"), &config.to_string());
            if answer.as_ref().is_ok_and(|answer| answer.starts_with("HTTP/1.1 20")) {
                return Ok(());
            }
            ensure!(Instant::now() < end, "connector {name} cannot be made: {answer:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn put(&self, path: &str, body: &str) -> Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let length = body.len();
        write!(
            stream,
            "PUT {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // An error here means that it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn lines_that_are_missing_doubled_or_elsewhere_are_told() {
        assert!(same("it", "a\nb\nc\n", "a\nb\nc\n").is_ok());
        for other in ["a\nb\n", "a\nb\nb\nc\n", "a\nc\nb\n", "a\nb\nc\nc\n", ""] {
            assert!(same("it", "a\nb\nc\n", other).is_err(), "{other:?}");
        }
    }
}
