//! The topics that Apache Kafka 2.8 keeps in formats v0 and v1, and what is written to them.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use conformance::by_schema::hex;
use conformance::connection::{Answer, Connection};
use conformance::patience::{self, error_codes};
use protocol::api_key::ApiKey;
use protocol::id::Timestamp;
use protocol::offset::Offset;
use protocol::records::batch::TimestampType;
use protocol::records::compression::{Codec, Compressors};
use protocol::records::legacy::{LegacyBuilder, LegacyOptions};
use serde_json::json;

/// The time of the first record.
pub const BEGIN: i64 = 1_700_000_000_000;
const SETS: usize = 150;
const KEYS: usize = 40;
/// Codecs of those years.
const CODECS: [Codec; 4] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4];

/// What a topic is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formats {
    V0,
    V1,
    /// The second half in v2, as after an update of the brokers.
    V1ThenV2,
}

/// A topic of one partition.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    pub name: &'static str,
    pub formats: Formats,
    pub compacted: bool,
    /// Whether the broker's clock stamps its records.
    pub stamped: bool,
}

/// All of them.
pub const TOPICS: [Topic; 6] = [
    Topic { name: "v0", formats: Formats::V0, compacted: false, stamped: false },
    Topic { name: "v0-compacted", formats: Formats::V0, compacted: true, stamped: false },
    Topic { name: "v1", formats: Formats::V1, compacted: false, stamped: false },
    Topic { name: "v1-compacted", formats: Formats::V1, compacted: true, stamped: false },
    Topic { name: "v1-stamped", formats: Formats::V1, compacted: false, stamped: true },
    Topic { name: "updated-compacted", formats: Formats::V1ThenV2, compacted: true, stamped: false },
];

impl Topic {
    /// What both brokers are told of it.
    pub fn configs(&self) -> Vec<(&'static str, &'static str)> {
        let mut configs = vec![
            ("cleanup.policy", if self.compacted { "compact" } else { "delete" }),
            ("retention.ms", "-1"),
            ("delete.retention.ms", "0"),
            ("min.cleanable.dirty.ratio", "1.0"),
        ];
        if self.stamped {
            configs.push(("message.timestamp.type", "LogAppendTime"));
        }
        configs
    }

    /// Makes it in Apache Kafka 2.8 and writes to it.
    pub fn fill(&self, address: SocketAddr) -> Result<()> {
        let format = if self.formats == Formats::V0 { "0.9.0" } else { "0.10.0" };
        let mut configs = self.configs();
        configs.extend([("message.format.version", format), ("segment.bytes", "8192")]);
        create(address, self.name, &configs)?;
        self.write(address, 0, SETS)?;
        if self.formats == Formats::V1ThenV2 {
            alter(address, self.name, "message.format.version", "2.8")?;
        }
        self.write(address, SETS, SETS)?;
        self.roll(address)
    }

    /// Writes more of the same keys.
    pub fn go_on(&self, address: SocketAddr) -> Result<()> {
        self.write(address, 5 * SETS, SETS / 2)?;
        self.roll(address)
    }

    /// Sets of one to four messages, of keys that come again, some of them tombstones, of every codec of the time.
    fn write(&self, address: SocketAddr, from: usize, count: usize) -> Result<()> {
        let mut connection = Connection::open(address)?;
        for set in from..from + count {
            let mut builder = LegacyBuilder::new(self.options(CODECS[set / 3 % CODECS.len()]));
            for place in 0..=set % 4 {
                let number = 4 * set + place;
                let key = (self.compacted || number % 11 != 0).then(|| format!("key-{}", number * 7 % KEYS));
                let value = (number % 6 != 0).then(|| format!("value {number}").repeat(1 + number % 9));
                let (key, value) = (key.as_deref().map(str::as_bytes), value.as_deref().map(str::as_bytes));
                builder.push(Offset(place as i64), self.time(number), key, value);
            }
            self.produce(&mut connection, &builder.finish(&mut Compressors::default())?)?;
        }
        Ok(())
    }

    /// Large messages, so that everything before lies in segments that are rolled.
    fn roll(&self, address: SocketAddr) -> Result<()> {
        let mut connection = Connection::open(address)?;
        for filler in 0..3 {
            let mut builder = LegacyBuilder::new(self.options(Codec::None));
            let key = format!("filler-{filler}");
            builder.push(Offset(0), self.time(0), Some(key.as_bytes()), Some(&[b'f'; 5000]));
            self.produce(&mut connection, &builder.finish(&mut Compressors::default())?)?;
        }
        Ok(())
    }

    fn time(&self, number: usize) -> Timestamp {
        // Not in the order of the offsets.
        let late = if number.is_multiple_of(13) { 500 } else { 0 };
        if self.formats == Formats::V0 { Timestamp::NONE } else { Timestamp(BEGIN + late + number as i64) }
    }

    fn options(&self, codec: Codec) -> LegacyOptions {
        let magic = i8::from(self.formats != Formats::V0);
        LegacyOptions { magic, compression: codec.into(), timestamp_type: TimestampType::CreateTime }
    }

    fn produce(&self, connection: &mut Connection, set: &[u8]) -> Result<()> {
        let partition = json!({"Index": 0, "Records": hex(set)});
        let data = json!({"Name": self.name, "PartitionData": [partition]});
        let request = json!({"Acks": -1, "TimeoutMs": 30_000, "TopicData": [data]});
        let version = if self.formats == Formats::V0 { 0 } else { 2 };
        match connection.ask(ApiKey::Produce, version, &request)? {
            Answer::Response(answer) if error_codes(&answer).is_empty() => Ok(()),
            other => bail!("Produce {version} to {} is answered with {other:?}", self.name),
        }
    }
}

/// Makes a topic of one partition.
pub fn create(address: SocketAddr, topic: &str, configs: &[(&str, &str)]) -> Result<()> {
    let configs: Vec<_> = configs.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
    let topic = json!({"Name": topic, "NumPartitions": 1, "ReplicationFactor": 1, "Configs": configs});
    patience::insist(address, ApiKey::CreateTopics, 4, &json!({"Topics": [topic]}))?;
    Ok(())
}

/// Sets a config of a topic.
pub fn alter(address: SocketAddr, topic: &str, key: &str, value: &str) -> Result<()> {
    let config = json!({"Name": key, "ConfigOperation": 0, "Value": value});
    let resource = json!({"ResourceType": 2, "ResourceName": topic, "Configs": [config]});
    let request = json!({"Resources": [resource], "ValidateOnly": false});
    patience::insist(address, ApiKey::IncrementalAlterConfigs, 0, &request)?;
    Ok(())
}
