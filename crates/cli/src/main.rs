//! The one binary: `headwater [flags] [server.properties]` starts a node, `headwater <command>` is a tool, and
//! under the name of one of Kafka's scripts it is that script.
//!
//! This crate reads the command line and prints; what a node does is in the broker crate.

mod daemon;
mod failure;
mod formatting;
mod front_door;
mod log_tool;
mod logging;
mod properties_file;
mod start;
mod storage_tool;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// What `--version` says: ours, and the Kafka that we are to others.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (Apache Kafka 4.4 to clients, brokers and tools)");

/// A Kafka broker and controller in one small binary.
#[derive(Parser)]
#[command(
    name = "headwater",
    version = VERSION,
    args_conflicts_with_subcommands = true,
    after_help = "Without a file: one node on loopback, Kafka on localhost:9092, data in ./headwater-data.\n\
                  With Kafka's server.properties: the node that it describes. Flags win over the file.\n\
                  Under the name kafka-server-start or kafka-storage (with or without .sh) it is that tool."
)]
struct Headwater {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    start: start::Start,
}

#[derive(Subcommand)]
enum Command {
    /// Prepare and inspect log directories, as kafka-storage does.
    Storage(storage_tool::Storage),
    /// Look into logs: verify them.
    Log(log_tool::Log),
}

fn main() -> ExitCode {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    let outcome = match called_as(&words).as_str() {
        "kafka-storage" => storage_tool::run(storage_tool::Storage::parse_as_kafka(words)),
        "kafka-server-start" => {
            let in_background = daemon::take_flags(&mut words);
            let start = start::Start::parse_as_kafka(words);
            if in_background { daemon::detach() } else { start::run(&start) }
        }
        name if name.starts_with("kafka-") => Err(not_ours(name)),
        _ => {
            let headwater = Headwater::parse_from(words);
            match headwater.command {
                Some(Command::Storage(storage)) => storage_tool::run(storage),
                Some(Command::Log(log)) => log_tool::run(&log),
                None => start::run(&headwater.start),
            }
        }
    };
    outcome.map_or_else(Failure::report, ExitCode::from)
}

/// Prints help, the version or what is wrong with the words, and ends with the codes of Kafka's tools: 0 and 1.
fn end_as_kafka(error: &clap::Error) -> ! {
    // Where neither output nor error output can be written, only the code is left to tell.
    let _unheard = error.print();
    std::process::exit(i32::from(error.use_stderr()))
}

/// Kafka's other scripts: one that stops nodes must not start one.
fn not_ours(name: &str) -> Failure {
    let reason =
        format!("{name} is not one of the scripts that Headwater is: kafka-server-start, kafka-storage");
    Failure::new(reason)
        .hint("those of any Apache Kafka download work with it; SIGTERM or Ctrl-C ends a node")
}

/// The name this program was called by, without path and `.sh`.
fn called_as(words: &[OsString]) -> String {
    let name = words.first().and_then(|word| Path::new(word).file_name()).unwrap_or_default();
    let name = name.to_string_lossy();
    name.strip_suffix(".sh").unwrap_or(&name).to_owned()
}

/// Whether a word was more likely meant as a command than as a file: for the hint when there is neither.
fn could_be_a_command(word: &str) -> bool {
    !word.contains(['.', '/'])
}
