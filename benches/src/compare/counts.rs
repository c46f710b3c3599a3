//! What a request costs besides time: system calls, and switches of threads. Each is counted in a run of its own, for a
//! broker that is traced is slow.

use anyhow::Result;
use benches::calls::{count_while, switches};
use benches::load::Prepared;
use benches::report::{Counts, Goal, Row, Sample};
use benches::side::Side;
use benches::workload::Workload;

use super::Bench;

/// How many requests are traced, and how many are sent while switches are counted.
const REQUESTS: (u32, u32) = (300, 3_000);

/// Adds what a request of each workload costs.
pub fn run(bench: &mut Bench<'_>) {
    for workload in bench.compare.workloads() {
        let what = format!("counting calls of {}", workload.name);
        let found = bench.sides.each(&what, |side| a_request(side, workload));
        for (number, what) in ["system calls", "thread switches"].into_iter().enumerate() {
            let samples = found
                .iter()
                .map(|found| found.iter().map(|found| Sample::from(found[number])).collect())
                .collect();
            let name = format!("{}, {what}", workload.name);
            bench.report.add(Row { name, unit: "/req", counts: Counts::Least, goal: Goal::NONE, samples });
        }
    }
}

/// System calls and switches a request.
fn a_request(side: &Side, workload: Workload) -> Result<[f64; 2]> {
    let (id, (traced, timed)) = (side.running().id(), REQUESTS);
    let mut prepared = Prepared::new(side.running().address(), workload, timed)?;
    prepared.run(traced)?;
    let before = switches(id)?;
    prepared.run(timed)?;
    let switched = switches(id)?.saturating_sub(before) as f64 / f64::from(timed);
    let load = move || {
        let moved = prepared.run(traced);
        (prepared, moved)
    };
    let (calls, (prepared, moved)) = count_while(id, load)?;
    moved?;
    prepared.finish()?;
    Ok([calls.total() as f64 / f64::from(traced), switched])
}
