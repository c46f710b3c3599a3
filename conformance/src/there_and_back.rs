//! One data directory, opened by Headwater and by Apache Kafka in turn, twice there and back: each serves what the other
//! wrote, to the offset, timestamp, config and topic id, after clean ends and after kills, and Apache Kafka's
//! kafka-dump-log reads every file. Three log directories, logs whose first records have no files yet, every codec,
//! compacted and rolled logs, transactions that end and that do not, groups with and without members, configs, producers that
//! go on, metadata snapshots.

mod cleaned;
mod damaged;
pub mod dump;
mod groups;
mod late;
mod picture;
mod repeated;
mod settings;
mod staying;
mod transactions;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use conformance::broker_process::{BrokerProcess, Kind, Launch};
use conformance::partition_client::produce_until_done;
use conformance::patience::{self, PATIENCE};
use protocol::api_key::ApiKey;
use protocol::id::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::compression::{Codec, Compressors};
use protocol::records::record::Header;
use serde_json::{Value, json};

use late::Late;
use picture::Picture;
use repeated::Repeated;
use staying::Staying;
use transactions::Transactions;

/// How many partitions each topic has.
const PARTITIONS: i32 = 3;
/// A topic: its name, the codec of its batches, its configs.
type TopicOf = (&'static str, Codec, &'static [(&'static str, &'static str)]);

/// The topics, with what is special about them.
const TOPICS: [TopicOf; 8] = [
    ("plain", Codec::None, &[]),
    ("gzip", Codec::Gzip, &[]),
    ("snappy", Codec::Snappy, &[]),
    ("lz4", Codec::Lz4, &[]),
    ("zstd", Codec::Zstd, &[]),
    ("compacted", Codec::None, &[("cleanup.policy", "compact"), ("segment.ms", "600000")]),
    ("rolled", Codec::Lz4, &[("segment.bytes", "1048576"), ("retention.ms", "-1")]),
    ("stamped", Codec::Zstd, &[("message.timestamp.type", "LogAppendTime"), ("compression.type", "zstd")]),
];

/// Between whom.
#[derive(clap::Args)]
pub struct ThereAndBack {
    /// Begin with a directory that Apache Kafka 3.9 wrote, and do not go back to it.
    #[arg(long)]
    from_3_9: bool,
    /// Keep what is written, here.
    #[arg(long, value_name = "DIRECTORY")]
    keep: Option<PathBuf>,
}

/// How a broker is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Clean,
    Killed,
}

struct Journey {
    headwater: Launch,
    kafka: Launch,
    directories: Vec<PathBuf>,
    seen: Picture,
    transactions: Transactions,
    repeated: Repeated,
    staying: Staying,
    late: Late,
    /// Whether the consumer protocol of KIP-848 is there: not in a cluster that Apache Kafka 3.9 has made.
    modern_groups: bool,
    leg: u8,
    passed: u8,
}

impl ThereAndBack {
    /// Goes; an error if anything was not as it was left.
    pub fn run(&self) -> Result<()> {
        let temporary = tempfile::tempdir()?;
        let directory = self.keep.clone().unwrap_or_else(|| temporary.path().to_owned());
        let mut journey = Journey::new(&directory)?;
        if self.from_3_9 {
            journey.modern_groups = false;
            journey.kafka.wrapper = vec!["env".into(), "KAFKA_POM=release-3.9.xml".into()];
            journey.leg(Kind::ApacheKafka, End::Clean)?;
            journey.leg(Kind::Headwater, End::Killed)?;
            journey.leg(Kind::Headwater, End::Clean)?;
            println!("{} passed, 0 failed", journey.passed);
            return Ok(());
        }
        let heard = damaged::is_heard(&directory.join("damaged"))?;
        println!("ok   kafka-dump-log is heard to complain of {heard} kinds of damage");
        journey.leg(Kind::Headwater, End::Clean)?;
        journey.dumped()?;
        journey.leg(Kind::ApacheKafka, End::Killed)?;
        journey.leg(Kind::Headwater, End::Killed)?;
        journey.leg(Kind::ApacheKafka, End::Clean)?;
        journey.leg(Kind::Headwater, End::Clean)?;
        journey.dumped()?;
        println!("{} passed, 0 failed", journey.passed);
        Ok(())
    }
}

impl Journey {
    fn new(directory: &Path) -> Result<Self> {
        let directories: Vec<_> = ["data", "data-2", "data-3"].map(|name| directory.join(name)).into();
        let names: Vec<_> = directories.iter().map(|path| path.display().to_string()).collect();
        let shared = |launch: Launch| {
            launch
                .set("node.id", 1)
                .set("log.dirs", names.join(","))
                .set("metadata.log.max.record.bytes.between.snapshots", 2000)
                .set("log.flush.offset.checkpoint.interval.ms", 200)
                // Apache Kafka forgets deleted records in a crash before this has passed.
                .set("log.flush.start.offset.checkpoint.interval.ms", 100)
                .set("log.initial.task.delay.ms", 100)
                .set("log.cleaner.backoff.ms", 100)
                // Places for recovery to begin at are among what is left.
                .set("headwater.recovery.bytes", 2000)
                .set("group.initial.rebalance.delay.ms", 0)
                // Nobody who stays is to be thought gone.
                .set("group.consumer.max.session.timeout.ms", staying::SESSION_MS)
                .set("group.consumer.session.timeout.ms", staying::SESSION_MS)
                .set("group.streams.max.session.timeout.ms", staying::SESSION_MS)
                .set("group.streams.session.timeout.ms", staying::SESSION_MS)
        };
        let headwater = Launch::new(Kind::Headwater, directory)?;
        let port = headwater.port;
        let kafka = Launch { port, ..Launch::new(Kind::ApacheKafka, directory)? };
        let (headwater, kafka) = (shared(headwater), shared(kafka));
        Ok(Self {
            headwater,
            kafka,
            directories,
            seen: Picture::default(),
            transactions: Transactions::default(),
            repeated: Repeated::default(),
            staying: Staying::default(),
            late: Late::default(),
            modern_groups: true,
            leg: 0,
            passed: 0,
        })
    }

    /// Has one broker look at what is there, add to it and end.
    fn leg(&mut self, who: Kind, end: End) -> Result<()> {
        let launch = if who == Kind::Headwater { &self.headwater } else { &self.kafka };
        let broker = launch.start().with_context(|| format!("leg {}: {who:?}", self.leg + 1))?;
        if self.leg == 0 {
            self.create(&broker)?;
        } else {
            let opened = || format!("leg {}: {who:?} opened it", self.leg + 1);
            let now = Picture::take(broker.address(), self.modern_groups)?;
            self.seen.expect(&now).with_context(opened)?;
            self.late.expect(broker.address(), who).with_context(opened)?;
        }
        self.leg += 1;
        self.add(&broker)?;
        self.seen = Picture::take(broker.address(), self.modern_groups)?;
        let launch = if who == Kind::Headwater { &self.headwater } else { &self.kafka };
        self.late.end((launch, broker), (self.leg, end), &self.directories)?;
        self.passed += 1;
        println!(
            "ok   leg {}: {who:?} served {} records and was ended: {end:?}",
            self.leg,
            self.seen.records()
        );
        Ok(())
    }

    fn create(&self, broker: &BrokerProcess) -> Result<()> {
        let own = TOPICS.iter().map(|(name, _, configs)| topic(name, configs));
        let others = [topic(cleaned::TOPIC, cleaned::CONFIGS), topic(transactions::TOPIC, &[])];
        let topics: Vec<_> = own.chain(others).collect();
        let answer = ask(broker, ApiKey::CreateTopics, 5, &json!({"Topics": topics}))?;
        let topics = answer["Topics"].as_array().context("topics")?;
        ensure!(topics.iter().all(|topic| topic["ErrorCode"] == 0), "creating topics: {answer}");
        Ok(())
    }

    /// Adds records to every partition, a topic, a config, and moves a log start.
    fn add(&mut self, broker: &BrokerProcess) -> Result<()> {
        let address = broker.address();
        self.repeated.go_on(address).context("a producer that goes on")?;
        groups::go_on(address, self.leg, self.modern_groups).context("consumer groups")?;
        self.staying.go_on(address, self.modern_groups).context("members that stay")?;
        settings::go_on(address, self.leg, self.modern_groups).context("settings")?;
        self.transactions.go_on(address, self.leg).context("transactions")?;
        cleaned::go_on(address, self.leg).context("compaction")?;
        for (name, codec, _) in TOPICS {
            for partition in 0..PARTITIONS {
                for batch in 0..3 {
                    let bytes = if name == "rolled" { 400 << 10 } else { 300 };
                    let batch = self.batch(codec, i32::from(self.leg) * 10 + batch, bytes)?;
                    produce_until_done(broker.address(), (name, partition), &batch, PATIENCE)?;
                }
            }
        }
        let new = json!({"Topics": [topic(&format!("leg-{}", self.leg), &[])]});
        let answer = ask(broker, ApiKey::CreateTopics, 5, &new)?;
        ensure!(answer["Topics"][0]["ErrorCode"] == 0, "creating a topic: {answer}");
        let produced = self.batch(Codec::None, 0, 100)?;
        produce_until_done(broker.address(), (&format!("leg-{}", self.leg), 0), &produced, PATIENCE)?;
        let config = json!({"Name": "retention.bytes", "ConfigOperation": 0, "Value": format!("{}000000000", self.leg)});
        let resource = json!({"ResourceType": 2, "ResourceName": "plain", "Configs": [config]});
        let answer = ask(
            broker,
            ApiKey::IncrementalAlterConfigs,
            1,
            &json!({"Resources": [resource], "ValidateOnly": false}),
        )?;
        ensure!(answer["Responses"][0]["ErrorCode"] == 0, "changing a config: {answer}");
        let partition = json!({"PartitionIndex": 0, "Offset": i64::from(self.leg)});
        let request = json!({"Topics": [{"Name": "gzip", "Partitions": [partition]}], "TimeoutMs": 10_000});
        let answer = ask(broker, ApiKey::DeleteRecords, 2, &request)?;
        ensure!(answer["Topics"][0]["Partitions"][0]["ErrorCode"] == 0, "DeleteRecords: {answer}");
        Ok(())
    }

    /// A batch with keys, nulls, headers and a producer.
    fn batch(&self, codec: Codec, number: i32, bytes: usize) -> Result<Vec<u8>> {
        // Each leg is another producer, so that its sequences begin at 0 in each partition.
        let producer = if number % 10 == 0 { (-1, -1, -1) } else { (1_000_000 + number, 0, 0) };
        let options = BatchOptions {
            compression: codec.into(),
            producer: (
                ProducerId(producer.0.into()),
                ProducerEpoch(i16::try_from(producer.1)?),
                Sequence(producer.2),
            ),
            ..BatchOptions::default()
        };
        let mut builder = BatchBuilder::new(options);
        let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH)?;
        let now = i64::try_from(now.as_millis())?;
        for index in 0..3 {
            let key = format!("key-{}", index % 2);
            // Bytes that no codec makes much smaller.
            let value: Vec<u8> = (0..bytes).map(|at| (at * 131 + at / 251 * 17 + index) as u8).collect();
            let value = if index == 2 { None } else { Some(value) };
            let headers =
                [Header { key: b"leg", value: Some(&[self.leg]) }, Header { key: b"none", value: None }];
            builder.push(Timestamp(now + index as i64), Some(key.as_bytes()), value.as_deref(), &headers);
        }
        Ok(builder.finish(&mut Compressors::default())?)
    }

    /// Has Apache Kafka's own tool read every file.
    fn dumped(&mut self) -> Result<()> {
        let dump::Dumped { files, transaction_indexes, producer_snapshots } = dump::all(&self.directories)?;
        ensure!(producer_snapshots > 0, "none of {files} files is a producer snapshot with producers");
        ensure!(
            self.leg == 1 || transaction_indexes > 0,
            "none of {files} files is a filled transaction index"
        );
        self.passed += 1;
        println!(
            "ok   kafka-dump-log reads {files} files, {transaction_indexes} transaction indexes and \
             {producer_snapshots} producer snapshots among them"
        );
        Ok(())
    }
}

fn topic(name: &str, configs: &[(&str, &str)]) -> Value {
    let configs: Vec<_> = configs.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
    json!({"Name": name, "NumPartitions": PARTITIONS, "ReplicationFactor": 1, "Configs": configs})
}

fn ask(broker: &BrokerProcess, api: ApiKey, version: i16, request: &Value) -> Result<Value> {
    patience::ask(broker.address(), api, version, request)
}
