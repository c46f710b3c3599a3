//! `cargo run --release -p headwater-benches -- compare`: Apache Kafka and Headwater side by side.

mod compare;

use clap::Parser;

/// What Headwater costs beside Apache Kafka.
#[derive(Parser)]
#[command(name = "headwater-benches")]
enum What {
    /// Run both brokers in turn and print what each costs.
    Compare(compare::Compare),
}

fn main() -> anyhow::Result<()> {
    match What::parse() {
        What::Compare(compare) => compare.run(),
    }
}
