//! The same loads over a range of batch sizes, rates and partitions, as pictures. A broker that ends on the way is started
//! again, and told of at the end ([`benches::sides`]).

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
use benches::sides::Sides;
use benches::workload::{LONE, SMALL_BATCHES, WORKLOADS, Workload};

const BATCH_BYTES: [usize; 7] = [100, 1_024, 4_096, 16_384, 65_536, 262_144, 1_032_192];
const RATES: [u32; 5] = [100, 500, 2_000, 5_000, 10_000];
const PARTITIONS: [i32; 6] = [1, 8, 64, 256, 1_000, 4_000];
/// The pictures, by the names of their files.
const MEMORY: &str = "memory-by-partitions";
const BATCHES: &str = "cost-by-batch";
const COST: &str = "cost-by-partitions";
const LATENCY: &str = "latency-by-rate";
/// Of each range so many points are looked at where it is only to be seen that it works.
const QUICK_POINTS: usize = 2;

/// Run the brokers in turn over batch sizes, rates and partitions, and draw what each costs.
#[derive(clap::Args)]
pub struct Sweep {
    /// Where the pictures go.
    #[arg(long, default_value = "docs/pictures")]
    pictures: PathBuf,
    /// Only these pictures: memory-by-partitions, cost-by-batch, cost-by-partitions, latency-by-rate.
    #[arg(long, value_parser = [MEMORY, BATCHES, COST, LATENCY])]
    only: Vec<String>,
    /// How many times each side runs each load; of costs the least counts, of latencies the one in the middle.
    #[arg(long, default_value_t = 3)]
    turns: usize,
    /// Megabytes of each run of a cost.
    #[arg(long, default_value_t = 400)]
    megabytes: usize,
    /// Seconds of warm-up a workload, at most.
    #[arg(long, default_value_t = 8)]
    warm_up: u64,
    /// Two points of each picture, and little for each: to see that it works.
    #[arg(long)]
    quick: bool,
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
        if self.wants(MEMORY) {
            self.memory_by_partitions(&contenders, directory)?.draw(&self.pictures)?;
        }
        if ![BATCHES, COST, LATENCY].iter().any(|picture| self.wants(picture)) {
            return Ok(());
        }
        let mut sides = Sides::start(&contenders, directory, Duration::from_secs(1))?;
        for workload in WORKLOADS {
            sides.each(&format!("warming up for {}", workload.name), |side| self.warm(side, workload));
        }
        if self.wants(BATCHES) {
            self.cost_by_batch(&mut sides, directory)?.draw(&self.pictures)?;
        }
        if self.wants(COST) {
            self.cost_by_partitions(&mut sides, directory)?.draw(&self.pictures)?;
        }
        if self.wants(LATENCY) {
            self.latency_by_rate(&mut sides).draw(&self.pictures)?;
        }
        for lost in sides.lost() {
            println!("LOST {lost}");
        }
        Ok(())
    }

    fn wants(&self, picture: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == picture)
    }

    fn warm(&self, side: &Side, workload: Workload) -> Result<()> {
        eprintln!("warming up {} for {}", side.name, workload.name);
        side.warm_up(workload, Duration::from_secs(if self.quick { 1 } else { self.warm_up }))
    }

    fn turns(&self) -> usize {
        if self.quick { 1 } else { self.turns }
    }

    /// The part of a range that is looked at.
    fn points<'a, T>(&self, range: &'a [T]) -> &'a [T] {
        if self.quick { &range[..QUICK_POINTS] } else { range }
    }

    fn cost_by_batch(&self, sides: &mut Sides, directory: &Path) -> Result<Picture> {
        let workloads = BATCH_BYTES.map(|batch_bytes| {
            let workload =
                Workload { batch_bytes, record_bytes: batch_bytes.min(1024), partitions: 8, ..SMALL_BATCHES };
            (batch_bytes as f64, workload)
        });
        Ok(Picture {
            file: BATCHES,
            title: "Produce: CPU of the broker by batch size, 8 partitions".into(),
            across: "bytes of a batch",
            up: "CPU s/GB",
            lines: self.costs(sides, directory, &workloads)?,
        })
    }

    fn cost_by_partitions(&self, sides: &mut Sides, directory: &Path) -> Result<Picture> {
        let workloads =
            PARTITIONS.map(|partitions| (f64::from(partitions), Workload { partitions, ..SMALL_BATCHES }));
        Ok(Picture {
            file: COST,
            title: "Produce: CPU of the broker by partitions, batches of 16 KiB".into(),
            across: "partitions",
            up: "CPU s/GB",
            lines: self.costs(sides, directory, &workloads)?,
        })
    }

    fn costs(&self, sides: &mut Sides, directory: &Path, workloads: &[(f64, Workload)]) -> Result<Lines> {
        let mut lines: Lines = sides.names().map(|name| (name.to_owned(), Vec::new())).collect();
        let megabytes = if self.quick { self.megabytes / 10 } else { self.megabytes };
        for (at, workload) in self.points(workloads) {
            let workload = Workload { by_request: false, goal: Goal::NONE, ..*workload };
            let requests = (megabytes * 1_000_000 / workload.batch_bytes).min(100_000);
            let requests = u32::try_from(requests)?.max(workload.partitions.unsigned_abs());
            let what = format!("{} bytes to {} partitions", workload.batch_bytes, workload.partitions);
            let warm = |side: &Side| self.warm(side, workload);
            let turns = sides.in_turn((&what, self.turns()), warm, |side| {
                Ok(Some(side.measure(workload, requests, directory)?.cost(workload)))
            });
            for (place, (_, points)) in lines.iter_mut().enumerate() {
                let least = turns.iter().filter_map(|turn| turn[place]).min_by(f64::total_cmp);
                // Both axes are logarithmic, and a short run may cost less than is counted in.
                let least = least.filter(|least| *least > 0.0);
                points.extend(least.map(|least| (*at, least)));
            }
            eprintln!("{what}: {:.3?}", lines.iter().map(|(_, points)| points.last()).collect::<Vec<_>>());
        }
        Ok(lines)
    }

    fn latency_by_rate(&self, sides: &mut Sides) -> Picture {
        let quantiles = ["p50", "p99"];
        let mut lines: Lines = sides
            .names()
            .flat_map(|side| quantiles.map(|quantile| (format!("{side} {quantile}"), Vec::new())))
            .collect();
        for rate in self.points(&RATES) {
            let seconds = if self.quick { 1 } else { 8 };
            let open = OpenLoop { rate: *rate, record_bytes: 1024, duration: Duration::from_secs(seconds) };
            let what = format!("{rate} records a second");
            let turns = sides.in_turn(
                (&what, self.turns()),
                |_| Ok(()),
                |side| {
                    let latency = open.run(side.running().address())?;
                    Ok(vec![latency.p50, latency.p99])
                },
            );
            for (place, (_, points)) in lines.iter_mut().enumerate() {
                let of = |turn: &Vec<Vec<f64>>| turn[place / 2].get(place % 2).copied();
                let mut found: Vec<f64> = turns.iter().filter_map(of).collect();
                found.sort_by(f64::total_cmp);
                points.extend(found.get(found.len() / 2).map(|middle| (f64::from(*rate), *middle)));
            }
        }
        Picture {
            file: LATENCY,
            title: "End to end by rate, records of 1 KiB, one a batch".into(),
            across: "records a second",
            up: "milliseconds",
            lines,
        }
    }

    /// Resident memory once every partition has a record.
    fn memory_by_partitions(&self, contenders: &[Contender], directory: &Path) -> Result<Picture> {
        let (mut lines, range) = (Vec::new(), self.points(&PARTITIONS));
        for contender in contenders {
            let broker = contender.spawn(&directory.join(format!("memory-{}", contender.name)))?;
            first_ack(&broker, Instant::now())?;
            let mut connection = Connection::open(broker.address())?;
            let (batch, _) = LONE.batch()?;
            let mut points = Vec::new();
            for &partitions in range {
                let topic = format!("memory-{partitions}");
                connection.create_topic(&topic, partitions, &[])?;
                wait_for_partitions(&mut connection, &topic, &batch, partitions)
                    .with_context(|| contender.name.clone())?;
                points.push((
                    f64::from(range.iter().filter(|p| **p <= partitions).sum::<i32>()),
                    resident_megabytes(broker.id())?,
                ));
            }
            eprintln!("{}: {points:.1?}", contender.name);
            lines.push((contender.name.clone(), points));
        }
        Ok(Picture {
            file: MEMORY,
            title: "Resident memory by partitions, a record in each".into(),
            across: "partitions",
            up: "MB",
            lines,
        })
    }
}
