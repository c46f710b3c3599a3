//! librdkafka of 2018 against one broker, in what it makes out by itself and as it spoke to older brokers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

type Checked = Result<(), String>;

const COUNT: usize = 60;
const WAIT: Duration = Duration::from_secs(20);
/// What it is told of the broker's version; nothing where it asks.
const BROKERS: [Option<&str>; 4] = [None, Some("0.10.0"), Some("0.9.0"), Some("0.8.2")];

struct Run {
    bootstrap: String,
    begin: i64,
    broker: Option<&'static str>,
}

/// Counts what was delivered in order.
struct Delivered(Arc<AtomicUsize>);

impl ClientContext for Delivered {}

impl ProducerContext for Delivered {
    type DeliveryOpaque = Box<usize>;

    fn delivery(&self, result: &DeliveryResult, index: Box<usize>) {
        if result.as_ref().is_ok_and(|message| message.offset() == *index as i64) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn key(index: usize) -> Option<String> {
    (index % 7 != 0).then(|| format!("key-{}", index % 11))
}

fn value(index: usize) -> Option<String> {
    (index % 7 != 3).then(|| format!("value-{index}"))
}

impl Run {
    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        if let Some(version) = self.broker {
            config.set("api.version.request", "false").set("broker.version.fallback", version);
        }
        config
    }

    fn topic(&self, what: &str) -> String {
        let broker = self.broker.unwrap_or("asks").replace('.', "-");
        format!("check-{:x}-rdkafka-{broker}-{what}", self.begin)
    }

    fn has_times(&self) -> bool {
        self.broker.is_none_or(|version| version.starts_with("0.1"))
    }

    fn send(&self, codec: &str) -> Checked {
        let delivered = Arc::new(AtomicUsize::new(0));
        let mut config = self.config();
        config.set("compression.codec", codec).set("queue.buffering.max.ms", "50");
        // Else it tells only the last offset of a request.
        config.set("produce.offset.report", "true");
        let producer: BaseProducer<Delivered> =
            config.create_with_context(Delivered(Arc::clone(&delivered))).map_err(|error| error.to_string())?;
        let topic = self.topic(codec);
        for index in 0..COUNT {
            let (key, value) = (key(index), value(index));
            let mut record: BaseRecord<str, str, Box<usize>> = BaseRecord::with_opaque_to(&topic, Box::new(index))
                .partition(0)
                .timestamp(self.begin + index as i64);
            if let Some(key) = &key {
                record = record.key(key.as_str());
            }
            if let Some(value) = &value {
                record = record.payload(value.as_str());
            }
            producer.send(record).map_err(|(error, _)| error.to_string())?;
        }
        producer.flush(WAIT);
        let delivered = delivered.load(Ordering::SeqCst);
        if delivered == COUNT { Ok(()) } else { Err(format!("{delivered} of {COUNT} records were delivered in order")) }
    }

    fn consumer(&self, settings: &[(&str, &str)]) -> Result<BaseConsumer, String> {
        let mut config = self.config();
        config.set("enable.auto.commit", "false");
        if !settings.iter().any(|(name, _)| *name == "group.id") {
            config.set("group.id", "none");
        }
        for (name, value) in settings {
            config.set(name, value);
        }
        config.create().map_err(|error| error.to_string())
    }

    fn read(&self, consumer: &BaseConsumer, first: usize) -> Checked {
        let end = Instant::now() + WAIT;
        let mut next = first;
        while next < COUNT {
            if Instant::now() > end {
                return Err(format!("{} of {} records", next - first, COUNT - first));
            }
            let Some(message) = consumer.poll(Duration::from_millis(200)) else { continue };
            let message = message.map_err(|error| error.to_string())?;
            let got = (message.offset(), message.key().map(<[u8]>::to_vec), message.payload().map(<[u8]>::to_vec));
            let wanted = (next as i64, key(next).map(String::into_bytes), value(next).map(String::into_bytes));
            if got != wanted {
                return Err(format!("{got:?} where {wanted:?} was due"));
            }
            let time = message.timestamp().to_millis();
            if self.has_times() && time != Some(self.begin + next as i64) {
                return Err(format!("offset {next} is of {time:?}"));
            }
            next += 1;
        }
        Ok(())
    }

    fn both_ways(&self, codec: &str) -> Checked {
        self.send(codec)?;
        for (first, bytes) in [(0, "1048576"), (23, "1048576"), (0, "300")] {
            let consumer = self.consumer(&[("fetch.message.max.bytes", bytes), ("check.crcs", "true")])?;
            let mut assigned = TopicPartitionList::new();
            assigned.add_partition_offset(&self.topic(codec), 0, Offset::Offset(first as i64));
            consumer.assign(&assigned).map_err(|error| error.to_string())?;
            self.read(&consumer, first).map_err(|error| format!("from {first} with {bytes} bytes: {error}"))?;
        }
        Ok(())
    }

    fn offsets(&self) -> Checked {
        let consumer = self.consumer(&[])?;
        let topic = self.topic("none");
        let marks = consumer.fetch_watermarks(&topic, 0, WAIT).map_err(|error| error.to_string())?;
        if marks != (0, COUNT as i64) {
            return Err(format!("it goes from {} to {}", marks.0, marks.1));
        }
        if self.broker.is_none() {
            let mut assigned = TopicPartitionList::new();
            assigned.add_partition(&topic, 0);
            consumer.assign(&assigned).map_err(|error| error.to_string())?;
            let found = consumer.offsets_for_timestamp(self.begin + 17, WAIT).map_err(|error| error.to_string())?;
            let found = found.find_partition(&topic, 0).map(|found| found.offset());
            if found != Some(Offset::Offset(17)) {
                return Err(format!("a time is found at {found:?}"));
            }
        }
        Ok(())
    }

    fn group(&self) -> Checked {
        let (topic, group) = (self.topic("none"), self.topic("group"));
        for first in [0, 41] {
            let consumer = self.consumer(&[("group.id", &group), ("auto.offset.reset", "earliest")])?;
            consumer.subscribe(&[&topic]).map_err(|error| error.to_string())?;
            self.read(&consumer, first)?;
            let mut offsets = TopicPartitionList::new();
            offsets.add_partition_offset(&topic, 0, Offset::Offset(41));
            consumer.commit(&offsets, CommitMode::Sync).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

fn main() {
    let bootstrap = std::env::args().nth(1).expect("HOST:PORT");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    let (mut passed, mut failed) = (0, 0);
    let mut check = |what: String, checked: &dyn Fn() -> Checked| {
        let begin = Instant::now();
        match checked() {
            Ok(()) => {
                passed += 1;
                println!("ok   {what} ({:.1} s)", begin.elapsed().as_secs_f64());
            }
            Err(error) => {
                failed += 1;
                println!("FAIL {what}: {error}");
            }
        }
    };
    for broker in BROKERS {
        let run = Run { bootstrap: bootstrap.clone(), begin: now - 3_600_000, broker };
        let shown = broker.unwrap_or("asking");
        for codec in ["none", "gzip", "snappy", "lz4"] {
            check(format!("{shown}: {codec} both ways"), &|| run.both_ways(codec));
        }
        check(format!("{shown}: offsets"), &|| run.offsets());
        if broker != Some("0.8.2") {
            check(format!("{shown}: a group"), &|| run.group());
        }
    }
    println!("{passed} passed, {failed} failed");
    std::process::exit(i32::from(failed > 0));
}
