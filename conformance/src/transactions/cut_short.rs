//! Transactions whose end is cut short by SIGKILL at each of its writes: that of the decision, that of each marker, and that of the
//! record that all are written. strace kills the broker as it begins the call, so that nothing of that write is done.
//!
//! Whoever starts the broker again finds the transaction open as it was, or ended everywhere as it was decided. Then its producer
//! commits another, which must not make what was aborted a part of it.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use conformance::broker_process::{BrokerProcess, Kind, Launch};
use conformance::connection::{Answer, Connection, Gone};
use conformance::partition_client::{Isolation, read};
use conformance::patience::{self, PATIENCE};
use conformance::transactional_producer::{Place, TransactionalProducer};
use protocol::api_key::ApiKey;
use protocol::id::Timestamp;
use serde_json::json;

use crate::injected::Injected;

const TOPIC: &str = "cut-short";
const PARTITIONS: i32 = 2;
const OFFSET: i64 = 5;
/// The call that appends to a log.
const WRITE: &str = "pwrite64";

/// The writes of an end, in order: the log that is written to, and how often it was before.
const WRITES: [(&str, u32); 5] = [
    ("__transaction_state-0", 0),
    ("cut-short-0", 0),
    ("cut-short-1", 0),
    ("__consumer_offsets-0", 0),
    ("__transaction_state-0", 1),
];
/// The one that decides.
const DECISION: usize = 0;

/// One transaction.
struct Story<'l> {
    launch: &'l Launch,
    /// Its number.
    number: usize,
    /// The write that is cut short.
    write: usize,
    committed: bool,
    /// Of EndTxn: that of clients before KIP-890, or after.
    version: i16,
}

/// Plays one transaction for each write of an end and each of its outcomes.
pub fn run(directory: &Path) -> Result<()> {
    let few = [
        ("transaction.state.log.num.partitions", 1),
        ("offsets.topic.num.partitions", 1),
        // strace counts the calls of each thread: all of an end are made by that of the connection, unless the disk seems slow.
        ("headwater.directory.slow.ms", 60_000),
    ];
    let launch =
        few.iter().fold(Launch::new(Kind::Headwater, directory)?, |all, (key, value)| all.set(key, value));
    let mut broker = launch.start()?;
    let request = json!({"Topics": [{"Name": TOPIC, "NumPartitions": PARTITIONS, "ReplicationFactor": 1}]});
    patience::insist(broker.address(), ApiKey::CreateTopics, 5, &request)?;
    let mut expected = vec![Vec::new(); 2];
    let outcomes = (0..WRITES.len()).flat_map(|write| [(write, true), (write, false)]);
    for (number, (write, committed)) in outcomes.enumerate() {
        // Both outcomes by both kinds of clients, at one write or another.
        let version = if (write + usize::from(committed)) % 2 == 0 { 3 } else { 5 };
        let story = Story { launch: &launch, number, write, committed, version };
        broker = story.play(broker, &mut expected).with_context(|| story.title())?;
        println!("ok   {}", story.title());
    }
    broker.kill()
}

impl Story<'_> {
    fn title(&self) -> String {
        let (log, before) = WRITES[self.write];
        let what = if self.committed { "a commit" } else { "an abort" };
        format!("{what} by EndTxn {}, killed at write {} to {log}", self.version, before + 1)
    }

    /// Plays it; `expected` is what a reader of committed data sees of each partition.
    fn play(&self, broker: BrokerProcess, expected: &mut [Vec<String>]) -> Result<BrokerProcess> {
        let (address, group) = (broker.address(), format!("group-{}", self.number));
        let mut producer = TransactionalProducer::begin(address, &format!("producer-{}", self.number))?;
        for index in 0..PARTITIONS {
            self.send(&mut producer, index, "first")?;
        }
        producer.send_offset(address, &group, &place(0), OFFSET)?;
        self.end_and_die(broker, &producer)?;

        let broker = self.launch.start()?;
        let decided = self.write != DECISION;
        let state = match (decided, self.committed) {
            (false, _) => "Ongoing",
            (true, true) => "CompleteCommit",
            (true, false) => "CompleteAbort",
        };
        let end = Instant::now() + PATIENCE;
        loop {
            let described = producer.describe(address)?;
            let at = described["TransactionState"].as_str().context("a state")?;
            if at == state {
                break;
            }
            ensure!(Instant::now() < end && at.starts_with("Prepare"), "it is {at}, and not {state}");
            std::thread::sleep(Duration::from_millis(2));
        }
        let mut next = TransactionalProducer::begin(address, producer.name())?;
        self.send(&mut next, 0, "next")?;
        next.end(address, true)?;
        let counts = decided && self.committed;
        for (index, expected) in (0..).zip(expected) {
            let of_next = (index == 0).then_some("next");
            let values = counts.then_some("first").into_iter().chain(of_next);
            expected.extend(values.map(|value| self.value(value)));
            let contents = read(address, (TOPIC, index), Isolation::Committed)?;
            let values = contents
                .records
                .into_iter()
                .map(|record| String::from_utf8(record.value.unwrap_or_default()));
            ensure!(
                values.collect::<Result<Vec<_>, _>>()? == *expected,
                "partition {index} reads otherwise than {expected:?}"
            );
            ensure!(
                contents.end == contents.high_watermark,
                "partition {index} is held back at {}",
                contents.end
            );
        }
        self.check_offset(&group, if counts { OFFSET } else { -1 })?;
        Ok(broker)
    }

    fn value(&self, what: &str) -> String {
        format!("{} {what}", self.number)
    }

    fn send(&self, producer: &mut TransactionalProducer, index: i32, what: &str) -> Result<()> {
        let (place, value) = (place(index), self.value(what));
        let (options, since) = (producer.options(&place), SystemTime::now().duration_since(UNIX_EPOCH)?);
        // Of today: an old record has the next one begin another segment.
        let now = Timestamp(i64::try_from(since.as_millis())?);
        producer.send(self.launch.address(), &place, options, |builder| {
            builder.push(now, None, Some(value.as_bytes()), &[]);
            1
        })?;
        Ok(())
    }

    /// Asks for the end, of which the broker dies.
    fn end_and_die(&self, broker: BrokerProcess, producer: &TransactionalProducer) -> Result<()> {
        let (log, before) = WRITES[self.write];
        let file = broker.data_directory().join(log).join("00000000000000000000.log");
        ensure!(file.exists(), "{} is not there", file.display());
        let seen = self.launch.directory.join("calls");
        let mut injected = Injected::killing((WRITE, before + 1), seen);
        injected.begin(broker.id(), vec![file])?;
        let (_, epoch, _) = producer.options(&place(0)).producer;
        let request = json!({"TransactionalId": producer.name(), "ProducerId": producer.id().0,
            "ProducerEpoch": epoch.0, "Committed": self.committed});
        match Connection::open(broker.address())?.ask(ApiKey::EndTxn, self.version, &request) {
            Ok(Answer::Closed) => {}
            Err(error) if Gone::is(&error) => {}
            Ok(answer) => bail!("EndTxn is answered with {answer:?}, and its writes are not done"),
            Err(error) => return Err(error),
        }
        broker.wait_for_end(PATIENCE)
    }

    fn check_offset(&self, group: &str, expected: i64) -> Result<()> {
        let request = json!({"Groups": [{"GroupId": group, "Topics": [{"Name": TOPIC, "PartitionIndexes": [0]}]}],
            "RequireStable": true});
        let answer = patience::insist(self.launch.address(), ApiKey::OffsetFetch, 8, &request)?;
        let told = &answer["Groups"][0]["Topics"][0]["Partitions"][0]["CommittedOffset"];
        ensure!(*told == expected, "the offset of {group} is {told}, and not {expected}");
        Ok(())
    }
}

fn place(index: i32) -> Place {
    (TOPIC.to_owned(), index)
}
