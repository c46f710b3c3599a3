//! A broker as a child process: Headwater's release binary, or Apache Kafka from its jars.
//!
//! Starts it on loopback, waits until it is ready, and ends it with the value. Knows nothing else of what is asked of the
//! broker.

use std::ffi::OsStr;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::patience::{self, PATIENCE};

/// Whose broker it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The binary of this workspace.
    Headwater,
    /// Apache Kafka, run by `conformance/apache-kafka/run`.
    ApacheKafka,
    /// Apache Kafka 2.8 with ZooKeeper, the last line that writes formats v0 and v1.
    ApacheKafka28,
    /// Apache Kafka 3.9, the last release that speaks every version of the protocol.
    ApacheKafka39,
}

/// How to start a broker.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Whose broker.
    pub kind: Kind,
    /// The program, built before anything is timed.
    pub program: PathBuf,
    /// Where its data and its output go. Data that is there is kept.
    pub directory: PathBuf,
    /// The port of its Kafka listener; the controller's is the next one.
    pub port: u16,
    /// Broker config, `key=value`.
    pub overrides: Vec<String>,
    /// What runs it, such as `taskset -c 0`; empty to run it as it is.
    pub wrapper: Vec<String>,
}

/// A broker that runs until this is dropped.
#[derive(Debug)]
pub struct BrokerProcess {
    child: Child,
    launch: Launch,
}

impl Launch {
    /// A launch on free ports with nothing special.
    pub fn new(kind: Kind, directory: &Path) -> Result<Self> {
        Ok(Self {
            kind,
            program: match kind {
                Kind::Headwater => headwater_binary()?,
                Kind::ApacheKafka | Kind::ApacheKafka39 => repository().join("conformance/apache-kafka/run"),
                Kind::ApacheKafka28 => repository().join("conformance/apache-kafka/run-with-zookeeper"),
            },
            directory: directory.to_owned(),
            port: free_port_pair()?,
            overrides: Vec::new(),
            wrapper: Vec::new(),
        })
    }

    /// The same with one more config.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.overrides.push(format!("{key}={value}"));
        self
    }

    /// Where the Kafka listener will be.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The file both output streams of the broker go to.
    pub fn output(&self) -> PathBuf {
        self.directory.join("output.log")
    }

    /// Where a Headwater's data lies.
    pub fn data_directory(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn command(&self) -> Result<Command> {
        let mut line = self.wrapper.iter().map(AsRef::<OsStr>::as_ref).chain([self.program.as_os_str()]);
        let mut command = Command::new(line.next().context("a command line has a first word")?);
        command.args(line);
        match self.kind {
            Kind::Headwater => {
                command.arg("--data").arg(self.data_directory());
                command.args(["--listen", &self.address().to_string()]);
                let http = format!("headwater.http.listen=127.0.0.1:{}", free_port_pair()?);
                // What was set comes last, and counts.
                for setting in [&http].into_iter().chain(&self.overrides) {
                    command.args(["--override", setting]);
                }
            }
            Kind::ApacheKafka | Kind::ApacheKafka28 | Kind::ApacheKafka39 => {
                if self.kind == Kind::ApacheKafka39 {
                    command.env("KAFKA_POM", "release-3.9.xml");
                }
                command.arg(self.port.to_string()).arg(&self.directory).args(&self.overrides);
            }
        }
        Ok(command)
    }

    /// Starts the process without waiting for it.
    pub fn spawn(&self) -> Result<BrokerProcess> {
        std::fs::create_dir_all(&self.directory)?;
        let output = File::options().create(true).append(true).open(self.output())?;
        let child = self
            .command()?
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("starting {:?}", self.kind))?;
        Ok(BrokerProcess { child, launch: self.clone() })
    }

    /// Starts the process and waits until it leads the partitions it is to lead: Apache Kafka listens well before that.
    pub fn start(&self) -> Result<BrokerProcess> {
        let mut broker = self.spawn()?;
        broker.wait_until(&mut |address| TcpStream::connect(address).is_ok())?;
        broker.wait_until(&mut patience::is_ready)?;
        Ok(broker)
    }
}

impl BrokerProcess {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.launch.address()
    }

    /// Where a Headwater's data lies.
    pub fn data_directory(&self) -> PathBuf {
        self.launch.data_directory()
    }

    /// Its process id. With a wrapper that replaces itself, as taskset does, the broker's own.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has, with the last it said.
    pub fn ended(&mut self) -> Result<Option<String>> {
        let status = self.child.try_wait()?;
        Ok(status.map(|status| format!("{status}; the last it said:\n{}", tail(&self.launch.output()))))
    }

    /// Ends it by SIGKILL and starts it again on the same data.
    pub fn restart(&mut self) -> Result<()> {
        self.restart_with(&[])
    }

    /// As [`Self::restart`], with more config.
    pub fn restart_with(&mut self, settings: &[(&str, &str)]) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        let launch = settings.iter().fold(self.launch.clone(), |launch, (key, value)| launch.set(key, value));
        *self = launch.start()?;
        Ok(())
    }

    /// Ends it by SIGKILL, as a crash does.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ends it by SIGTERM, and waits until it has closed its logs.
    pub fn end(self) -> Result<()> {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        ensure!(asked.success(), "kill ended with {asked}");
        self.wait_for_end(PATIENCE)
    }

    /// Waits until it has ended by itself, as after a signal.
    pub fn wait_for_end(mut self, at_most: Duration) -> Result<()> {
        let end = Instant::now() + at_most;
        while self.child.try_wait()?.is_none() {
            ensure!(Instant::now() < end, "it runs on for {at_most:?}:\n{}", tail(&self.launch.output()));
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn wait_until(&mut self, holds: &mut dyn FnMut(SocketAddr) -> bool) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while !holds(self.address()) {
            let output = self.launch.output();
            if let Some(status) = self.child.try_wait()? {
                bail!("the broker ended with {status} before it was ready:\n{}", tail(&output));
            }
            ensure!(Instant::now() < end, "not ready after {PATIENCE:?}:\n{}", tail(&output));
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        // An error here means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last lines of a file, for a message.
pub fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// The root of this repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The release binary: `$HEADWATER_BINARY`, or built now from this workspace.
pub fn headwater_binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("HEADWATER_BINARY") {
        return Ok(PathBuf::from(path));
    }
    let built = Command::new("cargo")
        .args(["build", "--release", "--quiet", "--package", "headwater"])
        .current_dir(repository())
        .status()
        .context("running cargo")?;
    ensure!(built.success(), "the release build of headwater failed");
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    Ok(target.join("release/headwater"))
}

/// A port that is free together with the next one: where the system has none to give, for thousands of connections have just ended
/// and their ports rest, one that it gives to nobody by itself.
pub fn free_port_pair() -> Result<u16> {
    const NOT_GIVEN: std::ops::Range<u16> = 20_000..32_000;
    let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    for _ in 0..100 {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = first.local_addr()?.port();
        if port < u16::MAX && is_free(port + 1) {
            return Ok(port);
        }
    }
    // Other processes that look for some begin elsewhere.
    let begin = usize::try_from(std::process::id())? * 2 % NOT_GIVEN.len();
    let mut pairs = NOT_GIVEN.cycle().skip(begin).take(NOT_GIVEN.len());
    pairs
        .find(|port| is_free(*port) && is_free(port + 1))
        .context("no two free ports next to each other on loopback")
}
