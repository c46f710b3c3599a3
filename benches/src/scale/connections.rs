//! Very many connections, most of them at rest.

use std::time::Duration;

use anyhow::Result;
use benches::asker::Asker;
use benches::load::{Connection, wait_for_partitions};
use benches::machine::kernel_megabytes;
use benches::paced::Paced;
use benches::report::{Counts, Goal};
use benches::side::Side;
use benches::workload::LONE;

use super::Bench;

const CONNECTIONS: usize = 10_000;
const ACTIVE: usize = 1_000;
/// Requests a second of the active ones together.
const RATE: u32 = 2_000;
/// What a connection at rest may take, in KiB, of the broker's memory and of the kernel's.
const KIB_MAX: f64 = 8.0;
/// How much longer than alone 99 of 100 acknowledgements may take: none, but for what two runs of the same differ by.
const RATIO_MAX: f64 = 1.1;
const PARTITIONS: i32 = 8;

pub fn run(bench: &mut Bench<'_>) -> Result<()> {
    let connections = if bench.scale.quick { CONNECTIONS / 10 } else { CONNECTIONS };
    let active = connections * ACTIVE / CONNECTIONS;
    let sides = bench.start("connections", Some)?;
    let mut held = Vec::new();
    for side in &sides {
        held.push((side.name.clone(), vec![at_rest(side, connections)?]));
    }
    let name = format!("{connections} connections at rest");
    let goal = (Counts::Least, Goal::absolute(KIB_MAX));
    bench.add((&format!("{name}, each"), "KiB"), goal, &held, 0);
    bench.add(("  of that the broker's own", "KiB"), (Counts::Least, Goal::NONE), &held, 1);
    let topic = "active";
    let (batch, _) = LONE.batch()?;
    for side in &sides {
        let mut admin = Connection::open(side.running().address())?;
        admin.create_topic(topic, PARTITIONS, &[])?;
        wait_for_partitions(&mut admin, topic, &batch, PARTITIONS)?;
    }
    let duration = Duration::from_secs(if bench.scale.quick { 1 } else { 5 });
    let found = bench.in_turn(&sides, |side| {
        let address = side.running().address();
        let paced = Paced::open(address, active, RATE, (topic, PARTITIONS), &batch)?;
        // The first requests of a connection find nothing of it in any cache.
        paced.run(Duration::from_secs(1))?;
        let alone = paced.run(duration)?;
        let resting = Asker::open_many(address, connections - active)?;
        let beside = paced.run(duration)?;
        drop(resting);
        Ok(vec![alone.p99, beside.p99, beside.p99 / alone.p99])
    })?;
    let median = (Counts::Median, Goal::NONE);
    bench.add((&format!("{active} active alone, p99"), "ms"), median, &found, 0);
    bench.add((&format!("beside {} at rest, p99", connections - active), "ms"), median, &found, 1);
    bench.add(("  against alone", "x"), (Counts::Median, Goal::absolute(RATIO_MAX)), &found, 2);
    Ok(())
}

/// KiB that a connection at rest takes, in all and of the broker's own memory. Both ends are on this machine, so of what
/// the kernel holds half is the broker's.
fn at_rest(side: &Side, connections: usize) -> Result<Vec<f64>> {
    let settle = Duration::from_secs(1);
    std::thread::sleep(settle);
    let (own, kernel) = (side.megabytes()?, kernel_megabytes()?);
    let resting = Asker::open_many(side.running().address(), connections)?;
    std::thread::sleep(settle);
    let own = (side.megabytes()? - own) * 1e6 / 1024.0 / connections as f64;
    let kernel = (kernel_megabytes()? - kernel) * 1e6 / 1024.0 / connections as f64 / 2.0;
    drop(resting);
    Ok(vec![own + kernel, own])
}
