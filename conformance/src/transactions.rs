//! Transactions while the broker is killed by SIGKILL, again and again, and the history of it all judged: no record of an
//! aborted transaction is read, none of a committed one is lost, none is there twice, and the offsets that a transaction
//! commits move with its records or not at all.
//!
//! Every writer has a transactional id and a group. Each transaction puts records into two partitions and commits its own
//! number as the group's offset; every fourth is aborted. Two writers speak as clients of KIP-890, one as clients before.
//! What a writer does not know it asks again, or it begins anew and so ends what it left. A reader of committed data reads
//! along; at the end everything is read once more, and nothing may be held back any longer. With `--in-turn` Apache Kafka
//! is started on what Headwater left open, and the reverse. Apache Kafka 4.4.0 is given no transaction whose end is prepared
//! and not yet written everywhere: of a partition that has no leader while it starts it takes the marker for needless.
//!
//! Before that, of Headwater alone, ends of transactions are cut short at each of their writes ([`cut_short`]).

mod cut_short;
mod writer;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use conformance::broker_process::{BrokerProcess, Kind, Launch};
use conformance::connection::{Answer, Connection};
use conformance::partition_client::Isolation;
use conformance::patience;
use protocol::api_key::ApiKey;
use serde_json::json;
use sim::history::{Action, Expect, Outcome, check, write_lines};

use crate::kill::story::{Partition, Story};
use crate::players::{Players, Progress};
use crate::reader;
use writer::Speaks;

const TOPIC: &str = "ledger";
const PARTITIONS: i32 = 3;
const WRITERS: [Speaks; 3] = [Speaks::Kip890, Speaks::Kip98, Speaks::Kip890];

/// How often, and whom.
#[derive(clap::Args)]
pub struct Transactions {
    /// How many times the broker is killed.
    #[arg(long, default_value_t = 10)]
    times: u32,
    /// Kill Apache Kafka instead, to see that the examination itself is right.
    #[arg(long)]
    apache_kafka: bool,
    /// Headwater and Apache Kafka in turn on one directory: each ends what the other has left open.
    #[arg(long, conflicts_with = "apache_kafka")]
    in_turn: bool,
}

/// Who may end a transaction: it is held by those who do, and whole by one who will have none ended.
#[derive(Clone, Default)]
pub struct Endings(Arc<RwLock<()>>);

impl Endings {
    /// Waits until a transaction may be ended, and keeps it so until this is dropped.
    pub fn may_end(&self) -> RwLockReadGuard<'_, ()> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets no transaction be ended until this is dropped.
    fn none_may_end(&self) -> RwLockWriteGuard<'_, ()> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transactions {
    /// Writes, kills, reads; an error if the history has an anomaly. What an error may be seen by is kept.
    pub fn run(&self) -> Result<()> {
        let directory = tempfile::tempdir()?;
        let alone = !(self.apache_kafka || self.in_turn);
        let cut_short = || if alone { cut_short::run(&directory.path().join("cut-short")) } else { Ok(()) };
        let played = cut_short().and_then(|()| self.play(directory.path()));
        if played.is_ok() {
            println!("1 passed, 0 failed");
            return Ok(());
        }
        let kept = directory.keep();
        played.with_context(|| format!("data and output of the broker are in {}", kept.display()))
    }

    fn play(&self, directory: &Path) -> Result<()> {
        let launches = self.launches(directory)?;
        let broker = launches[0].start()?;
        create(&broker)?;
        let (story, progress, endings) = (Story::default(), Progress::of(WRITERS.len()), Endings::default());
        let stage: Vec<Partition> = (0..PARTITIONS).map(|index| story.partition(TOPIC, index)).collect();
        let players = enter(&launches[0], &story, (&progress, &endings), &stage);
        let survived = self.kill_again_and_again(broker, &launches, (&progress, &endings));
        players.leave()?;
        let broker = replace(survived?, &launches[0], &endings).context("starting again to read")?;
        for partition in &stage {
            reader::read_to_the_end(broker.address(), &story, partition, Isolation::Committed)?;
        }
        judge(self.times, &story, directory)
    }

    fn kill_again_and_again(
        &self,
        mut broker: BrokerProcess,
        launches: &[Launch],
        (progress, endings): (&Progress, &Endings),
    ) -> Result<BrokerProcess> {
        for round in 1..=self.times {
            progress.wait_for(u64::from(round % 5 * 3 + 1))?;
            let next = &launches[usize::try_from(round)? % launches.len()];
            broker = replace(broker, next, endings)
                .with_context(|| format!("{:?} after kill {round}", next.kind))?;
        }
        progress.wait_for(5)?;
        Ok(broker)
    }
}

impl Transactions {
    /// Whom to start, one after the other, and over again.
    fn launches(&self, directory: &Path) -> Result<Vec<Launch>> {
        let kind = if self.apache_kafka { Kind::ApacheKafka } else { Kind::Headwater };
        let first = Launch::new(kind, directory)?;
        let mut launches = vec![first.clone()];
        if self.in_turn {
            launches.push(Launch { port: first.port, ..Launch::new(Kind::ApacheKafka, directory)? });
        }
        // Few partitions, so that coordinators and groups meet in them.
        let settings = [
            ("node.id", 1),
            ("transaction.state.log.num.partitions", 2),
            ("offsets.topic.num.partitions", 2),
            ("transaction.state.log.replication.factor", 1),
            ("transaction.state.log.min.isr", 1),
            ("offsets.topic.replication.factor", 1),
        ];
        let set = |launch: Launch| settings.iter().fold(launch, |all, (key, value)| all.set(key, value));
        Ok(launches.into_iter().map(set).collect())
    }
}

/// Kills a broker and starts the next on what it leaves.
fn replace(broker: BrokerProcess, next: &Launch, endings: &Endings) -> Result<BrokerProcess> {
    let none_ends = (next.kind != Kind::Headwater).then(|| endings.none_may_end());
    if none_ends.is_some() {
        wait_until_written_everywhere(&broker)?;
    }
    broker.kill()?;
    next.start()
}

/// Waits until no transaction is between the decision to end it and its last marker.
fn wait_until_written_everywhere(broker: &BrokerProcess) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(30);
    let request = json!({"StateFilters": ["PrepareCommit", "PrepareAbort"], "ProducerIdFilters": []});
    loop {
        let answer = Connection::open(broker.address())?.ask(ApiKey::ListTransactions, 0, &request)?;
        let Answer::Response(answer) = answer else {
            bail!("ListTransactions was answered with {answer:?}");
        };
        let listed = answer["TransactionStates"].as_array();
        if answer["ErrorCode"] == 0 && listed.is_some_and(Vec::is_empty) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "transactions do not end: {answer}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn enter(
    launch: &Launch,
    story: &Story,
    (progress, endings): (&Progress, &Endings),
    stage: &[Partition],
) -> Players {
    let mut players = Players::of(progress);
    let address = launch.address();
    let cast = || (story.clone(), progress.clone(), stage.to_vec());
    for (number, speaks) in WRITERS.into_iter().enumerate() {
        let ((story, progress, stage), endings) = (cast(), endings.clone());
        players.enter("a writer", move || {
            writer::run(address, &story, (&progress, &endings), (number, speaks), stage)
        });
    }
    let (story, progress, stage) = cast();
    players.enter("a reader", move || {
        reader::follow(address, &story, &|| progress.is_over(), (&stage, Isolation::Committed))
    });
    players
}

fn judge(kills: u32, story: &Story, directory: &Path) -> Result<()> {
    let history = story.end();
    let expect = Expect { duplicates: false, rebalances: false, read_to_the_end: true };
    let anomalies = check(&history, expect);
    let with = |outcome| {
        let sent = |action: &Action| matches!(action, Action::Send { .. });
        history.iter().filter(|one| one.outcome == outcome && one.actions.iter().any(sent)).count()
    };
    println!("     {kills} kills, {} committed, {} aborted", with(Outcome::Ok), with(Outcome::Fail));
    for anomaly in anomalies.iter().take(20) {
        println!("FAIL {anomaly:?}");
    }
    let written = directory.join("history.jsonl");
    std::fs::write(&written, write_lines(&history))?;
    ensure!(anomalies.is_empty(), "{} anomalies; the history is {}", anomalies.len(), written.display());
    Ok(())
}

fn create(broker: &BrokerProcess) -> Result<()> {
    let request = json!({"Topics": [{"Name": TOPIC, "NumPartitions": PARTITIONS, "ReplicationFactor": 1,
        "Configs": [{"Name": "segment.bytes", "Value": "1048576"}]}]});
    patience::insist(broker.address(), ApiKey::CreateTopics, 5, &request).map(drop)
}
