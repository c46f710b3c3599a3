//! Real clients as loads: Apache Kafka's own performance tools, librdkafka and franz-go, what they cost the broker and how
//! fast they get on.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use benches::load::{Connection, wait_for_partitions};
use benches::report::{Counts, Goal};
use benches::side::Side;
use benches::workload::LONE;
use conformance::broker_process::repository;

use super::Bench;

const CLIENTS: [&str; 3] = ["kafka-clients", "librdkafka", "franz-go"];
const RECORDS: u32 = 500_000;
const RECORD_BYTES: u32 = 1_024;
const PARTITIONS: i32 = 8;

pub fn run(bench: &mut Bench<'_>) -> Result<()> {
    // A group of one waits for nobody.
    let lone = |contender: benches::contender::Contender| {
        Some(contender.set("group.initial.rebalance.delay.ms", "0"))
    };
    let sides = bench.start("clients", lone)?;
    let records = if bench.scale.quick { RECORDS / 10 } else { RECORDS };
    for client in CLIENTS {
        for side in &sides {
            eprintln!("clients: warming up {} with {client}", side.name);
            load(side, client, records)?;
        }
        let found = bench.in_turn(&sides, |side| load(side, client, records))?;
        for (number, what) in ["produce", "consume"].into_iter().enumerate() {
            let (cpu, clock) = (number * 2, number * 2 + 1);
            let least = (Counts::Least, Goal::NONE);
            bench.add((&format!("{client}, {what}"), "s/GB"), least, &found, cpu);
            bench.add(("  by the client's clock", "s/GB"), least, &found, clock);
        }
    }
    Ok(())
}

/// Has a client produce and consume; of each the broker's CPU and the client's time, in seconds a gigabyte.
fn load(side: &Side, client: &str, records: u32) -> Result<Vec<f64>> {
    let address = side.running().address();
    let mut admin = Connection::open(address)?;
    let topic = format!("load-{client}");
    admin.create_topic(&topic, PARTITIONS, &[])?;
    // Those that show that the partitions are there are not among those that are counted.
    wait_for_partitions(&mut admin, &topic, &LONE.batch()?.0, PARTITIONS)?;
    let gigabytes = f64::from(records) * f64::from(RECORD_BYTES) / 1e9;
    let mut found = Vec::new();
    for what in ["produce", "consume"] {
        let before = side.cpu()?;
        let seconds = call(address, client, what, &topic, records)?;
        found.extend([side.cpu()?.since(before).total() / gigabytes, seconds / gigabytes]);
    }
    admin.delete_topic(&topic)?;
    Ok(found)
}

/// Runs a client; how long it says that took.
fn call(address: SocketAddr, client: &str, what: &str, topic: &str, records: u32) -> Result<f64> {
    let program = repository().join("benches/clients").join(client).join("run");
    let run = Command::new(&program)
        .args([&address.to_string(), what, topic, &records.to_string(), &RECORD_BYTES.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| program.display().to_string())?;
    let told = String::from_utf8_lossy(&run.stdout);
    ensure!(run.status.success(), "{client} could not {what}: {told}");
    counted(&told, records).with_context(|| format!("{client} was to {what}, and said: {told}"))
}

/// Reads `N records in S s`, of at least so many.
fn counted(told: &str, records: u32) -> Option<f64> {
    let (count, seconds) = told.lines().last()?.split_once(" records in ")?;
    let seconds = seconds.strip_suffix(" s")?.parse().ok()?;
    (count.parse::<u32>().ok()? >= records).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn a_client_that_moved_less_counts_for_nothing() {
        assert_eq!(counted("a line\n500 records in 2.5 s\n", 500), Some(2.5));
        assert_eq!(counted("499 records in 2.5 s", 500), None);
        assert_eq!(counted("500 records", 500), None);
    }
}
