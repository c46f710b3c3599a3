//! `headwater storage`, and kafka-storage: prepare and inspect log directories.
//!
//! Flags, output and exit codes are those of Kafka's tool for what is here; formatting itself is in the storage
//! crate.

mod format;
mod info;

use std::ffi::OsString;
use std::path::PathBuf;

use broker::config::NodeConfig;
use clap::{Args, Parser, Subcommand};
use storage::format::random_id;

use crate::failure::Failure;
use crate::properties_file;

/// Prepare and inspect the log directories of this node.
#[derive(Parser)]
#[command(name = "kafka-storage")]
pub struct Storage {
    #[command(subcommand)]
    command: StorageCommand,
}

#[derive(Subcommand)]
enum StorageCommand {
    /// Format the log directories of this node for a cluster.
    Format(format::Format),
    /// Show the log directories of this node and what they are formatted for.
    Info(Config),
    /// Print a random id, for --cluster-id.
    RandomUuid,
}

/// The flag that every command on directories has.
#[derive(Args)]
pub struct Config {
    /// The node's properties file.
    #[arg(long, short)]
    config: PathBuf,
}

impl Config {
    /// Reads the file.
    pub fn read(&self) -> Result<NodeConfig, Failure> {
        NodeConfig::from_texts(properties_file::read(&self.config)?)
            .map_err(|error| Failure::new(format!("{}: {error}", self.config.display())))
    }
}

impl Storage {
    /// Reads the words of the command line, or ends as Kafka's tool ends on wrong usage: with 1, not 2.
    pub fn parse_as_kafka(words: Vec<OsString>) -> Storage {
        Storage::try_parse_from(words).unwrap_or_else(|error| crate::end_as_kafka(&error))
    }
}

/// Runs the tool.
pub fn run(storage: Storage) -> Result<u8, Failure> {
    match storage.command {
        StorageCommand::Format(format) => format.run(),
        StorageCommand::Info(config) => info::run(&config.read()?.log_dirs),
        StorageCommand::RandomUuid => {
            println!("{}", random_id());
            Ok(0)
        }
    }
}
