//! `size --left-alone`: what a node has to read after a kill of very many logs that nobody has written to for a while, none of
//! which has ever grown large.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use benches::frames::{AnswerShape, Frame};
use benches::goals::Goals;
use benches::load::{Connection, wait_for_partitions};
use benches::workload::WORKLOADS;
use conformance::broker_process::{BrokerProcess, Kind, Launch};
use storage::resume_point::RESUME_POINT;

use crate::vast::{ACK_AFTER_KILL_MS, millis, start};

const TOPIC: &str = "alone";
const PARTITIONS: i32 = 256;
/// Batches of 64 KiB in each.
const BATCHES: u32 = 128;
/// So long a node may take to bring them all to stable storage.
const PATIENCE: Duration = Duration::from_secs(120);

/// Fills the logs and kills the node: without places for recovery to begin at, and once each has one.
pub fn run(parent: Option<&Path>, goals: &Goals) -> Result<()> {
    for places in [false, true] {
        let directory = match parent {
            Some(parent) => tempfile::tempdir_in(parent)?,
            None => tempfile::tempdir()?,
        };
        let mut launch = Launch::new(Kind::Headwater, directory.path())?;
        if !places {
            launch = launch.set("headwater.recovery.bytes", 0);
        }
        let broker = launch.start()?;
        write(&broker)?;
        if places {
            let took = wait_for_places(&launch.data_directory())?;
            println!("settled     {:.1} s until recovery would begin at the end of each", took.as_secs_f64());
        }
        broker.kill()?;
        let (broker, took) = start(&launch, TOPIC)?;
        let (took, told) = (millis(took), if places { "left alone" } else { "without places" });
        let goal = places.then(|| goals.at_most("first ack, left alone", took, ACK_AFTER_KILL_MS, "ms"));
        println!("kill -9     {took:.1} ms to the first ack, {told}{}", goal.unwrap_or_default());
        broker.end()?;
    }
    Ok(())
}

fn write(broker: &BrokerProcess) -> Result<()> {
    let mut connection = Connection::open(broker.address())?;
    connection.create_topic(TOPIC, PARTITIONS, &[])?;
    let workload = WORKLOADS.iter().find(|workload| workload.name == "produce-64k").context("64 KiB")?;
    let (batch, _) = workload.batch()?;
    wait_for_partitions(&mut connection, TOPIC, &batch, PARTITIONS)?;
    let mut frame = Frame::produce(TOPIC, &batch);
    let turn = |frame: &mut Frame, number: u32| frame.set_partition(number as i32 % PARTITIONS);
    let requests = BATCHES * PARTITIONS.unsigned_abs();
    connection.pump(&mut frame, AnswerShape::produce(TOPIC), requests, turn)?;
    println!("written     {PARTITIONS} logs of {:.1} MB", f64::from(BATCHES + 1) * batch.len() as f64 / 1e6);
    Ok(())
}

fn wait_for_places(data: &Path) -> Result<Duration> {
    let begun = Instant::now();
    let lacks = |index: &i32| !data.join(format!("{TOPIC}-{index}")).join(RESUME_POINT).exists();
    while (0..PARTITIONS).any(|index| lacks(&index)) {
        ensure!(begun.elapsed() < PATIENCE, "logs stay without a place for recovery to begin at");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(begun.elapsed())
}
