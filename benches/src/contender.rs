//! Who is measured: Headwater, Apache Kafka, the floor, or any broker that a command starts.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use conformance::broker_process::{BrokerProcess, Kind, Launch, free_port_pair, tail};

use crate::machine::broker_wrapper;

/// Someone whose broker is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contender {
    /// What tables call it.
    pub name: String,
    how: How,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum How {
    /// With settings beside those that every bench makes.
    Broker(Kind, Vec<(String, String)>),
    /// Words, in which `{port}` and `{directory}` are put.
    Command(Vec<String>),
}

/// A broker that runs, on the broker's core, until this is dropped.
#[derive(Debug)]
pub enum Running {
    /// One that the conformance suite knows how to start.
    Broker(BrokerProcess),
    /// One that a command started.
    Command(CommandProcess),
}

/// A process that serves one address.
#[derive(Debug)]
pub struct CommandProcess {
    child: Child,
    address: SocketAddr,
    /// Where what it says goes.
    output: PathBuf,
}

impl Contender {
    /// Headwater's release binary.
    pub fn headwater() -> Self {
        Self { name: "headwater".into(), how: How::Broker(Kind::Headwater, Vec::new()) }
    }

    /// Apache Kafka from its jars, with a heap of 1 GiB.
    pub fn apache_kafka() -> Self {
        Self { name: "kafka".into(), how: How::Broker(Kind::ApacheKafka, Vec::new()) }
    }

    /// The least that a broker can do.
    pub fn floor() -> Result<Self> {
        let program = std::env::current_exe()?.to_str().context("a program whose name is UTF-8")?.to_owned();
        let words = ["floor", "--port", "{port}", "--directory", "{directory}"].map(str::to_owned);
        Ok(Self { name: "floor".into(), how: How::Command([program].into_iter().chain(words).collect()) })
    }

    /// The same with a setting; who is started by a command knows its own.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        if let How::Broker(_, settings) = &mut self.how {
            settings.push((key.to_owned(), value.to_owned()));
        }
        self
    }

    /// Any other: `NAME=COMMAND`, where `{port}` and `{directory}` stand in the command's words.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, command) = text.split_once('=').with_context(|| {
            format!("{text:?} names no broker: say NAME=COMMAND with {{port}} and {{directory}}")
        })?;
        ensure!(command.contains("{port}"), "the command of {name} does not say {{port}}");
        let words = command.split_whitespace().map(str::to_owned).collect();
        Ok(Self { name: name.to_owned(), how: How::Command(words) })
    }

    /// Whether it keeps what it was given over a restart.
    pub fn is_durable(&self) -> bool {
        self.name != "floor"
    }

    /// Starts it without waiting until it listens; data in `directory` is kept.
    pub fn spawn(&self, directory: &Path) -> Result<Running> {
        match &self.how {
            How::Broker(kind, settings) => {
                // What is deleted is freed soon, or the disk fills.
                let mut launch = Launch::new(*kind, directory)?.set("log.segment.delete.delay.ms", 1000);
                for (key, value) in settings {
                    launch = launch.set(key, value);
                }
                launch.wrapper = broker_wrapper();
                Ok(Running::Broker(launch.spawn()?))
            }
            How::Command(words) => {
                std::fs::create_dir_all(directory)?;
                let port = free_port_pair()?;
                let place = directory.to_str().context("a directory whose name is UTF-8")?;
                let words = words
                    .iter()
                    .map(|word| word.replace("{port}", &port.to_string()).replace("{directory}", place));
                let mut line = broker_wrapper().into_iter().chain(words);
                let output = directory.join("output.log");
                let said = File::options().create(true).append(true).open(&output)?;
                let child = Command::new(line.next().context("a command line has a first word")?)
                    .args(line)
                    .stdin(Stdio::null())
                    .stdout(said.try_clone()?)
                    .stderr(said)
                    .spawn()
                    .with_context(|| format!("starting {}", self.name))?;
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                Ok(Running::Command(CommandProcess { child, address, output }))
            }
        }
    }
}

impl Running {
    /// Where it listens, sooner or later.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Broker(broker) => broker.address(),
            Self::Command(process) => process.address,
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        match self {
            Self::Broker(broker) => broker.id(),
            Self::Command(process) => process.child.id(),
        }
    }

    /// Waits until it accepts connections.
    pub fn wait_until_listening(&self, at_most: Duration) -> Result<()> {
        let end = Instant::now() + at_most;
        // A refused connection is all that a starting broker gives; knocking must cost no more than it must.
        while TcpStream::connect(self.address()).is_err() {
            ensure!(Instant::now() < end, "{} accepts no connection within {at_most:?}", self.address());
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    /// How its process ended, if it has within `at_most`, with the last it said.
    pub fn ended(&mut self, at_most: Duration) -> Result<Option<String>> {
        let end = Instant::now() + at_most;
        loop {
            let ended = match self {
                Self::Broker(broker) => broker.ended()?,
                Self::Command(process) => process.ended()?,
            };
            if ended.is_some() || Instant::now() >= end {
                return Ok(ended);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it cleanly where that makes a difference.
    pub fn end(self) -> Result<()> {
        match self {
            Self::Broker(broker) => broker.end(),
            Self::Command(_) => Ok(()),
        }
    }
}

impl CommandProcess {
    fn ended(&mut self) -> Result<Option<String>> {
        let status = self.child.try_wait()?;
        Ok(status.map(|status| format!("{status}; the last it said:\n{}", tail(&self.output))))
    }
}

impl Drop for CommandProcess {
    fn drop(&mut self) {
        // An error here means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
