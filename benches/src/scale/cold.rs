//! Producers beside readers of records that are in no memory any more.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use benches::cold::Cold;
use benches::load::{Connection, wait_for_partitions};
use benches::paced::Paced;
use benches::report::{Counts, Goal};
use benches::workload::SMALL_BATCHES;

use super::Bench;

const PRODUCERS: usize = 16;
/// Batches of 16 KiB a second, of all of them together.
const RATE: u32 = 1_000;
const PARTITIONS: i32 = 8;
const READERS: i32 = 2;
/// What each of them has to catch up on.
const MEGABYTES: usize = 1_000;
/// How much longer than without them 99 of 100 acknowledgements may take.
const RATIO_MAX: f64 = 1.5;

pub fn run(bench: &mut Bench<'_>) -> Result<()> {
    let sides = bench.start("cold", Some)?;
    let (batch, _) = SMALL_BATCHES.batch()?;
    let topic = "hot";
    let (megabytes, duration) = match bench.scale.quick {
        true => (MEGABYTES / 10, Duration::from_secs(1)),
        false => (MEGABYTES, Duration::from_secs(5)),
    };
    let mut cold = Vec::new();
    for side in &sides {
        let address = side.running().address();
        let mut admin = Connection::open(address)?;
        admin.create_topic(topic, PARTITIONS, &[])?;
        wait_for_partitions(&mut admin, topic, &batch, PARTITIONS)?;
        eprintln!("cold: filling {}", side.name);
        cold.push(Cold::fill(address, &bench.place("cold", &side.name), READERS, megabytes)?);
    }
    let of = |name: &str| sides.iter().zip(&cold).find(|(side, _)| side.name == name).map(|(_, cold)| cold);
    let found = bench.in_turn(&sides, |side| {
        let address = side.running().address();
        let paced = Paced::open(address, PRODUCERS, RATE, (topic, PARTITIONS), &batch)?;
        paced.run(Duration::from_secs(1))?;
        let alone = paced.run(duration)?;
        let (stop, bytes, begin) = (AtomicBool::new(false), AtomicU64::new(0), Instant::now());
        let beside = std::thread::scope(|scope| -> Result<_> {
            let readers: Vec<_> = of(&side.name)
                .into_iter()
                .flat_map(|cold| (0..READERS).map(move |partition| (cold, partition)))
                .map(|(cold, partition)| {
                    let (stop, bytes) = (&stop, &bytes);
                    scope.spawn(move || cold.catch_up(address, partition, stop, bytes))
                })
                .collect();
            let beside = paced.run(duration);
            stop.store(true, Ordering::Relaxed);
            for reader in readers {
                reader.join().map_err(|_| anyhow::anyhow!("a reader of the load panicked"))??;
            }
            beside
        })?;
        let read = bytes.load(Ordering::Relaxed) as f64 / 1e6 / begin.elapsed().as_secs_f64();
        Ok(vec![alone.p99, beside.p99, beside.p99 / alone.p99, read])
    })?;
    let median = (Counts::Median, Goal::NONE);
    bench.add((&format!("{PRODUCERS} producers alone, p99"), "ms"), median, &found, 0);
    bench.add((&format!("beside {READERS} readers of cold records, p99"), "ms"), median, &found, 1);
    bench.add(("  against alone", "x"), (Counts::Median, Goal::absolute(RATIO_MAX)), &found, 2);
    bench.add(("  what the readers read", "MB/s"), median, &found, 3);
    for (side, cold) in sides.iter().zip(cold) {
        cold.finish(side.running().address())?;
    }
    Ok(())
}
