//! Apache Kafka and Headwater in turn, in one run.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use benches::machine::{describe, pin_load};
use benches::side::{Run, Side, first_ack, launch};
use benches::workload::{WORKLOADS, Workload};
use conformance::broker_process::Kind;

/// Run both brokers in turn and print what each costs.
#[derive(clap::Args)]
pub struct Compare {
    /// How many times each side runs each workload; the least counts.
    #[arg(long, default_value_t = 5)]
    pairs: u32,
    /// A tenth of the load, two pairs and a short warm-up: to see that it works.
    #[arg(long)]
    quick: bool,
    /// Seconds of warm-up a workload.
    #[arg(long, default_value_t = 8)]
    warm_up: u64,
    /// Only these workloads.
    #[arg(long)]
    only: Vec<String>,
    /// Only one side: kafka or headwater.
    #[arg(long, value_parser = ["kafka", "headwater"])]
    side: Option<String>,
    /// Where both keep their data; a temporary directory by default.
    #[arg(long)]
    directory: Option<PathBuf>,
}

const NAMES: [(Kind, &str); 2] = [(Kind::ApacheKafka, "kafka"), (Kind::Headwater, "headwater")];

impl Compare {
    /// Runs the comparison and prints it.
    pub fn run(&self) -> Result<()> {
        let machine = describe();
        pin_load()?;
        let temporary = tempfile::tempdir()?;
        let directory = self.directory.as_deref().unwrap_or(temporary.path());
        let (pairs, warm_up) = if self.quick { (2, 1) } else { (self.pairs, self.warm_up) };
        println!("machine   {machine}");
        println!(
            "method    broker on core 0, load on core 1; one connection, 5 requests in flight, acks=1, one topic;"
        );
        println!(
            "          the sides in turn, {pairs} times; the least CPU of each; Kafka: heap 1 GiB, G1, warmed"
        );
        println!("          {warm_up} s a workload; CPU from /proc/PID/stat, user + system\n");
        let kinds = self.kinds();
        self.starts(&kinds, directory, pairs)?;
        let sides = kinds
            .iter()
            .map(|(kind, name)| Side::start(*kind, &directory.join(name)))
            .collect::<Result<Vec<_>>>()?;
        for side in &sides {
            side.warm_up(Duration::from_secs(warm_up))?;
        }
        println!(
            "\n{:<18}{:>8}{:>32}{:>32}{:>8}",
            "CPU",
            "a",
            kinds[0].1,
            kinds.get(1).map_or("", |k| k.1),
            "ratio"
        );
        for workload in self.chosen()? {
            let mut least: Vec<Option<Run>> = vec![None; sides.len()];
            for _ in 0..pairs {
                for (side, least) in sides.iter().zip(&mut least) {
                    let requests = if self.quick { workload.requests / 10 } else { workload.requests };
                    let run = side.measure(workload, requests, directory)?;
                    if least.is_none_or(|least| run.cost(workload) < least.cost(workload)) {
                        *least = Some(run);
                    }
                }
            }
            print_row(workload, &least.into_iter().flatten().collect::<Vec<_>>());
        }
        println!();
        for (side, (_, name)) in sides.iter().zip(&kinds) {
            println!(
                "{name:<12} RSS {:.0} MB idle, {:.0} MB after the load",
                side.idle_megabytes,
                side.megabytes()?
            );
        }
        Ok(())
    }

    fn kinds(&self) -> Vec<(Kind, &'static str)> {
        NAMES.into_iter().filter(|(_, name)| self.side.as_deref().is_none_or(|only| only == *name)).collect()
    }

    fn chosen(&self) -> Result<Vec<Workload>> {
        let chosen: Vec<_> = WORKLOADS
            .into_iter()
            .filter(|w| self.only.is_empty() || self.only.iter().any(|o| o == w.name))
            .collect();
        ensure!(!chosen.is_empty(), "no workload is called {:?}", self.only);
        Ok(chosen)
    }

    /// Start to first acknowledgement from an empty directory, formatting included.
    fn starts(&self, kinds: &[(Kind, &str)], directory: &Path, times: u32) -> Result<()> {
        for (kind, name) in kinds {
            let mut least = Duration::MAX;
            for number in 0..times.min(3) {
                let launch = launch(*kind, &directory.join(format!("start-{name}-{number}")))?;
                let begin = Instant::now();
                let broker = launch.spawn()?;
                least = least.min(first_ack(&broker, begin)?);
            }
            println!(
                "{name:<12} {:.0} ms from start on an empty directory to the first acknowledged record",
                least.as_secs_f64() * 1e3
            );
        }
        Ok(())
    }
}

fn print_row(workload: Workload, least: &[Run]) {
    let unit = if workload.by_request { "us/req" } else { "s/GB" };
    print!("{:<18}{unit:>8}", workload.name);
    for run in least {
        let share = run.cpu.user / run.cpu.total() * 100.0;
        let rate = run.moved.logical_bytes as f64 / 1e6 / run.moved.elapsed.as_secs_f64();
        print!("{:>32}", format!("{:.2} ({share:.0}% user, {rate:.0} MB/s)", run.cost(workload)));
    }
    if let [kafka, ours] = least {
        print!("{:>8.2}", ours.cost(workload) / kafka.cost(workload));
    }
    println!();
}
