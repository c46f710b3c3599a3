//! `cargo run --release -p headwater-benches -- compare`: Apache Kafka and Headwater side by side.

mod compare;
mod size;

use std::path::PathBuf;

use benches::node::InProcess;
use clap::Parser;

/// What Headwater costs beside Apache Kafka.
#[derive(Parser)]
#[command(name = "headwater-benches")]
enum What {
    /// Run both brokers in turn and print what each costs.
    Compare(compare::Compare),
    /// Make very many partitions and print what they cost.
    Size(size::Size),
    /// Run a node on an empty directory and print its address: what the guard of system calls traces.
    Serve {
        /// The directory.
        directory: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    match What::parse() {
        What::Compare(compare) => compare.run(),
        What::Size(size) => size.run(),
        What::Serve { directory } => {
            let node = InProcess::start(&directory)?;
            println!("{}", node.address()?);
            // Until the one who started it closes the other end, or ends it.
            std::io::read_to_string(std::io::stdin())?;
            Ok(())
        }
    }
}
