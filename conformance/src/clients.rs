//! Runs the real clients of `conformance/clients` against a broker, one after another; or those of years ago, of
//! `conformance/old-clients`.
//!
//! Each `run` installs what it needs, prints its checks and ends with `N passed, M failed`. Nothing here looks into
//! what they check. `EXAMINED` tells them whose broker it is (`headwater` or `apache-kafka`), for what only one of them can.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use conformance::broker_process::{Kind, Launch, repository};

use crate::Against;

/// The folder of the clients of years ago.
pub const OLD: &str = "old-clients";

/// Which clients to run, and against what.
#[derive(clap::Args)]
pub struct Clients {
    #[command(flatten)]
    against: Against,
    /// Only the clients of these names; all of them if none is named.
    #[arg(long)]
    only: Vec<String>,
}

impl Clients {
    /// Runs those of a folder; an error if a check failed.
    pub fn run(&self, folder: &str) -> Result<()> {
        let directory = tempfile::tempdir()?;
        let mut broker = None;
        let bootstrap = match &self.against.bootstrap {
            Some(bootstrap) => bootstrap.clone(),
            None => {
                let kind = match (self.against.apache_kafka, folder) {
                    (false, _) => Kind::Headwater,
                    // The last release that still knows them.
                    (true, OLD) => Kind::ApacheKafka39,
                    (true, _) => Kind::ApacheKafka,
                };
                let started = settings(Launch::new(kind, directory.path())?).start()?;
                let address = started.address().to_string();
                broker = Some(started);
                address
            }
        };
        let mut totals = (0, 0);
        for client in self.chosen(folder)? {
            let name = client.file_name().unwrap_or_default().to_string_lossy().into_owned();
            println!("== {name}");
            let examined = if self.against.apache_kafka { "apache-kafka" } else { "headwater" };
            let run = run_client(&client, &bootstrap, examined);
            let (passed, failed) = run.with_context(|| name.clone())?;
            totals = (totals.0 + passed, totals.1 + failed);
        }
        drop(broker);
        println!("== all clients\n{} passed, {} failed", totals.0, totals.1);
        ensure!(totals.1 == 0, "{} checks of real clients failed", totals.1);
        Ok(())
    }

    fn chosen(&self, folder: &str) -> Result<Vec<PathBuf>> {
        let mut clients = Vec::new();
        for entry in std::fs::read_dir(repository().join("conformance").join(folder))? {
            let path = entry?.path();
            let named = |name: &String| path.ends_with(name);
            if path.join("run").exists() && (self.only.is_empty() || self.only.iter().any(named)) {
                clients.push(path);
            }
        }
        ensure!(
            !clients.is_empty(),
            "no client in conformance/{folder} has one of the names {:?}",
            self.only
        );
        clients.sort();
        Ok(clients)
    }
}

/// What lets nobody wait for members that have gone, or for more of them to come, or for what is ended by time.
fn settings(launch: Launch) -> Launch {
    let launch = match launch.kind {
        // It knows nothing of the consumer protocol's bounds by default.
        Kind::ApacheKafka39 => launch,
        _ => launch
            .set("group.consumer.min.session.timeout.ms", 1000)
            .set("group.consumer.min.heartbeat.interval.ms", 100)
            .set("group.consumer.heartbeat.interval.ms", 500),
    };
    launch
        .set("group.min.session.timeout.ms", 1000)
        .set("group.initial.rebalance.delay.ms", 0)
        .set("transaction.abort.timed.out.transaction.cleanup.interval.ms", 200)
        .set("log.cleaner.backoff.ms", 200)
}

/// Runs one client, passes on what it prints and reads the counts off its last line.
fn run_client(client: &std::path::Path, bootstrap: &str, examined: &str) -> Result<(u32, u32)> {
    let mut child = Command::new(client.join("run"))
        .arg(bootstrap)
        .env("EXAMINED", examined)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().context("the output is piped")?;
    let mut counts = None;
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        counts = counts_of(&line).or(counts);
    }
    let status = child.wait()?;
    let (passed, failed) = counts.with_context(|| format!("ended with {status} and no counts"))?;
    ensure!(passed > 0 || failed > 0, "checked nothing");
    ensure!(status.success() == (failed == 0), "ended with {status} and {failed} failed checks");
    Ok((passed, failed))
}

/// Reads `N passed, M failed`.
fn counts_of(line: &str) -> Option<(u32, u32)> {
    let (passed, failed) = line.split_once(" passed, ")?;
    Some((passed.parse().ok()?, failed.strip_suffix(" failed")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::counts_of;

    #[test]
    fn only_the_closing_line_counts() {
        assert_eq!(counts_of("12 passed, 3 failed"), Some((12, 3)));
        assert_eq!(counts_of("ok   12 passed, 3 failed"), None);
        assert_eq!(counts_of("12 passed, 3 failed, 1 skipped"), None);
    }
}
