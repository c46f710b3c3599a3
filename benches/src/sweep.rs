//! The same loads over a range of batch sizes, rates and partitions, as pictures.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use benches::contender::Contender;
use benches::cost::resident_megabytes;
use benches::latency::OpenLoop;
use benches::load::{Connection, wait_for_partitions};
use benches::machine::{describe, pin_load};
use benches::picture::{Lines, Picture};
use benches::report::Goal;
use benches::side::{Side, first_ack};
use benches::workload::{LONE, SMALL_BATCHES, WORKLOADS, Workload};

const BATCH_BYTES: [usize; 7] = [100, 1_024, 4_096, 16_384, 65_536, 262_144, 1_032_192];
const RATES: [u32; 5] = [100, 500, 2_000, 5_000, 10_000];
const PARTITIONS: [i32; 6] = [1, 8, 64, 256, 1_000, 4_000];

/// Run the brokers in turn over batch sizes, rates and partitions, and draw what each costs.
#[derive(clap::Args)]
pub struct Sweep {
    /// Where the pictures go.
    #[arg(long, default_value = "docs/pictures")]
    pictures: PathBuf,
    /// How many times each side runs each load; of costs the least counts, of latencies the one in the middle.
    #[arg(long, default_value_t = 3)]
    turns: usize,
    /// Megabytes of each run of a cost.
    #[arg(long, default_value_t = 400)]
    megabytes: usize,
    /// Seconds of warm-up a workload, at most.
    #[arg(long, default_value_t = 8)]
    warm_up: u64,
}

impl Sweep {
    /// Runs it and draws.
    pub fn run(&self) -> Result<()> {
        let machine = describe();
        pin_load()?;
        let temporary = tempfile::tempdir()?;
        let directory = temporary.path();
        std::fs::create_dir_all(&self.pictures)?;
        eprintln!("{machine}");
        let contenders = [Contender::headwater(), Contender::apache_kafka(), Contender::floor()?];
        let memory = memory_by_partitions(&contenders, directory)?;
        memory.draw(&self.pictures)?;
        let sides = contenders
            .iter()
            .map(|contender| Side::start(contender, &directory.join(&contender.name), Duration::from_secs(1)))
            .collect::<Result<Vec<_>>>()?;
        for side in &sides {
            eprintln!("warming up {}", side.name);
            for workload in WORKLOADS {
                side.warm_up(workload, Duration::from_secs(self.warm_up))?;
            }
        }
        self.cost_by_batch(&sides, directory)?.draw(&self.pictures)?;
        self.cost_by_partitions(&sides, directory)?.draw(&self.pictures)?;
        self.latency_by_rate(&sides)?.draw(&self.pictures)
    }

    fn cost_by_batch(&self, sides: &[Side], directory: &Path) -> Result<Picture> {
        let workloads = BATCH_BYTES.map(|batch_bytes| {
            let workload =
                Workload { batch_bytes, record_bytes: batch_bytes.min(1024), partitions: 8, ..SMALL_BATCHES };
            (batch_bytes as f64, workload)
        });
        Ok(Picture {
            file: "cost-by-batch",
            title: "Produce: CPU of the broker by batch size, 8 partitions".into(),
            across: "bytes of a batch",
            up: "CPU s/GB",
            lines: self.costs(sides, directory, &workloads)?,
        })
    }

    fn cost_by_partitions(&self, sides: &[Side], directory: &Path) -> Result<Picture> {
        let workloads =
            PARTITIONS.map(|partitions| (f64::from(partitions), Workload { partitions, ..SMALL_BATCHES }));
        Ok(Picture {
            file: "cost-by-partitions",
            title: "Produce: CPU of the broker by partitions, batches of 16 KiB".into(),
            across: "partitions",
            up: "CPU s/GB",
            lines: self.costs(sides, directory, &workloads)?,
        })
    }

    fn costs(&self, sides: &[Side], directory: &Path, workloads: &[(f64, Workload)]) -> Result<Lines> {
        let mut lines: Vec<_> = sides.iter().map(|side| (side.name.clone(), Vec::new())).collect();
        for (at, workload) in workloads {
            let workload = Workload { by_request: false, goal: Goal::NONE, ..*workload };
            let requests = (self.megabytes * 1_000_000 / workload.batch_bytes).min(100_000);
            let requests = u32::try_from(requests)?.max(workload.partitions.unsigned_abs());
            let mut least = vec![f64::INFINITY; sides.len()];
            for _ in 0..self.turns {
                for (side, least) in sides.iter().zip(&mut least) {
                    *least = side.measure(workload, requests, directory)?.cost(workload).min(*least);
                }
            }
            eprintln!("{at}: {least:.3?}");
            for ((_, points), least) in lines.iter_mut().zip(least) {
                points.push((*at, least));
            }
        }
        Ok(lines)
    }

    fn latency_by_rate(&self, sides: &[Side]) -> Result<Picture> {
        let mut lines: Vec<_> = sides
            .iter()
            .flat_map(|side| ["p50", "p99"].map(|name| (format!("{} {name}", side.name), Vec::new())))
            .collect();
        for rate in RATES {
            let mut found = vec![Vec::new(); lines.len()];
            for _ in 0..self.turns {
                for (number, side) in sides.iter().enumerate() {
                    let open = OpenLoop { rate, record_bytes: 1024, duration: Duration::from_secs(8) };
                    let latency = open.run(side.running().address())?;
                    found[number * 2].push(latency.p50);
                    found[number * 2 + 1].push(latency.p99);
                }
            }
            for ((_, points), mut found) in lines.iter_mut().zip(found) {
                found.sort_by(f64::total_cmp);
                points.push((f64::from(rate), found[found.len() / 2]));
            }
            eprintln!("{rate}/s done");
        }
        Ok(Picture {
            file: "latency-by-rate",
            title: "End to end by rate, records of 1 KiB, one a batch".into(),
            across: "records a second",
            up: "milliseconds",
            lines,
        })
    }
}

/// Resident memory once every partition has a record.
fn memory_by_partitions(contenders: &[Contender], directory: &Path) -> Result<Picture> {
    let mut lines = Vec::new();
    for contender in contenders {
        let broker = contender.spawn(&directory.join(format!("memory-{}", contender.name)))?;
        first_ack(&broker, Instant::now())?;
        let mut connection = Connection::open(broker.address())?;
        let (batch, _) = LONE.batch()?;
        let mut points = Vec::new();
        for partitions in PARTITIONS {
            let topic = format!("memory-{partitions}");
            connection.create_topic(&topic, partitions, &[])?;
            wait_for_partitions(&mut connection, &topic, &batch, partitions)
                .with_context(|| contender.name.clone())?;
            points.push((
                f64::from(PARTITIONS.iter().filter(|p| **p <= partitions).sum::<i32>()),
                resident_megabytes(broker.id())?,
            ));
        }
        eprintln!("{}: {points:.1?}", contender.name);
        lines.push((contender.name.clone(), points));
    }
    Ok(Picture {
        file: "memory-by-partitions",
        title: "Resident memory by partitions, a record in each".into(),
        across: "partitions",
        up: "MB",
        lines,
    })
}
