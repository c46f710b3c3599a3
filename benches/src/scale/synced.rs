//! Acknowledgements from stable storage, beside what the disk does: by the clock with all batches in one file, in CPU with
//! each in a file of its own.
//!
//! A broker that waits for the disk serves few requests: one that has to be compiled before it is fast would not be by the time it
//! is measured. So each first serves as many as it can that nothing waits for.

use std::time::Duration;

use anyhow::Result;
use benches::load::{Connection, wait_for_partitions};
use benches::report::{Counts, Goal, Row, Sample};
use benches::side::Side;
use benches::synced::{cost_of_files, produce, write};
use benches::turns::without_wavering;
use benches::workload::SMALL_BATCHES;

use super::Bench;

const PRODUCERS: [usize; 3] = [1, 16, 64];
/// A third of the time that Apache Kafka takes, or what the disk takes over seven tenths.
const GOAL: Goal = Goal::either(1.0 / 3.0, 1.0 / 0.7);
const CPU_GOAL: Goal = Goal { of_kafka: Some(0.25), ..Goal::NONE };

/// So many producers have a broker serve what nothing waits for.
const WARMING: usize = 16;

pub fn run(bench: &mut Bench<'_>) -> Result<()> {
    let sides = bench.start("fsync", Some)?;
    let (batch, _) = SMALL_BATCHES.batch()?;
    let seconds = |whole| Duration::from_secs(if bench.scale.quick { 1 } else { whole });
    for side in &sides {
        let address = side.running().address();
        let mut admin = Connection::open(address)?;
        admin.create_topic("warm", i32::try_from(WARMING)?, &[("file.delete.delay.ms", "0")])?;
        wait_for_partitions(&mut admin, "warm", &batch, i32::try_from(WARMING)?)?;
        eprintln!("fsync: warming up {} without waiting for the disk", side.name);
        produce(address, "warm", &batch, WARMING, seconds(15))?;
        admin.delete_topic("warm")?;
    }
    // What that has left is not to be written while others are measured.
    rustix::fs::sync();
    for producers in PRODUCERS {
        let topic = format!("synced-{producers}");
        for side in &sides {
            let mut admin = Connection::open(side.running().address())?;
            // Kafka's own way to say it; what it makes of it is to sync within the partition's lock.
            admin.create_topic(&topic, i32::try_from(producers)?, &[("flush.messages", "1")])?;
            wait_for_partitions(&mut admin, &topic, &batch, i32::try_from(producers)?)?;
            eprintln!("fsync: warming up {} with {producers}", side.name);
            produce(side.running().address(), &topic, &batch, producers, seconds(8))?;
        }
        let mut turns = Vec::new();
        for _ in 0..bench.scale.pairs() {
            let turn = |side: &Side| -> Result<Vec<Sample>> {
                let before = side.cpu()?;
                let done = produce(side.running().address(), &topic, &batch, producers, seconds(4))?;
                let cpu = side.cpu()?.since(before);
                let each = cpu.total() / done.batches as f64 * 1e6;
                let cpu = Sample { value: each, user_share: Some(cpu.user / cpu.total()) };
                Ok(vec![Sample::from(done.micros_each()), cpu])
            };
            let mut turn = sides.iter().map(turn).collect::<Result<Vec<_>>>()?;
            let disk = write(bench.directory, &batch, producers, seconds(2))?;
            let files = cost_of_files(bench.directory, &batch, producers, seconds(2))?;
            turn.push(vec![Sample::from(disk.micros_each()), Sample::from(files)]);
            turns.push(turn);
        }
        without_wavering(&mut turns, sides.len());
        let figures = |number: usize| {
            let of = |side: usize| {
                turns.iter().filter_map(move |turn| turn[side].get(number)).copied().collect::<Vec<_>>()
            };
            (0..=sides.len()).map(of).collect::<Vec<_>>()
        };
        let many = producers > 1;
        let name = format!("fsync, {producers} producers of 16 KiB");
        let goal = if many { GOAL } else { Goal::NONE };
        bench.report.add(Row { name, unit: "us/ack", counts: Counts::Median, goal, samples: figures(0) });
        let goal = if many { CPU_GOAL } else { Goal::NONE };
        let (name, samples) = ("  cpu".to_owned(), figures(1));
        bench.report.add(Row { name, unit: "us/req", counts: Counts::Least, goal, samples });
    }
    Ok(())
}
