//! What readers at rest cost: many of few partitions, and one of very many.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use benches::contender::Contender;
use benches::load::{Connection, wait_for_partitions};
use benches::report::{Counts, Goal};
use benches::resting::Resting;
use benches::side::Side;
use benches::workload::LONE;

use super::Bench;

const CONSUMERS: usize = 1_000;
const PARTITIONS: i32 = 100;
/// Partitions of a topic, where there are very many.
const A_TOPIC: i32 = 1_000;
const VERY_MANY: [i32; 2] = [10_000, 100_000];
/// Apache Kafka is asked for no more: it has files of every partition open.
const OF_KAFKA_MAX: i32 = 10_000;
/// The share of a core that they may take, in hundredths.
const SHARE_MAX: f64 = 1.0;
/// How long the broker may let them wait.
const WAIT: Duration = Duration::from_secs(5);
/// Each asks so often while it is looked at.
const ROUNDS: u32 = 3;
/// Making partitions is over when the broker takes less of a core than this in a while.
const SETTLED: f64 = 2.0;
const WHILE: Duration = Duration::from_secs(2);

/// A thousand consumers of a hundred partitions.
pub fn polls(bench: &mut Bench<'_>) -> Result<()> {
    let consumers = if bench.scale.quick { CONSUMERS / 10 } else { CONSUMERS };
    // Apache Kafka divides its slots among eight locks, and chooses one by chance.
    let slots =
        |contender: Contender| Some(contender.set("max.incremental.fetch.session.cache.slots", "4000"));
    let sides = bench.start("polls", slots)?;
    let mut resting = Vec::new();
    for side in &sides {
        let topics = fill(side, &[("polled".to_owned(), PARTITIONS)])?;
        let consumers = Resting::open(side.running().address(), consumers, &topics, WAIT)?;
        eprintln!("  {}: {} sessions", side.name, consumers.sessions());
        resting.push(consumers);
    }
    let name = format!("{consumers} consumers of {PARTITIONS} partitions at rest");
    measure(bench, &name, &sides, resting)
}

/// One consumer of ten thousand partitions, and of a hundred thousand.
pub fn partitions(bench: &mut Bench<'_>) -> Result<()> {
    for partitions in VERY_MANY {
        let partitions = if bench.scale.quick { partitions / 10 } else { partitions };
        let part = format!("partitions-{partitions}");
        let few = partitions <= OF_KAFKA_MAX;
        let sides =
            bench.start(&part, |contender| (few || contender.name != "kafka").then_some(contender))?;
        let topics: Vec<_> =
            (0..partitions / A_TOPIC).map(|number| (format!("tailed-{number:03}"), A_TOPIC)).collect();
        let mut resting = Vec::new();
        for side in &sides {
            let begin = Instant::now();
            let topics = fill(side, &topics)?;
            resting.push(Resting::open(side.running().address(), 1, &topics, WAIT)?);
            eprintln!("  {}: {partitions} partitions in {:.1?}", side.name, begin.elapsed());
        }
        measure(bench, &format!("a consumer of {partitions} partitions at rest"), &sides, resting)?;
    }
    Ok(())
}

/// The share of a core of each side while its consumers are at rest.
fn measure(bench: &mut Bench<'_>, name: &str, sides: &[Side], mut resting: Vec<Resting>) -> Result<()> {
    let rounds = if bench.scale.quick { 1 } else { ROUNDS };
    let mut found = Vec::new();
    for (side, resting) in sides.iter().zip(&mut resting) {
        settle(side)?;
        let mut runs = Vec::new();
        // The first time they ask they have not been told anything yet.
        resting.rest(2)?;
        for _ in 0..bench.scale.pairs().min(3) {
            let before = side.cpu()?;
            let elapsed = resting.rest(rounds)?;
            runs.push(vec![side.cpu()?.since(before).total() / elapsed.as_secs_f64() * 100.0]);
            eprintln!("  {}: {:.2?} % of a core", side.name, runs.last());
        }
        found.push((side.name.clone(), runs));
    }
    bench.add((name, "%"), (Counts::Least, Goal::absolute(SHARE_MAX)), &found, 0);
    Ok(())
}

/// Makes topics with one record in each partition.
fn fill(side: &Side, topics: &[(String, i32)]) -> Result<Vec<(String, i32)>> {
    let (batch, _) = LONE.batch()?;
    let mut connection = Connection::open(side.running().address())?;
    for (topic, partitions) in topics {
        connection.create_topic(topic, *partitions, &[])?;
        wait_for_partitions(&mut connection, topic, &batch, *partitions)?;
    }
    Ok(topics.to_vec())
}

/// Waits until the broker has nothing left to do.
fn settle(side: &Side) -> Result<()> {
    let begin = Instant::now();
    loop {
        let before = side.cpu()?;
        std::thread::sleep(WHILE);
        let share = side.cpu()?.since(before).total() / WHILE.as_secs_f64() * 100.0;
        if share < SETTLED {
            return Ok(());
        }
        ensure!(begin.elapsed() < Duration::from_secs(180), "{} does not come to rest", side.name);
    }
}
