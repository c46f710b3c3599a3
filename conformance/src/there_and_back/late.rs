//! Topics that are made and written to when a leg has all but ended, each partition with one record, so that the end meets
//! logs whose first records still lie together (ADR 0020).
//!
//! A clean end leaves none of these. After a kill Headwater gives each back to its log; Apache Kafka, started first, does not
//! see those whose logs have no file with it, and they are there again when Headwater comes back. Which these are is read
//! off the disk between the legs.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use conformance::broker_process::{BrokerProcess, Kind, Launch};
use conformance::partition_client::{produce_until_done, read_all};
use conformance::patience::{self, PATIENCE};
use protocol::api_key::ApiKey;
use serde_json::json;

use super::End;
use crate::full_disk::{batch, value};

/// How the names of these topics begin.
pub const PREFIX: &str = "late-";
const PARTITIONS: i32 = 100;
const BYTES: usize = 200;
/// The file that first records lie in.
const TOGETHER: &str = "headwater-first-records";
/// The thread that makes files may have come between the last record and the kill.
const TRIES: u8 = 5;

/// All that were written so far.
#[derive(Default)]
pub struct Late {
    topics: Vec<String>,
    /// The partitions whose own files hold nothing.
    elsewhere: BTreeSet<(String, i32)>,
}

impl Late {
    /// Writes, and ends the broker.
    pub fn end(
        &mut self,
        (launch, mut broker): (&Launch, BrokerProcess),
        (leg, end): (u8, End),
        directories: &[PathBuf],
    ) -> Result<()> {
        for attempt in 1..=TRIES {
            self.write(broker.address(), format!("{PREFIX}{leg}-{attempt}"))?;
            match end {
                End::Killed => broker.kill()?,
                End::Clean => broker.end()?,
            }
            self.look_at_files(directories)?;
            match (launch.kind, end) {
                (Kind::Headwater, End::Killed) if self.elsewhere.is_empty() => {}
                (Kind::Headwater, End::Clean) => {
                    ensure!(self.elsewhere.is_empty(), "a clean end leaves {:?} to come", self.elsewhere);
                    return Ok(());
                }
                _ => return Ok(()),
            }
            broker = launch.start().context("once more")?;
        }
        anyhow::bail!("in {TRIES} kills no first record lay outside of its log")
    }

    fn write(&mut self, address: SocketAddr, topic: String) -> Result<()> {
        let wanted =
            json!({"Name": topic, "NumPartitions": PARTITIONS, "ReplicationFactor": 1, "Configs": []});
        patience::insist(address, ApiKey::CreateTopics, 5, &json!({"Topics": [wanted]}))?;
        for partition in 0..PARTITIONS {
            let number = u64::try_from(partition)?;
            let offset = produce_until_done(address, (&topic, partition), &batch(number, BYTES), PATIENCE)?;
            ensure!(offset == 0, "the first record of {topic}-{partition} is given offset {offset}");
        }
        self.topics.push(topic);
        Ok(())
    }

    fn look_at_files(&mut self, directories: &[PathBuf]) -> Result<()> {
        self.elsewhere.clear();
        for topic in &self.topics {
            for partition in 0..PARTITIONS {
                let log = format!("{topic}-{partition}/00000000000000000000.log");
                let mut lengths =
                    directories.iter().filter_map(|directory| directory.join(&log).metadata().ok());
                if !lengths.any(|facts| facts.len() > 0) {
                    self.elsewhere.insert((topic.clone(), partition));
                }
            }
        }
        let together = directories.iter().any(|directory| directory.join(TOGETHER).exists());
        let missing = self.elsewhere.len();
        ensure!(
            together || missing == 0,
            "{missing} logs are without their record, and there is no {TOGETHER}"
        );
        Ok(())
    }

    /// Reads them all in the next leg.
    pub fn expect(&self, address: SocketAddr, who: Kind) -> Result<()> {
        let mut missing = 0;
        for topic in &self.topics {
            for partition in 0..PARTITIONS {
                let contents = read_all(address, (topic, partition))?;
                let held: Vec<_> = contents.records.iter().map(|record| record.value.clone()).collect();
                let may_miss = who != Kind::Headwater && self.elsewhere.contains(&(topic.clone(), partition));
                if held.is_empty() && may_miss {
                    missing += 1;
                    continue;
                }
                let whole = held == [Some(value(u64::try_from(partition)?, BYTES))];
                ensure!(whole, "{topic}-{partition} holds {} records, not the one it was given", held.len());
            }
        }
        let (count, elsewhere) = (self.topics.len() * PARTITIONS as usize, self.elsewhere.len());
        println!(
            "     {count} first records, {elsewhere} of them outside of their logs, {missing} not seen by {who:?}"
        );
        Ok(())
    }
}
