//! `scale`: what many connections, many readers at rest, stable storage, old records and real clients cost, Headwater's and
//! Apache Kafka's in turn, each on a broker that has just been started.

mod clients;
mod cold;
mod connections;
mod resting;
mod synced;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use benches::contender::Contender;
use benches::machine::{describe, pin_load};
use benches::report::{Counts, Ending, Goal, Report, Row, Sample};
use benches::side::Side;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Connections and files that broker and load may each have open, at least.
const OPEN_MIN: u64 = 12_000;

/// The figures of each run of each side.
type Found = Vec<(String, Vec<Vec<f64>>)>;

/// What is measured, by name.
type Measured = (&'static str, fn(&mut Bench<'_>) -> Result<()>);

const MEASURED: [Measured; 6] = [
    ("connections", connections::run),
    ("polls", resting::polls),
    ("partitions", resting::partitions),
    ("fsync", synced::run),
    ("cold", cold::run),
    ("clients", clients::run),
];

/// What many connections, readers at rest, stable storage and old records cost.
#[derive(clap::Args)]
pub struct Scale {
    /// What to measure: connections, polls, partitions, fsync, cold or clients. All of them by default.
    what: Vec<String>,
    /// How many times each side runs each load.
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// Two short pairs, and a tenth of what is large: to see that it works.
    #[arg(long)]
    quick: bool,
    /// Only these sides: headwater, kafka.
    #[arg(long, value_parser = ["headwater", "kafka"])]
    side: Vec<String>,
    /// Another broker, as NAME=COMMAND; the command's words may hold {port} and {directory}.
    #[arg(long, value_name = "NAME=COMMAND")]
    other: Vec<String>,
    /// Where all keep their data; a temporary directory by default.
    #[arg(long)]
    directory: Option<PathBuf>,
    #[command(flatten)]
    ending: Ending,
}

/// A run, and what is found in it.
struct Bench<'a> {
    scale: &'a Scale,
    directory: &'a Path,
    report: Report,
}

impl Scale {
    /// Runs it, prints it and writes it down.
    pub fn run(&self) -> Result<()> {
        for what in &self.what {
            ensure!(
                MEASURED.iter().any(|(name, _)| name == what),
                "nothing that is measured is called {what}"
            );
        }
        let machine = describe();
        open_many_files()?;
        pin_load()?;
        let temporary = tempfile::tempdir()?;
        let directory = self.directory.as_deref().unwrap_or(temporary.path());
        let names = self.contenders()?.into_iter().map(|contender| contender.name);
        let method = format!(
            "broker on core 0, load on core 1, in turn, {} times; of CPU (user + system, /proc/PID/stat) the least counts,\n\
             of latency the median; [least..most]; every part on brokers of its own; a turn in which the disk alone cost\n\
             half as much again as its least is thrown away; Kafka: heap 1 GiB, G1",
            self.pairs()
        );
        let mut report = Report::new(machine, method, names.chain(["disk".to_owned()]).collect());
        report.least = "disk";
        report.print_head();
        let mut bench = Bench { scale: self, directory, report };
        for (name, measure) in MEASURED {
            if self.what.is_empty() || self.what.iter().any(|what| what == name) {
                measure(&mut bench).with_context(|| name.to_owned())?;
            }
        }
        self.ending.of(&bench.report)
    }

    fn pairs(&self) -> usize {
        if self.quick { 2 } else { self.pairs }
    }

    fn contenders(&self) -> Result<Vec<Contender>> {
        let wanted = |contender: &Contender| self.side.is_empty() || self.side.contains(&contender.name);
        let mut contenders = vec![Contender::headwater(), Contender::apache_kafka()];
        contenders.retain(wanted);
        for other in &self.other {
            contenders.push(Contender::parse(other)?);
        }
        Ok(contenders)
    }
}

impl Bench<'_> {
    /// Starts the sides for one part, each as `with` has it, if that will have it.
    fn start(&self, part: &str, with: impl Fn(Contender) -> Option<Contender>) -> Result<Vec<Side>> {
        let contenders = self.scale.contenders()?;
        let start = |contender: Contender| {
            eprintln!("{part}: starting {}", contender.name);
            Side::start(&contender, &self.place(part, &contender.name), Duration::ZERO)
        };
        contenders.into_iter().filter_map(with).map(start).collect()
    }

    /// Where a side of a part keeps its data.
    fn place(&self, part: &str, name: &str) -> PathBuf {
        self.directory.join(format!("{part}-{name}"))
    }

    /// Runs each side in turn, as often as is wanted.
    fn in_turn(&self, sides: &[Side], mut run: impl FnMut(&Side) -> Result<Vec<f64>>) -> Result<Found> {
        let mut found: Found = sides.iter().map(|side| (side.name.clone(), Vec::new())).collect();
        for pair in 1..=self.scale.pairs() {
            for (side, (_, runs)) in sides.iter().zip(&mut found) {
                runs.push(run(side).with_context(|| side.name.clone())?);
                eprintln!("  {pair} of {}, {}: {:.3?}", self.scale.pairs(), side.name, runs.last());
            }
        }
        Ok(found)
    }

    /// Adds a row of the figure at `number` of each run; who did not run, as the disk mostly does not, has none.
    fn add(
        &mut self,
        (name, unit): (&str, &'static str),
        (counts, goal): (Counts, Goal),
        found: &Found,
        number: usize,
    ) {
        let of = |name: &String| {
            let runs = found.iter().filter(|(side, _)| side == name).flat_map(|(_, runs)| runs);
            runs.map(|run| Sample::from(run[number])).collect()
        };
        let samples = self.report.names.iter().map(of).collect();
        self.report.add(Row { name: name.to_owned(), unit, counts, goal, samples });
    }
}

/// Lets this process, and the brokers it starts, open as many files as they may.
fn open_many_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    let most = limit.maximum.unwrap_or(u64::MAX);
    ensure!(
        most >= OPEN_MIN,
        "{most} files may be open, and {OPEN_MIN} are needed: raise the limit (ulimit -Hn)"
    );
    Ok(())
}
