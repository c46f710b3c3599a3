//! `cargo run --release -p headwater-benches -- compare`: Headwater, Apache Kafka and the floor side by side.

mod cleaning;
mod compare;
mod groups;
mod instructions;
mod killed;
mod left_alone;
mod mixed;
mod scale;
mod size;
mod sweep;
mod vast;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use benches::node::InProcess;
use clap::Parser;

/// What Headwater costs beside Apache Kafka.
#[derive(Parser)]
#[command(name = "headwater-benches")]
enum What {
    /// Run the brokers in turn and print what each costs.
    Compare(compare::Compare),
    /// Run the brokers in turn over batch sizes, rates and partitions, and draw what each costs.
    Sweep(sweep::Sweep),
    /// Be the least that a broker can do, to measure others by.
    Floor {
        /// The port, on loopback.
        #[arg(long)]
        port: u16,
        /// Where its files go.
        #[arg(long)]
        directory: PathBuf,
    },
    /// Tell whoever asks the same, by no more calls than that takes: what the kernel costs alone.
    Echo {
        /// The port, on loopback.
        #[arg(long)]
        port: u16,
    },
    /// Run the coordinators of both brokers in turn and print what members, commits and groups cost.
    Groups(groups::Groups),
    /// Measure how long a producer waits beside a compaction, and without one.
    Cleaning(cleaning::Cleaning),
    /// Count what a request costs in instructions, by callgrind.
    Instructions(instructions::Instructions),
    /// Put everything on Headwater at once, for long, and see that nothing rises without end.
    Mixed(mixed::Mixed),
    /// Run the brokers in turn with many connections, many readers at rest, stable storage and old records.
    Scale(scale::Scale),
    /// Make very many partitions and print what they cost.
    Size(size::Size),
    /// Run a node on an empty directory and print its address: what the guard of system calls traces.
    Serve {
        /// The directory.
        directory: PathBuf,
        /// A setting, as KEY=VALUE: what is planted to see a guard trip.
        #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
        set: Vec<(String, String)>,
    },
}

fn main() -> anyhow::Result<()> {
    match What::parse() {
        What::Compare(compare) => compare.run(),
        What::Floor { port, directory } => {
            benches::floor::serve(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), &directory)
        }
        What::Echo { port } => benches::echo::serve(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        What::Sweep(sweep) => sweep.run(),
        What::Groups(groups) => groups.run(),
        What::Cleaning(cleaning) => cleaning.run(),
        What::Instructions(instructions) => instructions.run(),
        What::Mixed(mixed) => mixed.run(),
        What::Scale(scale) => scale.run(),
        What::Size(size) => size.run(),
        What::Serve { directory, set } => {
            let node = InProcess::start_with(&directory, &set)?;
            println!("{}", node.address()?);
            // Until the one who started it closes the other end, or ends it.
            std::io::read_to_string(std::io::stdin())?;
            Ok(())
        }
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text} is no KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}
