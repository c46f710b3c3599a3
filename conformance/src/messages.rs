//! Holds the bytes of every message and version against the classes in Apache Kafka's own jars.
//!
//! Random messages, written by the schemas, go through the Java class of the same name, which must read them whole and
//! write the same bytes; and a message of defaults must be written as a new Java object is. Versions that 4.0 removed go
//! through the classes of the last release that had them. That `protocol` itself writes these bytes is what its own
//! properties say.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use conformance::broker_process::repository;
use protocol::messages::catalogue::{self, Entry};

use crate::schemas::{self, jars};

#[path = "../../crates/protocol/tests/model/mod.rs"]
mod model;

/// Send random messages of every version through the classes of Apache Kafka.
#[derive(clap::Args)]
pub struct Messages {
    /// Random messages of each version.
    #[arg(long, default_value_t = 60)]
    cases: u16,
}

impl Messages {
    /// Sends them; an error if any comes back otherwise.
    pub fn run(&self) -> Result<()> {
        let current = schemas::ARTIFACTS.iter().map(|artifact| jars::fetch(artifact, schemas::CURRENT));
        let current = current.collect::<Result<Vec<_>>>()?;
        let before = vec![
            jars::fetch("kafka-clients", schemas::BEFORE_REMOVALS)?,
            // Its classes of record batches cannot be loaded without.
            jars::fetch_from("org.slf4j", "slf4j-api", "1.7.36")?,
        ];
        let mut differences = 0;
        for (release, jars, is_current) in
            [(schemas::CURRENT, current, true), (schemas::BEFORE_REMOVALS, before, false)]
        {
            let lines = self.lines(is_current);
            let said = recode(&jars, &lines)?;
            let (last, problems) = said.split_last().context("Java said nothing")?;
            problems.iter().for_each(|problem| println!("{problem}"));
            println!(
                "{} messages sent through Apache Kafka {release}: {last}, {} differ",
                lines.len(),
                problems.len()
            );
            ensure!(
                *last == format!("same {}", lines.len() - problems.len()),
                "Java did not come to the end"
            );
            differences += problems.len();
        }
        ensure!(differences == 0, "{differences} messages have other bytes in Apache Kafka");
        Ok(())
    }

    /// What to send: of the versions that the current release knows, or of the others.
    fn lines(&self, is_current: bool) -> Vec<String> {
        let mut lines = Vec::new();
        for entry in catalogue::all() {
            let versions = entry.schema.versions.iter();
            for version in versions.filter(|&version| entry.schema.current.contains(version) == is_current) {
                let name = entry.schema.name;
                let mut bytes = Vec::new();
                let outcome = (entry.encode_default)(version, &mut bytes);
                let default = if outcome.is_ok() { hex(&bytes) } else { "-".into() };
                lines.push(format!("default {name} {version} {default}"));
                for case in 0..self.cases {
                    let bytes = random(entry, version, case);
                    lines.push(format!("read {name} {version} {}", hex(&bytes)));
                }
            }
        }
        lines
    }
}

/// A message that depends on nothing but the arguments; later cases are larger.
fn random(entry: &Entry, version: i16, case: u16) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ (u64::from(case) << 32) ^ entry.schema.name.len() as u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    let entropy: Vec<u8> = (0..usize::from(case) * 10).map(next).collect();
    let fields = entry.schema.fields;
    let made = model::fields(fields, version, &mut model::Entropy::new(&entropy));
    let mut bytes = Vec::new();
    model::write(fields, &made, version, entry.schema.flexible.contains(version), &mut bytes);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sends the lines through the Java program and hands back what it says.
fn recode(jars: &[PathBuf], lines: &[String]) -> Result<Vec<String>> {
    let classpath: Vec<_> = jars.iter().map(|jar| jar.display().to_string()).collect();
    let mut java = Command::new("java")
        .args(["-cp", &classpath.join(":")])
        .arg(repository().join("conformance/messages/Recode.java"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("java cannot be run; a JDK of version 17 or later is needed")?;
    let mut input = java.stdin.take().context("the standard input of java is piped")?;
    let text = lines.join("\n");
    // Both pipes are bounded: what Java says must be read while it is being spoken to.
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let mut said = String::new();
    java.stdout.take().context("the standard output of java is piped")?.read_to_string(&mut said)?;
    let status = java.wait()?;
    ensure!(status.success(), "java failed: {status}");
    writer.join().map_err(|_| anyhow::anyhow!("the writer to java panicked"))??;
    Ok(said.lines().map(Into::into).collect())
}
