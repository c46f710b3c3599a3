//! Starts a node and stays until it is told to end.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use broker::config::cross_checks::check_alone;
use broker::config::{NodeConfig, Texts};
use broker::node::{Node, StartError};
use clap::{Args, Parser};
use storage::RealDisk;
use storage::meta_properties::MetaProperties;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::{Directories, Failure};
use crate::{daemon, formatting, front_door, logging, properties_file};

/// The flags of the front door.
#[derive(Args)]
pub struct Start {
    /// Kafka's properties file; without it, one node on loopback.
    #[arg(value_name = "SERVER.PROPERTIES")]
    file: Option<PathBuf>,
    /// Directory for the logs (log.dirs).
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Where clients connect (the first listener), such as 0.0.0.0:9092.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Any setting of the properties file, such as log.retention.hours=24; may come often.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Log level: off, error, warn, info, debug, trace, or by module [default: $HEADWATER_LOG, else info].
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
}

/// Called as kafka-server-start.
#[derive(Parser)]
#[command(name = "kafka-server-start", version = crate::VERSION, about = "Start the node that a properties file describes.")]
struct KafkaServerStart {
    /// Kafka's properties file.
    #[arg(value_name = "SERVER.PROPERTIES")]
    file: PathBuf,
    /// Any setting of the properties file; may come often.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

impl Start {
    /// Reads the words of kafka-server-start, or ends as Kafka's script ends on wrong usage: with 1, not 2.
    pub fn parse_as_kafka(words: Vec<OsString>) -> Start {
        let parsed =
            KafkaServerStart::try_parse_from(words).unwrap_or_else(|error| crate::end_as_kafka(&error));
        let KafkaServerStart { file, overrides } = parsed;
        Start { file: Some(file), data: None, listen: None, overrides, log: None }
    }

    fn configure(&self) -> Result<NodeConfig, Failure> {
        let file: Option<Texts> = self.file.as_deref().map(properties_file::read).transpose()?;
        let flags = front_door::Flags {
            data: self.data.as_deref(),
            listen: self.listen.as_deref(),
            overrides: &self.overrides,
        };
        front_door::configure(file, &flags)
    }
}

/// Starts the node and serves until SIGTERM or Ctrl-C, or until the node cannot go on.
pub fn run(start: &Start) -> Result<u8, Failure> {
    broker::heap::begin();
    logging::start(start.log.as_deref())?;
    daemon::leave_terminal();
    let config = start.configure()?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    check_alone(&config).map_err(Failure::new)?;
    match &start.file {
        None => format_own(&config)?,
        Some(file) => expect_formatted(&config, file)?,
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::new(format!("cannot start the threads of the node: {error}")))?;
    let ended = runtime.block_on(serve(config));
    // What is still closing after a second signal is not waited for.
    runtime.shutdown_background();
    ended
}

async fn serve(config: NodeConfig) -> Result<u8, Failure> {
    // Before the node starts, so that a signal during a long recovery is not lost.
    let listening =
        |kind| signal(kind).map_err(|error| Failure::new(format!("cannot listen for signals: {error}")));
    let mut terminate = listening(SignalKind::terminate())?;
    let mut interrupt = listening(SignalKind::interrupt())?;
    let data = config
        .log_dirs
        .directories
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ");
    let directories = Directories::of(&config.log_dirs);
    let node = Node::start(config).await.map_err(|error| explain(error, &directories))?;
    // Whoever started the node may have closed its output; the log says where it listens, too.
    let _unread = writeln!(std::io::stdout(), "{}", start_line(&node, &data));
    let why = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        why = node.failed() => Some(why),
    };
    tracing::info!("ending");
    tokio::select! {
        () = node.shutdown() => why.map_or(Ok(0), |why| Err(Failure::new(why))),
        _ = terminate.recv() => Err(cut_short()),
        _ = interrupt.recv() => Err(cut_short()),
    }
}

fn cut_short() -> Failure {
    Failure::new("ended at the second signal, before everything was closed")
        .hint("nothing acknowledged is lost; the next start recovers the logs")
}

/// One line: where it listens, where data lies, what to type next.
fn start_line(node: &Node, data: &str) -> String {
    let address = node.kafka_address();
    let http =
        node.http_address().map(|http| format!(", metrics on http://{http}/metrics")).unwrap_or_default();
    format!("headwater listens on {address}{http}, data in {data}; try: kcat -b {address} -L")
}

/// A node without a file formats itself: a new cluster of one.
fn format_own(config: &NodeConfig) -> Result<(), Failure> {
    let directory = &config.log_dirs.metadata_directory;
    if MetaProperties::read(&RealDisk, directory).map_err(Failure::new)?.is_some() {
        return Ok(());
    }
    if storage::metadata_log::is_begun(&RealDisk, directory).map_err(Failure::new)? {
        return Err(lost_identity(directory));
    }
    let cluster_id = storage::format::random_id().to_string();
    let request = formatting::request(config, cluster_id, formatting::standalone(config));
    storage::format::format(&RealDisk, &request, formatting::now())
        .map_err(|fault| Failure::of_disk(&fault, &Directories::of(&config.log_dirs)))?;
    tracing::info!(directory = %directory.display(), cluster = request.cluster_id, "formatted for a new cluster");
    Ok(())
}

/// A node that was there already must not become another one because a file was lost.
fn lost_identity(directory: &Path) -> Failure {
    let directory = directory.display();
    Failure::new(format!("{directory} holds the metadata log of a node, but its meta.properties is missing"))
        .hint("put meta.properties back, or choose another directory (--data, log.dirs)")
}

/// A node with a file is formatted on purpose, so that a wrong path does not found a second cluster.
fn expect_formatted(config: &NodeConfig, file: &Path) -> Result<(), Failure> {
    let directory = &config.log_dirs.metadata_directory;
    if MetaProperties::read(&RealDisk, directory).map_err(Failure::new)?.is_some() {
        return Ok(());
    }
    if storage::metadata_log::is_begun(&RealDisk, directory).map_err(Failure::new)? {
        return Err(lost_identity(directory));
    }
    let voters = match (config.quorum.voters.is_empty(), config.roles.controller) {
        (true, true) => " --standalone",
        (true, false) => " --no-initial-controllers",
        (false, _) => "",
    };
    Err(Failure::new(format!("the log directory {} is not formatted", directory.display())).hint(format!(
        "for a new cluster: headwater storage format -t $(headwater storage random-uuid) -c {}{voters}",
        file.display()
    )))
}

/// Adds the way out that the front door offers.
fn explain(error: StartError, directories: &Directories) -> Failure {
    let failure = Failure::new(&error);
    match error {
        StartError::Bind(_) => failure.hint("--listen HOST:PORT picks another address for clients"),
        StartError::Http(_) => failure.hint(
            "--override headwater.http.listen=HOST:PORT picks another address, an empty one does without HTTP",
        ),
        StartError::Fault(fault) => Failure::of_disk(&fault, directories),
        StartError::Config(_) | StartError::Threads(_) => failure,
    }
}
