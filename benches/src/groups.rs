//! `groups`: what coordinators cost, Apache Kafka's and then ours: members that join, commits, very many groups,
//! transactions. What it takes to load very many offsets is measured on ours alone.
//!
//! Only one of the two runs at a time: for long after its load a JVM compiles, on the core that both are given.

pub mod commits;
mod consumers;
mod joins;
mod load;
mod many;
mod transactions;

pub use joins::Joined;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use benches::asker::Asker;
use benches::cost::Cpu;
use benches::machine::{broker_wrapper, describe, pin_load};
use benches::report::Counts;
use conformance::broker_process::{BrokerProcess, Kind, Launch};
use protocol::ErrorCode;
use protocol::messages::create_topics::CreatableTopic;
use protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, FindCoordinatorRequest, FindCoordinatorResponse, Message,
};

/// What coordinators cost.
#[derive(clap::Args)]
pub struct Groups {
    /// What to measure: joins, consumers, commits, many, transactions or load. All but load by default.
    what: Vec<String>,
    /// How many times each side runs each of them; the least counts, and of percentiles the median.
    #[arg(long, default_value_t = 3)]
    runs: u32,
    /// How many runs warm a side up.
    #[arg(long, default_value_t = 3)]
    warm_up: u32,
    /// Only one side: kafka or headwater.
    #[arg(long, value_parser = ["kafka", "headwater"])]
    side: Option<String>,
    /// Members of the group that is joined.
    #[arg(long, default_value_t = 1000)]
    members: usize,
    /// Groups of one member.
    #[arg(long, default_value_t = 10_000)]
    groups: usize,
    /// How often each of these members is heard of.
    #[arg(long, default_value_t = 5)]
    beats: u32,
    /// Offsets to load.
    #[arg(long, default_value_t = 10_000_000)]
    offsets: u32,
    /// Do not pin broker and load to a core each.
    #[arg(long)]
    unpinned: bool,
    /// Where both keep their data; a temporary directory by default.
    #[arg(long)]
    directory: Option<PathBuf>,
}

/// How long the first rebalance of a group waits for others, on both sides; twice, as others do come.
const INITIAL_DELAY: Duration = Duration::from_millis(1000);

/// One of the two brokers.
struct Side {
    name: &'static str,
    broker: BrokerProcess,
    /// How many groups were made, so that each has a name of its own.
    made: u32,
}

/// A number with a name, the less the better.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Figure {
    what: &'static str,
    value: f64,
    /// Which of several runs counts.
    counts: Counts,
}

impl Figure {
    fn least(what: &'static str, value: f64) -> Self {
        Self { what, value, counts: Counts::Least }
    }

    fn median(what: &'static str, value: f64) -> Self {
        Self { what, value, counts: Counts::Median }
    }
}

/// What a run of something came to.
type Run = Vec<Figure>;

/// What is measured, how it is run once on a side.
type Measured = (&'static str, fn(&Groups, &mut Side) -> Result<Run>);

const MEASURED: [Measured; 5] = [
    ("joins", joins::run),
    ("consumers", consumers::run),
    ("commits", commits::run),
    ("many", many::run),
    ("transactions", transactions::run),
];

impl Groups {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        println!("machine   {}", describe());
        if !self.unpinned {
            pin_load()?;
        }
        let temporary = tempfile::tempdir()?;
        let directory = self.directory.as_deref().unwrap_or(temporary.path());
        if self.what.iter().any(|what| what == "load") {
            return load::run(self, directory);
        }
        for what in &self.what {
            if !MEASURED.iter().any(|(name, _)| name == what) {
                bail!("nothing is called {what:?}");
            }
        }
        let kinds = [(Kind::ApacheKafka, "kafka"), (Kind::Headwater, "headwater")];
        let kinds =
            kinds.into_iter().filter(|(_, name)| self.side.as_deref().is_none_or(|only| only == *name));
        let mut sides = Vec::new();
        for (kind, name) in kinds {
            let mut side = self.start(kind, name, &directory.join(name))?;
            let wanted = MEASURED
                .iter()
                .filter(|(name, _)| self.what.is_empty() || self.what.iter().any(|what| what == name));
            let figures = wanted.map(|(name, run)| {
                let figures = self.measure(name, *run, &mut side)?;
                // The table comes at the end; who ends it earlier has had something of it.
                println!("{:<14}{name}: {figures:?}", side.name);
                Ok((*name, figures))
            });
            sides.push(figures.collect::<Result<Vec<_>>>()?);
        }
        println!("{:<14}{:<34}{:>12}{:>12}{:>8}", "", "", "kafka", "headwater", "ratio");
        let Some(first) = sides.first() else { return Ok(()) };
        for (place, (name, figures)) in first.iter().enumerate() {
            for (row, Figure { what, value, .. }) in figures.iter().enumerate() {
                print!("{name:<14}{what:<34}{:>12}", format!("{value:.2}"));
                if let Some(other) = sides.get(1) {
                    let ours = other[place].1[row].value;
                    print!("{:>12}{:>8.2}", format!("{ours:.2}"), ours / value);
                }
                println!();
            }
        }
        Ok(())
    }

    fn start(&self, kind: Kind, name: &'static str, directory: &Path) -> Result<Side> {
        let mut launch = Launch::new(kind, directory)?
            .set("group.initial.rebalance.delay.ms", INITIAL_DELAY.as_millis())
            .set("group.max.session.timeout.ms", 1_800_000)
            .set("offsets.topic.replication.factor", 1);
        if !self.unpinned {
            launch.wrapper = broker_wrapper();
        }
        let side = Side { name, broker: launch.start()?, made: 0 };
        find_coordinator(&mut Asker::open(side.address())?, "g", 0)?;
        Ok(side)
    }

    fn measure(&self, name: &str, run: fn(&Self, &mut Side) -> Result<Run>, side: &mut Side) -> Result<Run> {
        let mut once = || run(self, side).with_context(|| format!("{name} on {}", side.name));
        for _ in 0..self.warm_up {
            once()?;
        }
        let runs = (0..self.runs.max(1)).map(|_| once()).collect::<Result<Vec<_>>>()?;
        Ok(counting(&runs))
    }
}

/// The figures that count of several runs.
fn counting(runs: &[Run]) -> Run {
    let Some(first) = runs.first() else { return Run::new() };
    let figures = first.iter().enumerate().map(|(row, figure)| {
        let mut values: Vec<f64> = runs.iter().map(|run| run[row].value).collect();
        values.sort_by(f64::total_cmp);
        let place = match figure.counts {
            Counts::Least => 0,
            Counts::Median => values.len() / 2,
        };
        Figure { value: values[place], ..*figure }
    });
    figures.collect()
}

impl Side {
    fn address(&self) -> SocketAddr {
        self.broker.address()
    }

    /// A name that no group or topic has had.
    fn fresh(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what}-{}", self.made)
    }

    fn cpu(&self) -> Result<Cpu> {
        Cpu::of(self.broker.id())
    }

    /// Makes a topic, unless it is there.
    fn create_topic(&self, name: &str, partitions: i32) -> Result<()> {
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic].into(),
            timeout_ms: 60_000,
            ..CreateTopicsRequest::default()
        };
        Asker::open(self.address())?.ask(&request, 5, |body| {
            let response = CreateTopicsResponse::decode(body, 5)?;
            let topic = response.topics.iter().next().context("a topic")?;
            let made = [ErrorCode::None, ErrorCode::TopicAlreadyExists].map(i16::from);
            ensure!(made.contains(&topic.error_code), "topic {name}: error {}", topic.error_code);
            Ok(())
        })
    }
}

/// Waits until the coordinator of a key is there: of a group (0) or a transactional id (1).
fn find_coordinator(asker: &mut Asker, key: &str, kind: i8) -> Result<()> {
    let request = FindCoordinatorRequest { key: key.into(), key_type: kind, ..Default::default() };
    asker.ask_until(&request, 3, |body| {
        Ok((FindCoordinatorResponse::decode(body, 3)?.error_code == 0).then_some(()))
    })
}

/// How long something took, in milliseconds, and what the broker's processor did meanwhile.
fn timed<T>(side: &Side, work: impl FnOnce() -> Result<T>) -> Result<(T, f64, f64)> {
    let (before, begin) = (side.cpu()?, Instant::now());
    let done = work()?;
    let elapsed = begin.elapsed().as_secs_f64() * 1e3;
    Ok((done, elapsed, side.cpu()?.since(before).total() * 1e3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_percentile_the_run_in_the_middle_counts() {
        let run = |value| vec![Figure::least("CPU us", value), Figure::median("ms to commit, p99", value)];
        assert_eq!(counting(&[9.0, 2.0, 5.0].map(run)), [run(2.0)[0], run(5.0)[1]]);
    }
}
