//! `size --killed`: what a node that is killed in the midst of a large segment has to read before it acknowledges again, and
//! what it costs its producer that it is not the whole segment.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use benches::frames::{AnswerShape, Frame};
use benches::goals::Goals;
use benches::load::Connection;
use benches::workload::WORKLOADS;
use conformance::broker_process::{BrokerProcess, Kind, Launch};

use crate::vast::{ACK_AFTER_KILL_MS, millis, start};

const TOPIC: &str = "killed";
/// Requests of four batches of 64 KiB: they just fit into the segment.
const REQUESTS: u32 = 3_875;
const TOGETHER: u32 = 4;
const SEGMENT_BYTES: &str = "1073741824";
const PACE: Duration = Duration::from_millis(1);

/// Fills a segment of a gigabyte nearly, at full speed and steadily, with places for recovery to begin at and without.
pub fn run(parent: Option<&Path>, goals: &Goals) -> Result<()> {
    for (speed, pause) in [("at full speed", Duration::ZERO), ("steadily", PACE)] {
        for (places, bytes) in [("without places", Some(0)), ("", None)] {
            let directory = match parent {
                Some(parent) => tempfile::tempdir_in(parent)?,
                None => tempfile::tempdir()?,
            };
            let mut launch = Launch::new(Kind::Headwater, directory.path())?;
            if let Some(bytes) = bytes {
                launch = launch.set("headwater.recovery.bytes", bytes);
            }
            let broker = launch.start()?;
            println!("{speed} {places}");
            write(&broker, pause)?;
            kill(&launch, broker, "first ack", bytes.is_none().then_some(goals))?;
            let (broker, took) = start(&launch, TOPIC)?;
            println!("clean       {:.1} ms to the first ack", millis(took));
            // The thread in the background has its turn.
            std::thread::sleep(Duration::from_secs(2));
            kill(
                &launch,
                broker,
                "first ack, two seconds after a clean start",
                bytes.is_none().then_some(goals),
            )?;
        }
    }
    Ok(())
}

fn write(broker: &BrokerProcess, pause: Duration) -> Result<()> {
    let mut connection = Connection::open(broker.address())?;
    connection.create_topic(TOPIC, 1, &[("segment.bytes", SEGMENT_BYTES)])?;
    let workload = WORKLOADS.iter().find(|workload| workload.name == "produce-64k").context("64 KiB")?;
    let (batch, _) = workload.batch()?;
    let mut frame = Frame::produce(TOPIC, &batch);
    let mut waits = Vec::new();
    let begin = Instant::now();
    for _ in 0..REQUESTS {
        let sent = Instant::now();
        let shape = AnswerShape::produce(TOPIC);
        connection.pump_in_flight(&mut frame, shape, (TOGETHER, TOGETHER), |_, _| ())?;
        waits.push(sent.elapsed());
        std::thread::sleep(pause.saturating_sub(sent.elapsed()));
    }
    let megabytes = f64::from(REQUESTS * TOGETHER) * batch.len() as f64 / 1e6;
    waits.sort_unstable();
    let at = |part: usize| waits[waits.len() * part / 1000].as_secs_f64() * 1e6;
    println!(
        "written     {megabytes:.0} MB, {:.0} MB/s; four batches wait {:.0} us, p99 {:.0} us, p99.9 {:.0} us",
        megabytes / begin.elapsed().as_secs_f64(),
        at(500),
        at(990),
        at(999)
    );
    Ok(())
}

/// Kills the node, and ends it in order after another start.
fn kill(launch: &Launch, broker: BrokerProcess, what: &str, goals: Option<&Goals>) -> Result<()> {
    broker.kill()?;
    let (broker, took) = start(launch, TOPIC)?;
    let took = millis(took);
    let goal = goals.map(|goals| goals.at_most(what, took, ACK_AFTER_KILL_MS, "ms"));
    println!("kill -9     {took:.1} ms to the {what}{}", goal.unwrap_or_default());
    broker.end()
}
