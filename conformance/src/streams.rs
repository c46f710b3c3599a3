//! Kafka Streams with exactly_once_v2, in `conformance/streams`, while its broker is killed by SIGKILL and started again,
//! and the application is killed too and replaced by another without its state: every word is counted once, or joins and
//! windows come to what they come to without kills. Its members are of a classic group, or of a streams group (KIP-1071).

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use conformance::broker_process::{Kind, Launch, repository};

/// How often, and whom.
#[derive(clap::Args)]
pub struct Streams {
    /// How many times the broker is killed.
    #[arg(long, default_value_t = 3)]
    times: u32,
    /// What it does.
    #[arg(long, value_parser = ["WordCount", "Joins"], default_value = "WordCount")]
    program: String,
    /// What group its members are of.
    #[arg(long, value_parser = ["classic", "streams"], default_value = "classic")]
    protocol: String,
    /// Kill Apache Kafka instead, to see that the examination itself is right.
    #[arg(long)]
    apache_kafka: bool,
}

/// The broker is killed whenever so many more results have come out.
const RESULTS_A_KILL: u32 = 200;

impl Streams {
    /// Runs it, kills; an error if a result is wrong.
    pub fn run(&self) -> Result<()> {
        let directory = tempfile::tempdir()?;
        let kind = if self.apache_kafka { Kind::ApacheKafka } else { Kind::Headwater };
        // Members of a streams group are told how often to come by: often, for every rebalance takes some visits. Nobody
        // waits long for one that was killed.
        let launch = Launch::new(kind, directory.path())?
            .set("group.streams.min.heartbeat.interval.ms", 100)
            .set("group.streams.heartbeat.interval.ms", 300)
            .set("group.streams.initial.rebalance.delay.ms", 0)
            .set("group.streams.min.session.timeout.ms", 1000)
            .set("group.streams.session.timeout.ms", 6000)
            .set("transaction.abort.timed.out.transaction.cleanup.interval.ms", 200)
            .set("group.streams.num.standby.replicas", 1);
        let mut broker = launch.start()?;
        let mut program = Command::new(repository().join("conformance/streams/run"))
            .args([&launch.address().to_string(), &self.protocol, &self.program])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("starting conformance/streams/run")?;
        let output = program.stdout.take().context("the output of the program")?;
        let mut kills = 0;
        for line in BufReader::new(output).lines() {
            let line = line?;
            let Some(seen) = line.strip_prefix("seen ").and_then(|seen| seen.parse::<u32>().ok()) else {
                println!("{line}");
                continue;
            };
            if kills < self.times && seen >= (kills + 1) * RESULTS_A_KILL {
                broker.restart().context("starting again after the kill")?;
                kills += 1;
            }
        }
        let status = program.wait()?;
        println!("     {kills} kills, a {} group", self.protocol);
        ensure!(status.success() && kills == self.times, "it ended with {status}, after {kills} kills");
        Ok(())
    }
}
