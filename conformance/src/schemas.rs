//! Holds the message declarations of `protocol` against the schema files in Apache Kafka's own jars.
//!
//! Both sides become [`Facts`]; any fact that differs, in either direction, is a failure. The versions that Kafka 4.4
//! knows are compared with its files, the versions that 4.0 removed with those of the last release that had them.
//! Nothing here knows the wire: that declared messages have Kafka's bytes is for the golden bytes to say.

mod compare;
mod declared;
mod facts;
pub mod jars;
mod kafka;

use anyhow::{Result, ensure};

/// The release whose messages are declared.
pub const CURRENT: &str = "4.4.0";

/// The last release that served the versions which 4.0 removed.
pub const BEFORE_REMOVALS: &str = "3.9.1";

/// The artifacts of the current release that hold schema files.
pub const ARTIFACTS: &[&str] = &[
    "kafka-clients",
    "kafka-metadata",
    "kafka-raft",
    "kafka-storage",
    "kafka-group-coordinator",
    "kafka-transaction-coordinator",
    "kafka-share-coordinator",
];

/// Compare every declared message with the schema files of Apache Kafka.
#[derive(clap::Args)]
pub struct Schemas {}

impl Schemas {
    /// Compares; an error if anything differs.
    pub fn run(&self) -> Result<()> {
        let mut current = Vec::new();
        for artifact in ARTIFACTS {
            current.extend(kafka::messages(&jars::fetch(artifact, CURRENT)?)?);
        }
        let before = kafka::messages(&jars::fetch("kafka-clients", BEFORE_REMOVALS)?)?;
        let outcome = compare::compare(&declared::messages(), &current, &before);
        for difference in &outcome.differences {
            println!("{difference}");
        }
        println!(
            "{} messages of Apache Kafka {CURRENT} ({} facts) and {} versions of {BEFORE_REMOVALS} compared: {} differences",
            current.len(),
            outcome.facts,
            outcome.removed_versions,
            outcome.differences.len()
        );
        ensure!(outcome.differences.is_empty(), "the declarations are not Apache Kafka's");
        Ok(())
    }
}
